"""Does an ONNX file's output come out of a sigmoid?

The runtime tells an output's name and shape, and neither says so: smart-turn v3 calls its probabilities `logits`. The
file itself does. Of its format (`onnx.proto` of the ONNX project, fields stable since version 1) only the few fields
that lead from the output back to what computed it are read here, so that no further package is needed for it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

# Operators that move values about or change their type, but not what they mean.
_TRANSPARENT = frozenset(
    {
        "Cast",
        "DequantizeLinear",
        "Flatten",
        "Gather",
        "Identity",
        "QuantizeLinear",
        "Reshape",
        "Slice",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
_PROBABILITIES = frozenset({"HardSigmoid", "QLinearSigmoid", "QLinearSoftmax", "Sigmoid", "Softmax"})
_LONGEST_WAY = 64

_Field = descriptor_pb2.FieldDescriptorProto


def gives_probability(content: bytes, output: str) -> bool:
    """Whether ``output`` of the model in ``content`` comes out of a sigmoid or softmax.

    Raises ValueError when the content is not an ONNX model.
    """
    model = _model_class()()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ValueError("not an ONNX file") from error
    makers: Mapping[str, Any] = {name: node for node in model.graph.node for name in node.output}
    wanted = output
    for _ in range(_LONGEST_WAY):
        node = makers.get(wanted)
        if node is None:
            return False
        if node.op_type in _PROBABILITIES:
            return True
        if node.op_type not in _TRANSPARENT or not node.input:
            return False
        wanted = node.input[0]
    return False


@functools.cache
def _model_class() -> type[Any]:
    """The part of `ModelProto` that is read, as a message class of its own pool."""
    file = descriptor_pb2.FileDescriptorProto(name="end_of_turn_onnx.proto", package="onnx_graph", syntax="proto2")
    node = file.message_type.add(name="NodeProto")
    _add(node, "input", 1, _Field.TYPE_STRING, repeated=True)
    _add(node, "output", 2, _Field.TYPE_STRING, repeated=True)
    _add(node, "op_type", 4, _Field.TYPE_STRING)
    graph = file.message_type.add(name="GraphProto")
    _add(graph, "node", 1, ".onnx_graph.NodeProto", repeated=True)
    model = file.message_type.add(name="ModelProto")
    _add(model, "graph", 7, ".onnx_graph.GraphProto")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("onnx_graph.ModelProto"))


def _add(
    message: descriptor_pb2.DescriptorProto,
    name: str,
    number: int,
    kind: descriptor_pb2.FieldDescriptorProto.Type.ValueType | str,
    *,
    repeated: bool = False,
) -> None:
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    if isinstance(kind, str):
        message.field.add(name=name, number=number, label=label, type=_Field.TYPE_MESSAGE, type_name=kind)
    else:
        message.field.add(name=name, number=number, label=label, type=kind)
