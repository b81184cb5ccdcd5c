"""Write traced models as ONNX: a tracker's two functions become one graph."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from keras_attend.compat import patch_tf2onnx, tf2onnx_optimizers
from keras_attend.exporters.trace import LEAST, TracedModel, eight_bits

OPSET = 18
# The optimizers of tf2onnx that ONNX Runtime lacks; all of them would take much longer.
OPTIMIZERS = (
    "optimize_transpose",
    "fold_constants",
    "merge_duplication",
    "remove_identity",
    "remove_back_to_back",
)
KEY = "keras_attend"  # the entry in the file's metadata that describes the model


def save(traced: TracedModel, path: Path, int8: bool) -> None:
    """Write an ONNX file, with large weights in eight bits if `int8` is true."""
    import onnx

    graphs = {name: _converted(f) for name, f in traced.functions.items()}
    if traced.metadata["kind"] == "tracker":
        graph = _joined(graphs["init"], graphs["step"], list(traced.metadata["states"]))
        if traced.metadata["objects"] is None:
            _name_objects(graph, traced)
    else:
        (graph,) = graphs.values()
    if int8:
        _quantise(graph)
    model = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        producer_name=KEY,
        ir_version=9,
    )
    onnx.helper.set_model_props(model, {KEY: json.dumps(traced.metadata)})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _converted(function: Any) -> Any:
    """Return the ONNX graph of a concrete function, with its inputs' names."""
    import tensorflow as tf

    patch_tf2onnx()
    from tf2onnx import optimizer, tf_loader
    from tf2onnx.tfonnx import process_tf_graph

    given = [x.name for x in function.inputs if x.dtype != tf.resource]
    inputs = {name: name.partition(":")[0] for name in given}
    found = zip(function.outputs, sorted(function.structured_outputs), strict=True)
    outputs = {
        x.name: f"next_{name}" if name in inputs.values() else name for x, name in found
    }
    with tf.device("/cpu:0"):
        frozen = tf_loader.from_function(function, list(inputs), list(outputs))
        with tf.Graph().as_default() as tf_graph:
            tf.import_graph_def(frozen, name="")
            graph = process_tf_graph(
                tf_graph,
                opset=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                tensors_to_rename=inputs | outputs,
            )
            known = tf2onnx_optimizers().items()
            graph = optimizer.optimize_graph(
                graph,
                catch_errors=False,
                optimizers={name: each for name, each in known if name in OPTIMIZERS},
            )
            return graph.make_model("keras_attend").graph


def _joined(init: Any, step: Any, states: list[str]) -> Any:
    r"""Join both functions to one graph, for an ONNX file holds one function.

    If the input `first` is true the step takes the state of `init`, and otherwise the
    state that is given. Weights that both functions use are stored once.
    """
    from onnx import TensorProto, helper

    kept = {_content(x): x.name for x in step.initializer}
    shared = {"frame": "frame", "box": "first_box"}
    for x in init.initializer:
        shared[x.name] = kept.get(_content(x), f"init/{x.name}")
        if shared[x.name] not in kept.values():
            x.name = shared[x.name]
            step.initializer.append(x)
    _rename(init, lambda name: shared.get(name, f"init/{name}"))
    _rename(step, lambda name: f"held_{name}" if name in states else name)

    fed = {x.name: x for x in [*init.input, *step.input]}
    types = {s: fed[s].type for s in states}

    def branch(name: str, nodes: Any, sources: list[str]) -> Any:
        # A branch can only return what its own nodes make, so each is copied.
        ends = [
            helper.make_node("Identity", [x], [f"{name}/{s}"])
            for x, s in zip(sources, states, strict=True)
        ]
        infos = [helper.make_value_info(f"{name}/{s}", types[s]) for s in states]
        return helper.make_graph([*nodes, *ends], name, [], infos)

    found = [shared.get(s, f"init/{s}") for s in states]
    begin = branch("begin", init.node, found)
    go_on = branch("go_on", [], states)
    held = [f"held_{s}" for s in states]
    choose = helper.make_node(
        "If", ["first"], held, then_branch=begin, else_branch=go_on
    )
    inputs = [
        helper.make_tensor_value_info("first", TensorProto.BOOL, []),
        fed["frame"],
        helper.make_value_info("first_box", fed["box"].type),
        *(helper.make_value_info(s, types[s]) for s in states),
    ]
    return helper.make_graph(
        [choose, *step.node], "keras_attend", inputs, step.output, step.initializer
    )


def _name_objects(graph: Any, traced: TracedModel) -> None:
    """Give inputs and outputs their shapes: the conversion loses those that vary."""
    found = traced.functions["step"].structured_outputs
    shapes = {name: x.shape for name, x in found.items()}
    shapes |= {f"next_{name}": shapes[name] for name in traced.metadata["states"]}
    shapes["first_box"] = (None, 4)
    for x in (*graph.input, *graph.output):
        if x.name in shapes:
            tensor = x.type.tensor_type
            tensor.ClearField("shape")
            tensor.shape.dim.add(dim_param="objects")
            for n in shapes[x.name][1:]:
                tensor.shape.dim.add(**({} if n is None else {"dim_value": n}))


def _content(x: Any) -> tuple[Any, ...]:
    return x.data_type, tuple(x.dims), x.raw_data


def _rename(graph: Any, new: Callable[[str], str]) -> None:
    """Rename the tensors of a graph and of the graphs within it."""
    for each in _graphs(graph):
        for node in each.node:
            node.input[:] = [name and new(name) for name in node.input]
            node.output[:] = [name and new(name) for name in node.output]
        for x in (*each.output, *each.initializer):
            x.name = new(x.name)
        del each.value_info[:]


def _graphs(graph: Any) -> Iterator[Any]:
    """Yield a graph and the graphs within it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _quantise(graph: Any) -> None:
    """Store large weights as int8, which the runtime expands when it loads the file."""
    import numpy as np
    from onnx import helper, numpy_helper

    nodes = (node for each in _graphs(graph) for node in each.node)
    convolved = {node.input[1] for node in nodes if node.op_type == "Conv"}
    before = []
    for x in list(graph.initializer):
        weight = numpy_helper.to_array(x)
        if weight.dtype != np.float32 or weight.ndim < 2 or weight.size < LEAST:
            continue
        axis = 0 if x.name in convolved else weight.ndim - 1  # the outputs' axis
        found = eight_bits(weight, axis)
        if found is None:
            continue
        numbers, scale = found
        graph.initializer.remove(x)
        stored = {"int8": numbers, "scale": scale.reshape(-1)}
        for name, array in stored.items():
            graph.initializer.append(numpy_helper.from_array(array, f"{x.name}/{name}"))
        sources = [f"{x.name}/{name}" for name in stored]
        before.append(
            helper.make_node("DequantizeLinear", sources, [x.name], axis=axis)
        )
    after = list(graph.node)
    del graph.node[:]
    graph.node.extend([*before, *after])
