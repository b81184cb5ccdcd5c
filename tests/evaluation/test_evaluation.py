import subprocess

import keras
import numpy as np
import pytest

from keras_attend import evaluation
from keras_attend.datasets import Catch
from keras_attend.evaluation import digits
from keras_attend.models import RAM, Feedforward, RAMAgent

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def model():
    """Answers 1 wherever it sees light, by hand; 0 in the dark."""
    keras.utils.set_random_seed(0)
    model = RAM(classes=2, glimpses=2, size=4, glimpse_units=2, units=2)
    model.build((None, 8, 8, 1))
    weights = {v.path.split("/", 1)[1]: v for v in model.trainable_variables}
    for variable in weights.values():
        variable.assign(np.zeros(variable.shape))
    weights["glimpse/what_hidden/kernel"].assign(np.ones((16, 2)))
    weights["glimpse/what_out/kernel"].assign(np.eye(2))
    weights["core_input/kernel"].assign(np.eye(2))
    weights["core_recurrent/kernel"].assign(np.eye(2))
    weights["action/kernel"].assign(np.array([[-1.0, 1.0], [0, 0]]))
    weights["action/bias"].assign(np.array([0.01, 0.0]))
    return model


def test_error_percent(model):
    images = np.zeros((40, 8, 8, 1), "uint8")
    images[20:] = 255
    labels = np.repeat([0, 1], 20)
    errors = evaluation.error_percent(model, images, labels, batch_size=16)
    np.testing.assert_array_equal(errors, np.zeros(5))
    labels[:3] = 1  # three of forty are now wrong, in a short last batch too
    errors = evaluation.error_percent(model, images, labels, repeats=2, batch_size=16)
    np.testing.assert_allclose(errors, [7.5, 7.5])


@pytest.mark.slow
def test_protocols_differ_where_they_should(model):
    """A light in the centre is found by the policy, seldom by a random glimpse."""
    images = np.zeros((200, 16, 16, 1), "float32")
    images[:, 7:9, 7:9] = 1
    labels = np.ones(200, "int32")

    def error(**arguments):
        found = evaluation.error_percent(model, images, labels, **arguments)
        return found.mean()

    assert error() == 0  # the mean is the centre
    assert error(location="random") > 60
    assert error(location="first") > error(location="random")
    # Ten starts, averaged: one that sees the light outvotes nine that do not.
    assert error(location="random", episodes=10) < 30


def test_nothing_of_the_model_changes(model):
    before = [np.asarray(v) for v in model.variables]
    images, labels = np.zeros((4, 8, 8, 1), "uint8"), np.zeros(4, "int32")
    first = evaluation.error_percent(model, images, labels, seed=3)
    again = evaluation.error_percent(model, images, labels, seed=3)
    np.testing.assert_array_equal(first, again)
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, np.asarray(new))
    assert model.episodes == 1


@pytest.mark.long
def test_digit_results(model):
    images, labels = np.zeros((8, 8, 8, 1), "uint8"), np.arange(8) % 2
    results = evaluation.digit_results(
        [model, model], images, labels, data="toy", paper=1.5
    )
    protocols = [r.protocol for r in results]
    assert protocols == ["toy/single", "toy/single_seeds", "toy/mc10"]
    assert [r.n for r in results] == [5, 2, 5]
    assert all(r.value == r.min == r.max == 50 for r in results)
    assert all(r.paper == 1.5 for r in results)
    assert results[0].baselines == {"random glimpses": 50.0, "unmoving glimpses": 50.0}


def test_bad_inputs(model):
    images = np.zeros((3, 8, 8, 1), "uint8")
    for bad, labels in ((images, [0, 1]), (images[:0], [])):
        with pytest.raises(ValueError, match="`images` and `labels` must"):
            evaluation.error_percent(model, bad, np.array(labels))
    with pytest.raises(ValueError, match="`repeats` must be positive"):
        evaluation.error_percent(model, images, np.zeros(3, "int32"), repeats=0)


def test_what_always_answers_alike_is_asked_once():
    model = Feedforward((4,), classes=2)
    images = np.zeros((6, 5, 5, 1), "uint8")
    model(images)
    errors = evaluation.error_percent(model, images, np.arange(6) % 2)
    np.testing.assert_allclose(errors, [50.0])


@pytest.mark.slow
def test_catch_results():
    """A paddle as wide as the screen catches everything, a narrow one a share."""
    narrow, wide = (
        RAMAgent(
            Catch(size=4, paddle=paddle), size=2, scales=1, units=4, glimpse_units=4
        )
        for paddle in (1, 4)
    )
    narrow.build((None, 3))
    rates = evaluation.catch_rate(narrow, games=1000, repeats=2)
    assert rates.shape == (2,) and rates[0] != rates[1]  # other games
    assert ((rates > 0.05) & (rates < 0.6)).all()
    wide.build((None, 3))
    (result,) = evaluation.catch_results(wide, wide, paper=0.85)
    assert result.protocol == "catch/10000_games" and result.metric == "catch_rate"
    assert result.value == 1 and result.n == 5
    assert result.baselines == {"random play": 1.0, "whole screen": 1.0}


def git(folder, *arguments):
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("hook", [False, True])
def test_commit_is_the_packages_own(hook, tmp_path, monkeypatch):
    """Not that of the working directory's repository, nor of one that git runs for."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "another project")
    other = git(tmp_path, "rev-parse", "--short=12", "HEAD").strip()
    before = evaluation.commit()
    monkeypatch.chdir(tmp_path)
    if hook:
        monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    assert evaluation.commit() == before != other


def test_commit_of_a_package_inside_another_repository(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "keras_attend" / "evaluation"
    package.mkdir(parents=True)
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "another project")
    monkeypatch.setattr(digits, "__file__", str(package / "digits.py"))
    assert evaluation.commit() == "unknown"
    git(tmp_path / "site-packages", "init", "-q")  # now it is a checkout of its own
    git(tmp_path / "site-packages", "commit", "-q", "--allow-empty", "-m", "ours")
    ours = git(tmp_path / "site-packages", "rev-parse", "--short=12", "HEAD").strip()
    assert evaluation.commit() == ours
    monkeypatch.setenv("PATH", "")
    assert evaluation.commit() == "unknown"
