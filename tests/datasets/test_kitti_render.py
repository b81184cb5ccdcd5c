import dataclasses

import numpy as np
import pytest

from keras_attend.datasets import (
    KITTILabels,
    RenderedKITTI,
    Sequence,
    Sprite,
    Style,
    View,
    cut_sprites,
    drawn_streets,
    street_scenes,
)
from keras_attend.datasets.kitti_labels import project, read_folder
from keras_attend.datasets.rendered import film as filming
from keras_attend.datasets.rendered.pictures import paste, pyramid
from keras_attend.datasets.rendered.scene import Scene, whole_boxes
from keras_attend.datasets.rendered.sprites import LOOKS, MARGIN, canvas_size, grid
from keras_attend.datasets.rendered.wardrobe import Wardrobe, painted_sprite

Image = pytest.importorskip("PIL.Image")

WIDTH = 1242


def video(name, rows):
    """Labels of rows (frame, track, kind, box in whole frames, depth, occluded)."""
    frame, track, kind, boxes, depth, occluded = zip(*rows, strict=True)
    n = len(rows)
    boxes = np.array(boxes, "float32")
    middle = boxes[:, 0] + boxes[:, 2] / 2
    depth = np.array(depth, "float64")
    return KITTILabels(
        name,
        np.array(frame),
        np.array(track),
        np.array(kind, "U16"),
        np.zeros(n, int),
        np.array(occluded),
        boxes,
        np.tile([1.5, 1.6, 4.0], (n, 1)),
        np.stack([(middle - 609.6) * depth / 721.5, np.full(n, 1.7), depth], 1),
        np.full(n, -np.pi / 2),
        np.full(n, -np.pi / 2),
    )


def passing(name="0001", frames=12, kind="Car", speed=16):
    """An object that goes to the right, and is then gone for as long."""
    rows = [
        (t, 3, kind, (500 + speed * t, 180, 120, 60), 20.0, 0) for t in range(frames)
    ]
    return video(name, [*rows, (2 * frames, 9, "Tram", (0, 150, 20, 20), 50.0, 0)])


def streets(count=6, colours=None):
    """Scenes of one dark grey each, two pictures of each."""
    levels = colours or [(20 + 5 * n,) * 3 for n in range(count)]
    return {
        f"street{n}": np.full((2, 188, 621, 3), level, "uint8")
        for n, level in enumerate(levels)
    }


def block(look="car", aspect=2.0, colour=(250, 250, 250), source="a"):
    """A sprite that fills its box with one colour, sharply."""
    x, y = grid(canvas_size(aspect))
    inside = (abs(x - 0.5) < 0.5) & (abs(y - 0.5) < 0.5)
    view = np.where(inside[..., None], np.array([*colour, 255]), 0).astype("uint8")
    return Sprite(look, source, (view,))


WIDTH = 1242
STYLE = {"photometric": 0, "painted": 0, "paintings": 2, "exposure": 0}


def rendered(labels, sprites=(), **kwargs):
    """Clips with nothing at random but the places; fields of the records as kwargs."""
    parts = {View: {"flip": False, "reverse": False}, Style: {**STYLE}}
    for kind, fields in parts.items():
        names = kwargs.keys() & {field.name for field in dataclasses.fields(kind)}
        fields.update({name: kwargs.pop(name) for name in names})
    view, style = (kind(**fields) for kind, fields in parts.items())
    arguments = {"batch_size": 2, "frames": 6, "view": view, "style": style}
    return RenderedKITTI(labels, streets(), sprites, **{**arguments, **kwargs})


@pytest.fixture
def filmed(monkeypatch):
    """`filmed(data)`: a batch, and which of its pixels the objects have changed."""

    def film(data):
        x, y = data[0]
        with monkeypatch.context() as patch:
            patch.setattr(filming, "paste", lambda *args: None)
            empty, same = data[0]
        np.testing.assert_array_equal(y["boxes"], same["boxes"])
        changed = abs(x["frames"].astype(int) - empty["frames"]).sum(-1)
        return x, y, changed > 60

    return film


# What trackers take.


@pytest.mark.parametrize(
    ("size", "crop"), [((188, 621), None), ((64, 64), (2.0, 4.0)), ((40, 96), (1, 3))]
)
def test_batches(size, crop):
    data = rendered([passing()], batch_size=3, size=size, crop=crop)
    x, y = data[0]
    assert x["frames"].shape == (3, 6, *size, 3) and x["frames"].dtype == np.uint8
    assert x["box"].shape == (3, 4) and y["boxes"].shape == (3, 6, 4)
    assert {a.dtype.name for a in (x["box"], *y.values())} == {"float32"}
    np.testing.assert_array_equal(x["box"], y["boxes"][:, 0])
    assert (y["present"][:, 0] == 1).all()
    grey = rendered([passing()], size=size, crop=crop, grey=True)
    assert grey[0][0]["frames"].shape == (2, 6, *size, 1)


def test_seed_epoch_and_index_alone():
    settings = {"size": (48, 48), "crop": (2, 4), "photometric": 0.1, "exposure": 0.5}
    one, other = (rendered([passing()], **settings) for _ in range(2))
    other[1]
    for a, b in zip(one[2], other[2], strict=True):
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])
    first = one[0][0]["frames"]
    assert (first != one[1][0]["frames"]).any()
    one.on_epoch_end()
    assert (first != one[0][0]["frames"]).any()
    assert (first != rendered([passing()], seed=1, **settings)[0][0]["frames"]).any()


# The box is where the object is drawn.


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("crop", [None, (2.5, 5.0)])
def test_box_is_where_the_object_is(filmed, flip, crop):
    size = (188, 621) if crop is None else (96, 96)
    data = rendered(
        [passing()], [block()], size=size, crop=crop, flip=flip, batch_size=5
    )
    _, y, changed = filmed(data)
    checked = 0
    for clip in range(5):
        for t in range(6):
            bx, by, w, h = y["boxes"][clip, t]
            if min(bx, by) < 1 or bx + w > size[1] - 1 or by + h > size[0] - 1:
                continue
            rows, columns = np.nonzero(changed[clip, t])
            ends = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_allclose(ends, [bx, by, bx + w, by + h], atol=1.6)
            assert changed[clip, t].sum() > 0.8 * w * h
            checked += 1
    assert checked > 12


def test_absent_object_is_not_drawn_and_has_no_box(filmed):
    """It is labelled in 12 of 25 frames, and drawn in no other."""
    data = rendered([passing()], [block()], frames=20, batch_size=3, shake=0)
    _, y, changed = filmed(data)
    labelled = y["boxes"][..., 2] > 0
    assert 0.5 <= labelled.mean() < 0.7
    # (Something far away is there all the time, of 10x10 pixels at most.)
    np.testing.assert_array_equal(changed.sum((2, 3)) > 200, labelled)
    np.testing.assert_array_equal(y["present"], labelled)
    assert (y["boxes"][~labelled] == 0).all()


def test_leaving_the_view():
    labels = video(
        "0001",
        [
            (t, 0, "Car", (400 + 60 * abs(t - 5), 150, 90, 50), 20.0, 0)
            for t in range(12)
        ],
    )
    data = rendered(
        [labels], batch_size=24, size=(48, 48), crop=(1.5, 2.5), shake=0, visible=0.5
    )
    _, y = data[0]
    low = np.maximum(y["boxes"][..., :2], 0)
    high = np.minimum(y["boxes"][..., :2] + y["boxes"][..., 2:], 48)
    share = np.maximum(high - low, 0).prod(-1) / y["boxes"][..., 2:].prod(-1)
    assert y["present"][:, 1:].min() == 0 and y["present"][:, 1:].max() == 1
    np.testing.assert_array_equal(y["present"][:, 1:], share[:, 1:] >= 0.5)


OTHER = {
    View: {
        **{"size": (40, 60), "crop": (2.0, 3.0), "smallest": 45.0, "visible": 0.9},
        **{"cut": True, "grey": True, "flip": True, "reverse": True, "steps": 2},
    },
    Style: {
        **{"painted": 0.5, "paintings": 1, "alike": 1.0, "shake": 2.0},
        **{"exposure": 1.0, "photometric": 0.5},
    },
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in OTHER for name in OTHER[kind]]
)
def test_every_field_of_the_records_counts(kind, name):
    """Another value draws another batch; the same value the same one."""

    pair = [
        (t, track, "Car", (left + 20 * t, 180, 120, 60), depth, 0)
        for t in range(12)
        for track, left, depth in ((1, 300, 20.0), (2, 440, 30.0))
    ]
    sprites = [block("car", 2.0), block("car", 2.0, (0, 0, 250))]
    defaults = {"batch_size": 4, "frames": 5, "size": (40, 80), "crop": (1.5, 2.5)}
    defaults |= {"alike": 0.0, "exposure": 0.5}
    if name == "paintings":
        defaults["painted"] = 1.0

    def batch(**change):
        labels = [video("0001", pair), crossing()]
        x, y = rendered(labels, sprites, **{**defaults, **change})[0]
        return x["frames"], y["boxes"], y["present"]

    def same(one, two):
        return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))

    assert {field.name for field in dataclasses.fields(kind)} == OTHER[kind].keys()
    assert same(batch(), batch())
    changed = {name: OTHER[kind][name]}
    if name == "size":
        assert batch(**changed)[0].shape[2:4] == (40, 60)
    elif name == "grey":
        assert batch(**changed)[0].shape[-1] == 1
    else:
        assert not same(batch(), batch(**changed))


# Who hides whom.


def crossing(near_first=True):
    """A van, near, drives past a car that stands, far."""
    rows = []
    for t in range(12):
        pair = [
            (t, 1, "Car", (600, 180, 80, 40), 30.0, 0),
            (t, 2, "Van", (300 + 50 * t, 160, 160, 80), 10.0, 0),
        ]
        rows += pair[::-1] if near_first else pair
    return video("0001", rows)


@pytest.mark.parametrize("near_first", [False, True])
def test_nearer_objects_hide_others(near_first):
    sprites = [block("car", 2.0, (250, 0, 0)), block("van", 2.0, (0, 0, 250), "b")]
    data = rendered([crossing(near_first)], sprites, frames=12, shake=0, batch_size=1)
    data.tracks = [(0, 1)]  # the car
    x, y = data[0]
    for frame, present in zip(x["frames"][0], y["present"][0], strict=True):
        red, _, blue = frame[95:105, 310:330].reshape(-1, 3).mean(0)  # of the car
        assert present == (red > blue)
    # Of its 80 pixels the van leaves 20 in frame 4, none in 5 and 6, 50 in 7.
    np.testing.assert_array_equal(np.flatnonzero(y["present"][0] == 0), [4, 5, 6])


def test_exposed():
    rows = [
        (0, 1, "Car", (100, 100, 80, 80), 30.0, 0),
        (0, 2, "Car", (140, 100, 80, 80), 20.0, 0),  # over half of it
        (0, 3, "Pedestrian", (100, 90, 100, 200), 10.0, 0),  # 120 to 180 wide
        (1, 1, "Car", (100, 100, 80, 80), 30.0, 0),
        (1, 2, "Car", (100, 100, 80, 80), 40.0, 0),  # behind it
    ]
    scene = Scene.of(video("0001", rows))
    assert scene.exposed(2) == 1
    assert scene.exposed(0) == pytest.approx(2 / 8)
    assert scene.exposed(1) == pytest.approx(4 / 8, abs=1 / 8)
    assert scene.exposed(3) == 1 and scene.exposed(4) == 0
    np.testing.assert_array_equal(scene.in_frame(0), [0, 1, 2])
    np.testing.assert_array_equal(scene.in_frame(1), [4, 3])


def test_hidden_by_what_has_no_label(filmed):
    rows = [
        (t, 1, "Car", (600, 180, 80, 40), 30.0, 2 * (8 <= t < 20)) for t in range(24)
    ]
    scene = Scene.of(video("0001", rows))
    shares = [scene.behind(row) for row in range(24)]
    np.testing.assert_allclose(shares[5:11], [0, 0.2, 0.4, 0.6, 0.8, 1])
    assert scene.clear(7) == pytest.approx(0.6)
    # Seen for one frame between those in which it is hidden: it has no time to come.
    scene.labels.occluded[14] = 0
    data = rendered([scene.labels], [block()], frames=16, batch_size=3, shake=0)
    _, y = data[0]
    assert set(y["present"].sum(1)) == {7, 8}  # frames 0 or 1 to 7, of 8 or 9 labelled
    scene.labels.occluded[14] = 2
    data = rendered([scene.labels], [block()], frames=16, batch_size=3, shake=0)
    _, y, changed = filmed(data)
    drawn = changed.sum((2, 3)) / (40 * 20)
    assert (drawn[y["present"] == 1] > 0.5).all()
    assert (drawn[y["present"] == 0] < 0.5).all() and drawn.min() < 0.02


def test_the_camera():
    """A point ahead is in the middle; 1 m at 10 m is a tenth of the focal length."""
    x, y = project(np.array([0, 1, 0]), np.array([0, 0, 1.65]), np.array([5, 10, 10]))
    np.testing.assert_allclose(x, [609.6, 609.6 + 72.15, 609.6])
    np.testing.assert_allclose(y, [172.9, 172.9, 172.9 + 1.65 * 72.15])


def test_what_leaves_the_frame_is_cut_not_squeezed():
    """A car of 4 m, 5 m to the left, going ahead: half of it is out of the frame."""
    labels = video("0001", [(0, 1, "Car", (0, 180, 60, 90), 9.0, 0)])
    labels.location[0] = [-7.6, 1.7, 9.0]
    x, y, w, h = whole_boxes(labels)[0]
    assert x < -60 and x + w == pytest.approx(60) and (y, h) == (180, 90)
    inside = video("0001", [(0, 1, "Car", (200, 180, 60, 90), 9.0, 0)])
    np.testing.assert_array_equal(whole_boxes(inside), inside.boxes)


def test_scenery_goes_as_far_objects_do():
    rows = []
    for t in range(4):
        rows += [
            (t, n, "Car", (200 * n + 10 * t, 170, 30, 20), 40.0, 0) for n in (1, 2, 3)
        ]
        rows.append((t, 7, "Car", (900 - 90 * t, 170, 90, 60), 8.0, 0))
    scene = Scene.of(video("0001", rows))
    np.testing.assert_allclose(scene.turning(np.arange(4)), [0, 5, 5, 5])
    np.testing.assert_allclose(scene.turning(np.array([3, 1, 0])), [0, -10, -5])


# Training and validation.


def test_splits_share_nothing():
    labels = [passing(name) for name in ("0001", "0002", "0005", "0010")]
    red, green = (120, 20, 20), (20, 120, 20)
    scenes = streets(colours=[green, red, red, red, red, green, red])
    sprites = [block(source=f"video{n}") for n in range(10)]
    train, validation = (
        RenderedKITTI(
            labels,
            scenes,
            sprites,
            6,
            frames=2,
            view=View(size=(94, 310)),
            style=Style(paintings=1, photometric=0),
            split=split,
        )
        for split in ("train", "validation")
    )
    assert {s.labels.video for s in train.scenes} == {"0001", "0002"}
    assert {s.labels.video for s in validation.scenes} == {"0005", "0010"}
    for data, channel in ((train, 0), (validation, 1)):
        for index in range(2):
            corners = data[index][0]["frames"][:, :, :20, :20].mean((1, 2, 3))
            assert (corners.argmax(-1) == channel).all()
    sources = [
        {s.source for s in data.wardrobe.sprites["car"]} for data in (train, validation)
    ]
    assert sources[1] == {"video3", "video8"} and not sources[0] & sources[1]
    assert len(sources[0]) == 8
    for look in ("person", "car"):
        a, b = (data.wardrobe.paint(look, 0).views[0] for data in (train, validation))
        assert a.shape != b.shape or (a != b).any()


def test_a_test_set_takes_all_that_it_is_given():
    labels = [passing(name) for name in ("0001", "0005")]
    sprites = [block(source=f"video{n}") for n in range(5)]
    test, validation = (
        RenderedKITTI(labels, streets(2), sprites, 1, frames=2, split=split)
        for split in ("test", "validation")
    )
    assert {s.labels.video for s in test.scenes} == {"0005"}
    assert len(test.streets) == 2 and len(validation.streets) == 1
    assert len(test.wardrobe.sprites["car"]) == 5
    a, b = (data.wardrobe.paint("car", 0).views[0] for data in (test, validation))
    assert a.shape != b.shape or (a != b).any()


def test_wardrobe(random):
    wide, slim = block(aspect=3.0), block("person", 0.4)
    wardrobe = Wardrobe([wide, slim], Style(painted=0, paintings=3), (0, 0))
    # (A view has margins, the box has not; about the same is what matters.)
    assert not wardrobe.draw(random, "car", 3.0).painted
    assert wardrobe.draw(random, "car", 1.0).painted  # it would be squeezed
    assert wardrobe.draw(random, "cyclist", 1.0).painted  # none was cut
    painted = {id(wardrobe.draw(random, "cyclist", 1.0)) for _ in range(30)}
    assert len(painted) == 3  # kept, and made again by none
    again = Wardrobe([], Style(1, 3), (0, 0)).paint("person", 1).views
    other = Wardrobe([], Style(1, 3), (0, 1)).paint("person", 1).views
    for a, b in zip(wardrobe.paint("person", 1).views, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(again, other, strict=True))


# Sprites.


@pytest.mark.parametrize("look", LOOKS)
def test_painted_sprites_fill_their_boxes(look):
    sprite = painted_sprite(look, np.random.default_rng([1, 2]), "a")
    assert sprite.turns == (look in ("car", "van", "truck"))
    opacities = [view[..., 3] for view in sprite.views]
    if not sprite.turns:  # at the longest step
        opacities = [np.max(opacities, axis=0)]
    first, last = MARGIN / (1 + 2 * MARGIN), (1 + MARGIN) / (1 + 2 * MARGIN)
    for opacity in opacities:
        for axis in (0, 1):
            filled = np.flatnonzero((opacity > 200).any(axis))
            n = opacity.shape[1 - axis]
            assert filled[0] / n == pytest.approx(first, abs=0.05)
            assert (filled[-1] + 1) / n == pytest.approx(last, abs=0.05)
    for view in sprite.views:
        assert (view[..., :3] <= view[..., 3:]).all()  # colour times opacity


def test_a_car_turns():
    """Wide from the side, not from the ends; red lights when it goes away."""
    views = painted_sprite("car", np.random.default_rng(0), "a").views
    aspects = [v.shape[1] / v.shape[0] for v in views]
    assert max(aspects) == max(aspects[5:8]) > 1.8 * max(aspects[0], aspects[-1])

    def red(view):
        r, g, b = view[..., :3].astype(int).transpose(2, 0, 1)
        return ((r > 80) & (r > 2.5 * g) & (r > 2.5 * b)).sum()

    assert red(views[-1]) > red(views[0]) + 20


def test_cut_sprites(tmp_path):
    frames = []
    for t in range(6):
        picture = np.full((60, 80, 3), 30, "uint8")
        picture[20:40, 10 + t : 50 + t] = (200, 40, 40)
        frames.append(tmp_path / f"{t:04d}.png")
        Image.fromarray(picture).save(frames[-1])
    boxes = np.array([(10 + t, 20, 40, 20) for t in range(6)], "float32")
    there = np.arange(6) != 2
    taken = Sequence("a", tuple(frames), boxes, there)
    other = Sequence("b", tuple(frames), boxes, there)
    first, second = cut_sprites([taken, other], {"a": "car"}, views=2, every=2)
    assert (first.look, first.source, len(first.views)) == ("car", "a", 2)
    assert len(second.views) == 1  # frames 0, 3 and 5
    view = first.views[1]
    assert view.shape == (*canvas_size(2.0), 4)
    middle = view[32, view.shape[1] // 2]
    np.testing.assert_allclose(middle, [200, 40, 40, 255], atol=2)
    assert view[0, 0, 3] == 0 and view[32, 0, 3] == 0  # nothing around it
    with pytest.raises(ValueError, match="`look` must be one of"):
        cut_sprites([taken], {"a": "dog"})
    with pytest.raises(ValueError, match="`views` must be"):
        Sprite("car", "a", ())


def test_paste():
    """Half a canvas of red, behind nothing, and half transparent."""
    canvas = np.full((20, 4 * 40), 100, "uint16")
    view = np.zeros((64, 64, 4), "uint8")
    view[..., 0], view[..., 3] = 127, 127  # red, half opaque, everywhere
    size = 20 / (1 + 2 * MARGIN)
    box = np.array([MARGIN * size, MARGIN * size, size, size])
    tint = np.tile(np.array([128, 128, 128, 128], "uint16"), 40)
    paste(canvas, pyramid(view), box, tint)
    pixels = canvas.reshape(20, 40, 4)
    np.testing.assert_allclose(pixels[:, :20, 0], 177, atol=2)
    np.testing.assert_allclose(pixels[:, :20, 1:3], 50, atol=2)
    assert (pixels[:, 20:] == 100).all()
    before = canvas.copy()
    paste(canvas, pyramid(view), box + np.array([200, 0, 0, 0]), tint)  # elsewhere
    np.testing.assert_array_equal(canvas, before)


def test_street_scenes(tmp_path):
    for name in ("town_0001", "town_0003", "wood_0002"):
        Image.fromarray(np.zeros((20, 60, 3), "uint8")).save(tmp_path / f"{name}.png")
    scenes = street_scenes(tmp_path)
    assert {k: v.shape for k, v in scenes.items()} == {
        "town": (2, 20, 60, 3),
        "wood": (1, 20, 60, 3),
    }
    Image.fromarray(np.zeros((20, 50, 3), "uint8")).save(tmp_path / "wood_0004.png")
    with pytest.raises(ValueError, match=r"must have one size. Received: 'wood'"):
        street_scenes(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "dev"}, "`split` must be one of"),
        ({"crop": (0.5, 2)}, "`crop` must be"),
        ({"crop": (3, 2)}, "`crop` must be"),
        ({"visible": 1.5}, "`visible` must be in 0..1"),
        ({"exposure": 1.5}, "`exposure` must be in 0..1"),
        ({"alike": -0.5}, "`alike` must be in 0..1"),
        ({"painted": 2}, "`painted` must be in 0..1"),
        ({"steps": 0}, "`steps` must be a positive integer"),
        ({"smallest": -1}, "`smallest` must not be negative"),
        ({"shake": -1}, "`shake` must not be negative"),
        ({"paintings": 0}, "`paintings` must be a positive integer"),
        ({"split": "validation"}, "for validation, an object"),
        ({"smallest": 60.0}, "an object of at least 60.0 pixels"),
        ({"frames": 40}, "labelled in half of 40 frames"),
    ],
)
def test_bad_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        rendered([passing()], **settings)


def test_bad_scenes():
    with pytest.raises(ValueError, match="`scenes` must hold two or more"):
        RenderedKITTI([passing()], streets(1))
    with pytest.raises(ValueError, match=r"must be \[N, H, W, 3\] uint8"):
        RenderedKITTI([passing()], {"a": np.zeros((2, 9, 9, 3)), "b": 0})


def test_real_paths_and_streets(data_path):
    labels, scenes = (
        read_folder(data_path("kitti")),
        street_scenes(data_path("kitti/frames")),
    )
    for split, least in (("train", 500), ("validation", 80)):
        data = RenderedKITTI(
            *(labels, scenes, (), 2),
            frames=5,
            view=View(size=(64, 64), crop=(2, 4)),
            style=Style(paintings=1),
            split=split,
        )
        x, y = data[0]
        assert (y["present"].sum(1) >= 2).all() and x["frames"].std() > 10
        assert len(data.tracks) > least


def test_drawn_streets():
    """Traffic that a camera could have seen, enough of it for both splits."""
    labels, scenes = drawn_streets(videos=7, frames=40, seed=3)
    again, pictures = drawn_streets(videos=7, frames=40, seed=3)
    assert [video.video for video in labels] == [f"{n:04d}" for n in range(7)]
    for video, same in zip(labels, again, strict=True):
        np.testing.assert_array_equal(video.boxes, same.boxes)
        x, y, w, h = video.boxes.T
        assert (x >= 0).all() and (x + w <= WIDTH).all() and (y >= 0).all()
        assert (np.diff(video.frame) >= 0).all() and video.frame.max() < 40
        # A car's height in pixels times its distance, its nearest end's, is the same.
        near = video.location[:, 2] - video.size[:, 2] / 2
        far = video.location[:, 2] + video.size[:, 2] / 2
        np.testing.assert_allclose(h, 721.5 * (1.65 / near - 0.15 / far), rtol=1e-4)
    np.testing.assert_array_equal(scenes["street0000"], pictures["street0000"])
    assert scenes["street0000"].shape == (1, 188, 621, 3)
    assert scenes["street0000"].std() > 20
    for split in ("train", "validation"):
        data = RenderedKITTI(
            labels, scenes, (), 1, frames=8, style=Style(paintings=1), split=split
        )
        x, y = data[0]
        assert y["present"].mean() > 0.5
        (x, y, w, h), frame = y["boxes"][0, 0].astype(int), x["frames"][0, 0]
        assert frame[y : y + h, x : x + w].std() > 5
