"""What `make web` builds: the models' files, and weights in 16 bits."""

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from page_case import BUILT

pytestmark = pytest.mark.web
SCRIPT = Path(__file__).parents[2] / "web" / "build.py"


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("web_build", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_models_are_listed_as_they_are(build):
    listed = json.loads((BUILT / "models" / "models.json").read_text())
    assert set(listed) == set(build.PRESETS)
    for about in listed.values():
        content = (BUILT / "models" / about["file"]).read_bytes()
        assert about["bytes"] == len(content)
        assert about["sha256"] == hashlib.sha256(content).hexdigest()
    assert sum(about["bytes"] for about in listed.values()) < build.MAX_BYTES
    # Nothing else that is large, and nothing of the tools.
    assert {path.name for path in BUILT.iterdir()} == {
        *build.PAGE, *build.FOLDERS, "models", "digits.png"
    }  # fmt: skip


def test_large_weights_are_stored_in_16_bits(build, tmp_path, random):
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    weights = {
        "large": random.normal(size=(40, 50)).astype("float32"),
        "wide": np.full((50, 30), 1e6, "float32"),  # more than 16 bits can hold
        "small": random.normal(size=30).astype("float32"),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "large"], ["y"]),
        helper.make_node("MatMul", ["y", "wide"], ["z"]),
        helper.make_node("Add", ["z", "small"], ["out"]),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])]
        for name, size in (("x", 40), ("out", 30))
    ]
    graph = helper.make_graph(
        nodes, "g", *ends, [numpy_helper.from_array(x, n) for n, x in weights.items()]
    )
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    path = tmp_path / "x.onnx"
    onnx.save(model, str(path))
    before = path.stat().st_size
    build.halve(path)
    assert before - path.stat().st_size > 2 * weights["large"].size - 200
    stored = {x.name: x.data_type for x in onnx.load(str(path)).graph.initializer}
    kinds = {"large/half": TensorProto.FLOAT16, "wide": 1, "small": 1}
    assert stored == kinds
    x = random.normal(size=(1, 40)).astype("float32")
    (found,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    half = weights["large"].astype("float16").astype("float32")
    expected = x @ half @ weights["wide"] + weights["small"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
