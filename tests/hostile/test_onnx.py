"""An ONNX file from a stranger ends in one clear error, at once."""

import json
import time

import keras
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_attend_runtime import Tracker

BOX = (3, 3, 5, 4)
FRAME = np.zeros((12, 16), "uint8")
METADATA = {
    "kind": "tracker",
    "family": "x",
    "channels": 1,
    "size": None,
    "dtype": "uint8",
    "objects": 1,
    "outputs": ["box"],
    "presence": False,
    "states": {"state_box": [1, 4]},
}


def info(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes=None, inputs=None, outputs=None, initializers=(), **metadata):
    """A tracker that leaves the box where it was, in as few nodes as it takes."""
    nodes = nodes or [
        helper.make_node("Where", ["first", "first_box", "state_box"], ["box"]),
        helper.make_node("Identity", ["box"], ["next_state_box"]),
    ]
    inputs = inputs or [
        info("first", [], TensorProto.BOOL),
        info("frame", [1, "h", "w", 1], TensorProto.UINT8),
        info("first_box", [1, 4]),
        info("state_box", [1, 4]),
    ]
    outputs = outputs or [info("box", [1, 4]), info("next_state_box", [1, 4])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 9
    helper.set_model_props(made, {"keras_attend": json.dumps(METADATA | metadata)})
    return made


def loop():
    """A loop that never ends."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Identity", ["x"], ["y"]),
        ],
        "body",
        [
            info("i", [], TensorProto.INT64),
            info("go", [], TensorProto.BOOL),
            info("x", [1, 4]),
        ],
        [info("on", [], TensorProto.BOOL), info("y", [1, 4])],
    )
    yes = numpy_helper.from_array(np.array(True), "yes")
    turn = helper.make_node("Loop", ["", "yes", "first_box"], ["box"], body=body)
    end = helper.make_node("Identity", ["box"], ["next_state_box"])
    return model([turn, end], initializers=[yes]), turn


def loop_in_a_branch():
    _, turn = loop()
    turn.output[0] = "looped"
    yes = numpy_helper.from_array(np.array(True), "yes")
    then = helper.make_graph([turn], "then", [], [info("looped", [1, 4])])
    other = helper.make_graph(
        [helper.make_node("Identity", ["state_box"], ["same"])],
        "else",
        [],
        [info("same", [1, 4])],
    )
    choose = helper.make_node(
        "If", ["first"], ["box"], then_branch=then, else_branch=other
    )
    end = helper.make_node("Identity", ["box"], ["next_state_box"])
    return model([choose, end], initializers=[yes])


def external():
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1, 4])
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../../etc/passwd")
    return model(initializers=[weights])


def described(text):
    made = model()
    helper.set_model_props(made, {"keras_attend": text})
    return made


BOXES = [info("box", [1, 4]), info("next_state_box", [1, 4])]
INPUTS = list(model().graph.input)
FILES = {
    "loop": lambda: loop()[0],
    "loop in a branch": loop_in_a_branch,
    "external weights": external,
    "no description": lambda: described(""),
    "a list": lambda: described("[]"),
    "a number": lambda: described("3"),
    "deep": lambda: described("[" * 10**5 + "]" * 10**5),
    "no JSON": lambda: described("{"),
    "kind alone": lambda: described('{"kind": "tracker"}'),
    "channels": lambda: model(channels=4),
    "many channels": lambda: model(channels=[1]),
    "other channels": lambda: model(channels=3),
    "size": lambda: model(size=7),
    "size of texts": lambda: model(size=["a", "b"]),
    "other size": lambda: model(size=[5, 5, 5]),
    "dtype": lambda: model(dtype="object"),
    "other dtype": lambda: model(dtype="float32"),
    "objects": lambda: model(objects=2),
    "objects of a text": lambda: model(objects="many"),
    "many objects in one row": lambda: model(objects=None),
    "presence": lambda: model(presence="yes"),
    "absent presence": lambda: model(presence=True),
    "no states": lambda: model(states=[]),
    "outputs": lambda: described(json.dumps(METADATA | {"outputs": [1]})),
    "states": lambda: model(states={"state_other": [1, 4]}),
    "no frame": lambda: model(inputs=[INPUTS[0], *INPUTS[2:]]),
    "another input": lambda: model(inputs=[*INPUTS, info("x", [1])]),
    "another output": lambda: model(
        [
            *model().graph.node,
            helper.make_node("Identity", ["box"], ["extra"]),
        ],
        outputs=[*BOXES, info("extra", [1, 4])],
    ),
    "huge output": lambda: model(
        outputs=[BOXES[0], info("next_state_box", [1, 2**40])]
    ),
    "text": lambda: b"hello" * 100,
    "nothing": lambda: b"",
    "half": lambda: model().SerializeToString()[:200],
    "bytes": lambda: b"\xff" * 1000,
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file(name, tmp_path):
    made = FILES[name]()
    path = tmp_path / "model.onnx"
    content = made if isinstance(made, bytes) else made.SerializeToString()
    path.write_bytes(content)
    begin = time.monotonic()
    with pytest.raises(ValueError, match=r"`model` must be a tracker|cannot read"):
        Tracker(path)
    assert time.monotonic() - begin < 5


def field(number, content):
    """A part of a message in protobuf's format."""
    size, digits = len(content), b""
    while size > 127:
        digits, size = digits + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + digits + bytes([size]) + content


def test_graphs_within_graphs(tmp_path):
    path = tmp_path / "model.onnx"
    graph = b""
    for _ in range(60):  # a graph's node's attribute's graph
        graph = field(1, field(5, field(6, graph)))
    path.write_bytes(field(7, graph))
    with pytest.raises(ValueError, match="within each other too often"):
        Tracker(path)


def test_a_sound_file(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(model(), str(path))
    tracker = Tracker(path)
    tracker.init(FRAME, BOX)
    present, box = tracker.update(FRAME)
    assert present
    np.testing.assert_array_equal(box, BOX)


@pytest.mark.parametrize("threads", [0, -1, 10**6, 1.5, None, True])
def test_threads(threads, tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(model(), str(path))
    with pytest.raises(ValueError, match=r"`threads` must be an integer in 1\.\."):
        Tracker(path, threads)


def test_the_command_line(tmp_path, capsys):
    from keras_attend.commands.main import main

    path = tmp_path / "model.onnx"
    path.write_bytes(FILES["deep"]().SerializeToString())
    (tmp_path / "in").mkdir()
    keras.utils.save_img(str(tmp_path / "in" / "1.png"), np.zeros((12, 16, 3)))
    arguments = ["--box", "3,3,5,4", "--model", str(path)]
    out = ["--boxes", str(tmp_path / "x.csv")]
    assert main(["track", str(tmp_path / "in"), *arguments, *out]) == 1
    assert "`model` must be a tracker" in capsys.readouterr().err
