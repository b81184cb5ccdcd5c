import sys

import numpy as np
import pytest

from keras_attend import evaluation
from keras_attend.datasets import Sequence, otb

# The second prediction is half off (IoU 1/3, 5 px), the third far away (50 px).
TRUE = np.array([[[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]]] * 2, "float32")
PREDICTED = TRUE.copy()
PREDICTED[:, 1, 0], PREDICTED[:, 2, 0:2] = 5, (30, 40)
PRESENT = np.array([[1, 1, 1], [1, 1, 0]])


def otb_reference(true, predicted):
    """Success and precision of one video after OTB's toolkit, in NumPy."""
    low = np.maximum(true[:, :2], predicted[:, :2])
    high = np.minimum(true[:, :2] + true[:, 2:], predicted[:, :2] + predicted[:, 2:])
    common = np.maximum(high - low, 0).prod(1)
    overlap = common / (true[:, 2:].prod(1) + predicted[:, 2:].prod(1) - common)
    centers = [b[:, :2] + (b[:, 2:] - 1) / 2 for b in (true, predicted)]
    error = np.sqrt(((centers[0] - centers[1]) ** 2).sum(1))
    success = [(overlap > t).mean() for t in np.arange(0, 1.01, 0.05)]
    return np.array(success), np.array([(error <= t).mean() for t in range(51)])


class Model:
    """Says what it is told to, batch by batch."""

    def __init__(self, answers):
        self.answers = iter(answers)

    def predict(self, x, batch_size, verbose):
        assert set(x) == {"frames", "box"} and batch_size == len(x["box"])
        return {"boxes": next(self.answers), "more": None}


def batches(*parts):
    return [
        (
            {"frames": np.zeros((len(true), 3, 4, 4, 1), "uint8"), "box": true[:, 0]},
            {"boxes": true, "present": present},
        )
        for true, present in parts
    ]


@pytest.fixture
def videos(tmp_path):
    """Two videos: the object moves 1 pixel a frame, and is hidden now and then."""
    Image = pytest.importorskip("PIL.Image")
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype("uint8")
    found = []
    for name, dx, hidden in (("across", 1, (0, 4)), ("still", 0, ())):
        boxes = np.array([[6 + dx * t, 9, 16, 12] for t in range(10)], "float32")
        present = ~np.isin(np.arange(10), hidden)
        files = []
        for t, (x, y, w, h) in enumerate(boxes.astype(int)):
            frame = np.full((32, 48, 3), 99, "uint8")
            if present[t]:
                frame[y : y + h, x : x + w] = noise
            files.append(tmp_path / f"{name}{t}.png")
            Image.fromarray(frame).save(files[-1])
        boxes[~present] = 0
        found.append(Sequence(name, tuple(files), boxes, present))
    return found


def test_box_scores_by_hand():
    scores = evaluation.box_scores(TRUE, PREDICTED, PRESENT)
    # After the first frame: 1/3, 1/3 and 0; 5, 5 and 50 pixels.
    np.testing.assert_allclose(scores.mean_iou, 2 / 9, rtol=1e-6)
    np.testing.assert_allclose(scores.mean_iou_with_first, (2 + 2 / 3) / 5, rtol=1e-6)
    np.testing.assert_allclose(scores.center_error, 20, rtol=1e-6)
    np.testing.assert_allclose(scores.iou_over_time, [1, 1 / 3, 0], rtol=1e-6)
    np.testing.assert_array_equal(scores.present, [2, 2, 1])
    everywhere = evaluation.box_scores(TRUE, PREDICTED)
    np.testing.assert_allclose(everywhere.mean_iou, 1 / 6, rtol=1e-6)


def test_absent_boxes_do_not_count():
    true, predicted = TRUE.copy(), PREDICTED.copy()
    true[1, 2] = predicted[1, 2] = np.nan
    scores = evaluation.box_scores(true, predicted, PRESENT)
    np.testing.assert_allclose(scores.mean_iou, 2 / 9, rtol=1e-6)
    scores = evaluation.box_scores(true, predicted, PRESENT * [1, 1, 0])
    np.testing.assert_allclose(scores.iou_over_time, [1, 1 / 3, np.nan], rtol=1e-6)


def test_score_clips():
    data = batches((TRUE[:1], PRESENT[:1]), (TRUE[1:], PRESENT[1:]))
    scores = evaluation.score_clips(Model([PREDICTED[:1], PREDICTED[1:]]), data)
    np.testing.assert_allclose(scores.mean_iou, 2 / 9, rtol=1e-6)
    assert evaluation.score_clips(evaluation.static_box, data).mean_iou == 1
    del data[1][1]["present"]
    scores = evaluation.score_clips(Model([PREDICTED[:1], PREDICTED[1:]]), iter(data))
    np.testing.assert_allclose(scores.mean_iou, 1 / 6, rtol=1e-6)


def test_clip_results():
    data = batches((TRUE, PRESENT))
    models = [Model([PREDICTED]), Model([TRUE])]
    # The baseline that looks beside: never any overlap, 50 pixels off.
    beside = {"beside": lambda frames, box: evaluation.static_box(frames, box + 50)}
    plain, error, first = evaluation.clip_results(
        models, data, data="toy", baselines=beside, paper={"mean_iou": 0.5}
    )
    assert (plain.metric, plain.protocol) == ("mean_iou", "toy/3_frames")
    assert (plain.value, plain.min, plain.max) == (0.6111, 0.2222, 1.0)
    assert (plain.n, plain.paper) == (2, 0.5)
    assert plain.baselines == {"static box": 1.0, "beside": 0.0}
    assert (error.metric, error.protocol) == ("center_error_px", "toy/3_frames")
    assert (error.value, error.min, error.max) == (10, 0, 20)
    assert error.paper is None
    assert (first.metric, first.protocol) == ("mean_iou", "toy/3_frames_with_first")
    assert first.min == round((2 + 2 / 3) / 5, 4)
    *_, last = evaluation.clip_results(
        [Model([PREDICTED])], data, data="toy", paper={"last_iou": 0.5}
    )
    over_time = evaluation.box_scores(TRUE, PREDICTED, PRESENT).iou_over_time
    assert (last.protocol, last.paper) == ("toy/3_frames_last", 0.5)
    assert last.value == round(over_time[-1], 4)


def test_presence_auc():
    """All pairs of a frame with the object and one without, by hand."""

    class Sure:
        def predict(self, x, batch_size, verbose):
            return {"presence": np.array([[0.0, 0.9, 0.4], [0.0, 0.4, 0.1]])}

    present = np.array([[1, 1, 0], [1, 1, 1]], "float32")
    data = batches((np.zeros((2, 3, 4)), present))
    # With: .9, .4, .1; without: .4. One is above, one the same, one below.
    auc, clock = evaluation.presence_auc(Sure(), data)
    assert auc == pytest.approx(0.5)
    assert clock == pytest.approx((1 + 1 + 0.5) / 3)  # frames 1, 1 and 2 against 2
    data[0][1]["judged"] = np.array([[1, 1, 1], [1, 1, 0]])
    assert evaluation.presence_auc(Sure(), data)[0] == pytest.approx(0.75)
    (row,) = evaluation.presence_results([Sure(), Sure()], data, data="toy")
    assert (row.metric, row.protocol, row.n) == ("presence_auc", "toy/presence", 2)
    assert row.value == 0.75 and row.baselines == {"clock": 1.0}
    data[0][1]["present"] = np.ones((2, 3))
    with pytest.raises(ValueError, match="frames with the object and frames without"):
        evaluation.presence_auc(Sure(), data)


def test_one_pass_is_otbs(videos, random):
    given = {}

    def track(frames, box):
        assert frames.dtype == np.uint8 and len(frames) in (9, 10)
        boxes = evaluation.static_box(frames, box)
        boxes[1:] += random.normal(0, 3, boxes[1:].shape)
        given[len(frames)] = boxes
        return boxes

    scores = evaluation.one_pass(track, videos)
    assert scores.names == ("across", "still")
    for row, (video, length) in enumerate(zip(videos, (9, 10), strict=True)):
        shown = video.part(10 - length)  # from where the object first is
        assert (given[length][0] == shown.boxes[0]).all()
        success, precision = otb_reference(
            shown.boxes[shown.present], given[length][shown.present]
        )
        np.testing.assert_allclose(scores.success[row], success, atol=1e-6)
        np.testing.assert_allclose(scores.precision[row], precision, atol=1e-6)
        np.testing.assert_allclose(scores.success_auc[row], success.mean(), atol=1e-6)
        np.testing.assert_allclose(scores.precision_20[row], precision[20], atol=1e-6)
    np.testing.assert_allclose(scores.success_curve, scores.success.mean(0))
    np.testing.assert_allclose(scores.precision_curve, scores.precision.mean(0))


def test_one_pass_by_hand(videos):
    """The box that stands: at 1 pixel a frame, less and less of the 16 overlaps."""
    scores = evaluation.one_pass(evaluation.static_box, videos)
    off = np.array([0, 1, 2, 4, 5, 6, 7, 8])  # in the fourth it is hidden
    overlap = (16 - off) / (16 + off)
    np.testing.assert_allclose(scores.mean_iou, [overlap.mean(), 1], rtol=1e-6)
    np.testing.assert_allclose(scores.center_error, [off.mean(), 0], rtol=1e-6)
    thresholds = np.arange(21) / 20
    expected = (overlap[:, None] > thresholds).mean(0)
    np.testing.assert_allclose(scores.success[0], expected)
    np.testing.assert_allclose(scores.success_auc[1], 20 / 21)
    assert scores.precision[0, 5] == 5 / 8 and scores.precision_20[0] == 1
    assert scores.success.shape == (2, 21) and scores.precision.shape == (2, 51)


def test_one_pass_results(videos):
    def perfect(frames, box):
        return videos[len(frames) - 9].boxes[-len(frames) :]

    rows = evaluation.one_pass_results(
        [perfect], videos, data="toy", paper={"success_auc": 0.5}
    )
    assert {row.protocol for row in rows} == {"toy/ope"}
    found = {row.metric: row for row in rows}
    assert list(found) == ["success_auc", "precision_20", "mean_iou", "center_error_px"]
    values = [row.value for row in rows]
    assert values == [round(20 / 21, 4), 1, 1, 0]
    assert found["success_auc"].paper == 0.5 and found["mean_iou"].paper is None
    static = evaluation.one_pass(evaluation.static_box, videos)
    for row, values in zip(
        rows,
        (static.success_auc, static.precision_20, static.mean_iou, static.center_error),
        strict=True,
    ):
        assert row.baselines == {"static box": round(float(values.mean()), 4)}


def test_video_clips_by_hand(videos):
    """The true box every three frames: 1 to 3, 4 to 6 and 7 to 9 of "across", ..."""
    videos[0] = videos[0].part(1)  # hidden in its fourth frame: no clip begins there
    scores = evaluation.video_clips(evaluation.static_box, videos, frames=3)
    assert scores.names == ("across", "still")
    overlap = (16 - np.array([1, 2])) / (16 + np.array([1, 2]))
    np.testing.assert_allclose(scores.mean_iou, [overlap.mean(), 1], rtol=1e-6)
    np.testing.assert_allclose(scores.center_error, [1.5, 0], atol=1e-6)
    over_time = [1, *(overlap + 1) / 2]
    np.testing.assert_allclose(scores.iou_over_time, over_time, rtol=1e-6)

    # Two clips of four count the same, though the first one's last frame hides it.
    scores = evaluation.video_clips(evaluation.static_box, videos[:1], frames=4)
    whole = [*overlap, 13 / 19]
    expected = (overlap.mean() + np.mean(whole)) / 2
    np.testing.assert_allclose(scores.mean_iou, expected, rtol=1e-6)

    rows = evaluation.video_clip_results(
        [evaluation.static_box], videos, data="toy", frames=3, paper={"mean_iou": 0.5}
    )
    assert [row.metric for row in rows] == ["mean_iou", "center_error_px"]
    assert {row.protocol for row in rows} == {"toy/3_frame_clips"}
    assert rows[0].value == rows[0].baselines["static box"] and rows[0].paper == 0.5
    with pytest.raises(ValueError, match="at least 11 frames"):
        evaluation.video_clips(evaluation.static_box, videos, frames=11)


def test_static_box_of_the_validation_videos(data_path):
    """As measured by other code: 0.281 in the mean over six videos."""
    names = ("otb_Bolt", "otb_Man", "davis_parkour", "davis_dog", "otb_Tiger1")
    names += ("uav123_person12_1",)
    chosen = [v for v in otb(data_path("tracking")) if v.name in names]
    scores = evaluation.video_clips(evaluation.static_box, chosen)
    assert abs(scores.mean_iou.mean() - 0.281) < 0.002


def test_bad_boxes(videos):
    score = evaluation.box_scores
    with pytest.raises(ValueError, match=r"`y_true` and `y_pred` must have one shape"):
        score(TRUE, PREDICTED[:1])
    with pytest.raises(ValueError, match="`present` must be one number a box"):
        score(TRUE, PREDICTED, PRESENT[:, :2])
    with pytest.raises(ValueError, match="present somewhere"):
        score(TRUE, PREDICTED, PRESENT * [1, 0, 0])
    broken = PREDICTED.copy()
    broken[:, 1] = np.nan
    broken[1, 2, 3] = np.inf
    with pytest.raises(ValueError, match=r"must be finite\. Received: 3 of 6"):
        score(TRUE, broken)
    with pytest.raises(ValueError, match="`dataset` must hold a batch"):
        evaluation.score_clips(evaluation.static_box, [])
    shorter = batches((TRUE[:, :2], PRESENT[:, :2]))
    data = [*batches((TRUE, PRESENT)), *shorter]
    with pytest.raises(ValueError, match=r"one length .* Received: lengths \[2, 3\]"):
        evaluation.score_clips(evaluation.static_box, data)
    with pytest.raises(ValueError, match=r"boxes \(9, 4\), one for each frame"):
        evaluation.one_pass(lambda frames, box: box, videos)
    with pytest.raises(ValueError, match="must show its object"):
        evaluation.one_pass(evaluation.static_box, [videos[0].part(0, 1)])
    with pytest.raises(ValueError, match="`sequences` must hold a video"):
        evaluation.one_pass(evaluation.static_box, [])


@pytest.mark.parametrize("name", ["KCF", "CSRT", "MOSSE"])
def test_opencv_tracker(name):
    """It follows a part of a rough ground over which the view moves."""
    pytest.importorskip("cv2")
    ground = np.random.default_rng(0).integers(0, 256, (60, 60, 3)).astype("uint8")
    ground = ground.repeat(3, 0).repeat(3, 1)
    frames = np.stack(
        [ground[40 - t : 136 - t, 40 - 3 * t :][:, :128] for t in range(8)]
    )
    truth = np.array([[30 + 3 * t, 30 + t, 32, 32] for t in range(8)], "float32")
    track = evaluation.opencv_tracker(name)
    for shown in (frames, frames / 255, frames[..., :1]):
        boxes = track(shown, truth[0])
        assert boxes.shape == (8, 4) and boxes.dtype == np.float32
        np.testing.assert_array_equal(boxes[0], truth[0])
        score = evaluation.box_scores(truth[None], boxes[None])
        still = evaluation.static_box(frames, truth[0])[None]
        assert score.mean_iou > 0.7
        assert score.mean_iou > evaluation.box_scores(truth[None], still).mean_iou


def test_opencv_trackers_last_box_stands():
    pytest.importorskip("cv2")
    patch = np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype("uint8")
    frames = np.full((4, 96, 128, 3), 99, "uint8")
    frames[:2, 40:64, 30:54] = patch  # then it is gone
    boxes = evaluation.opencv_tracker("KCF")(frames, np.array([30.0, 40, 24, 24]))
    assert np.isfinite(boxes).all()
    np.testing.assert_array_equal(boxes[2:], boxes[[1, 1]])


def test_opencv_missing(monkeypatch):
    with pytest.raises(ValueError, match="`name` must be one of"):
        evaluation.opencv_tracker("GOTURN")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match="pip install opencv-contrib"):
        evaluation.opencv_tracker("KCF")


def test_opencv_without_contributed_modules(monkeypatch):
    class Plain:
        __version__ = "9.9"

    monkeypatch.setitem(sys.modules, "cv2", Plain())
    with pytest.raises(ImportError, match=r"OpenCV, 9\.9, has no KCF tracker"):
        evaluation.opencv_tracker("KCF")


def test_nanotrack_needs_its_files(monkeypatch, tmp_path):
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2, "TrackerNano_create"):
        pytest.skip("this OpenCV is too old")
    monkeypatch.delenv("KERAS_ATTEND_NANOTRACK", raising=False)
    with pytest.raises(FileNotFoundError, match="Received: KERAS_ATTEND_NANOTRACK=''"):
        evaluation.opencv_tracker("TrackerNano")
    monkeypatch.setenv("KERAS_ATTEND_NANOTRACK", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"nanotrack_backbone_sim\.onnx"):
        evaluation.opencv_tracker("TrackerNano")


def test_opencv_gets_what_it_wants(monkeypatch):
    """Blue first; whole pixels where there is only the new interface."""
    given = []

    class Tracker:
        def init(self, image, box):
            given.append((image, box))

        def update(self, image):
            return True, (1, 2, 3, 4)

    class New:
        TrackerKCF_create = Tracker

    monkeypatch.setitem(sys.modules, "cv2", New())
    red = np.zeros((2, 8, 8, 3), "uint8")
    red[..., 0] = 255
    boxes = evaluation.opencv_tracker("KCF")(red, np.array([1.2, 2.2, 3.9, 4]))
    ((image, box),) = given
    assert box == (1, 2, 4, 4) and all(type(v) is int for v in box)
    assert (image == [0, 0, 255]).all() and image.flags.c_contiguous
    np.testing.assert_allclose(boxes, [[1.2, 2.2, 3.9, 4], [1, 2, 3, 4]])


def test_real_videos(data_path):
    chosen = [
        v.part(0, 40)
        for v in otb(data_path("tracking"))
        if v.name.endswith(("dog", "Skiing"))
    ]
    rows = evaluation.one_pass_results(
        [evaluation.static_box], chosen, data="two", baselines={}
    )
    for row in rows:
        assert row.value == row.baselines["static box"]
    assert 0.05 < rows[0].value < 0.9
