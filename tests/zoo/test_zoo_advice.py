"""Which preset to take: tasks, uses, speeds, and the peers beside a score."""

import json
import shutil

import pytest
from zoo_case import ABOUT, edit, small_model

from keras_attend import zoo
from keras_attend.zoo.results import best_peer, unseen
from keras_attend.zoo.saving import describe_preset
from keras_attend.zoo.speeds import SPEEDS, Speed, read_speeds, write_speeds


def test_a_list_of_one_task():
    every = zoo.list_models()
    tasks = {zoo.info(name).task for name in every}
    found = {task: zoo.list_models(task=task) for task in tasks}
    assert sorted(name for names in found.values() for name in names) == every
    assert "hart_kitti" in found["tracking"] and "ram_mnist" not in found["tracking"]
    with pytest.raises(ValueError, match=r"`task` must be one of .*'tracking'"):
        zoo.list_models(task="cooking")


def test_a_list_of_one_task_of_a_folder(small_preset, tmp_path):
    shutil.copytree(small_preset, tmp_path / "one")
    other = shutil.copytree(small_preset, tmp_path / "other")
    edit(other / "preset.json", task="tracking")
    damaged = shutil.copytree(small_preset, tmp_path / "damaged")
    (damaged / "preset.json").write_text("{}")
    assert zoo.list_models(tmp_path, task="tracking") == ["other"]
    assert zoo.list_models(tmp_path, task="classification") == ["one"]
    assert zoo.list_models(tmp_path / "other", task="tracking") == []


def test_every_preset_says_what_it_is_for():
    for name in zoo.list_models():
        about = zoo.info(name)
        assert about.use and about.instead
        for other in set(zoo.list_models()) - {name}:
            if f"`{other}`" in about.instead:  # what is advised can be had
                break
        else:
            assert "`" not in about.instead, about.instead


def test_what_a_preset_is_for_stays_when_it_is_trained_again(tmp_path):
    zoo.save_preset(small_model(), tmp_path / "one", **ABOUT, use="tests", instead="no")
    for change in (
        lambda: zoo.save_preset(small_model(5), tmp_path / "one", **ABOUT),
        lambda: describe_preset(tmp_path / "one", description="New.", paper="none"),
    ):
        change()
        assert zoo.info(tmp_path / "one").use == "tests"
        assert zoo.info(tmp_path / "one").instead == "no"
    zoo.save_preset(small_model(), tmp_path / "one", **ABOUT, use="", instead="yes")
    assert zoo.info(tmp_path / "one").use == ""
    assert zoo.info(tmp_path / "one").instead == "yes"
    with pytest.raises(ValueError, match="`use` holds control characters"):
        zoo.save_preset(small_model(), tmp_path / "two", **ABOUT, use="\x1b[31m")


def score(value, metric="mean_iou", protocol="videos_test/ope", **more):
    return zoo.Result(metric, protocol, value, value, value, 1, **more)


def test_unseen_videos_come_first():
    rows = [
        score(0.9, protocol="videos_validation/ope"),
        score(0.5, "success_auc"),
        score(0.6),
        score(0.7, protocol="videos_test/60_frame_clips"),
    ]
    assert unseen(rows) is rows[2]
    assert unseen(rows[:1]) is rows[0]
    assert unseen([]) is None


def test_the_best_peer_is_the_best_by_the_metric():
    peers = {"A": 0.2, "B": 0.7, "C": 0.4}
    assert best_peer(score(0.5, baselines=peers)) == ("B", 0.7)
    paper = {"baselines": peers, "paper": 0.8}
    assert best_peer(score(0.5, **paper)) == ("B", 0.7)  # its setting is another
    assert best_peer(score(0.5, setting="paper", **paper)) == ("the paper", 0.8)
    assert best_peer(score(5.0, "error_percent", baselines=peers)) == ("A", 0.2)
    assert best_peer(score(0.5)) is None


def test_speeds_are_written_and_read(tmp_path):
    assert read_speeds(tmp_path) == {}
    speeds = {"b": Speed(99.5, "frames", "180x320", "a core")}
    speeds["a"] = Speed(1000.0, "images", "28x28", "a core")
    write_speeds(tmp_path, speeds)
    assert read_speeds(tmp_path) == speeds
    assert list(json.loads((tmp_path / SPEEDS).read_text())) == ["a", "b"]
    for wrong in ("[]", '{"a": {"per_second": 1}}', "{"):
        (tmp_path / SPEEDS).write_text(wrong)
        with pytest.raises(ValueError, match=r"speeds\.json"):
            read_speeds(tmp_path)
