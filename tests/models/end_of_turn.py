"""Small end-of-turn models, written as ONNX files: they take what smart-turn v3 takes and give what it gives.

`falling_model` can be reckoned by hand: it holds a turn to be over the more, the quieter its last 200 ms are against
the rest. `encoder_model` has random weights in the layers of smart-turn's encoder, of any size: it means nothing, but
costs what such a model costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

BANDS, FRAMES = 80, 800
_OPSET = 17


def falling_model(
    file: Path,
    *,
    shape: Sequence[int | str] = ("batch", BANDS, FRAMES),
    kind: int = TensorProto.FLOAT,
    sigmoid: bool = True,
    classes: int = 1,
    last_frames: int = 20,
) -> Path:
    """Write the model; its one output is called `logits` whether a ``sigmoid`` comes before it or not, as smart-turn's.

    ``kind`` is the type of its input. With two ``classes`` the output is [-score, score]: a softmax makes of it what a
    sigmoid makes of the double.
    """
    nodes = [
        helper.make_node("Cast", ["input_features"], ["features"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["features"], ["whole"], axes=[1, 2], keepdims=0),
        helper.make_node("Slice", ["features", "from", "to", "axis"], ["end"]),
        helper.make_node("ReduceMean", ["end"], ["last"], axes=[1, 2], keepdims=0),
        helper.make_node("Sub", ["whole", "last"], ["fall"]),
        helper.make_node("Mul", ["fall", "steepness"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "column"], ["score"]),
    ]
    result = "score"
    if classes == 2:
        nodes += [
            helper.make_node("Neg", ["score"], ["goes_on"]),
            helper.make_node("Concat", ["goes_on", "score"], ["scores"], axis=1),
        ]
        result = "scores"
    if sigmoid:
        maker = helper.make_node("Softmax", [result], ["sure"], axis=1)
        nodes.append(maker if classes == 2 else helper.make_node("Sigmoid", [result], ["sure"]))
        result = "sure"
    nodes.append(helper.make_node("Identity", [result], ["logits"]))
    constants = [
        _constant("from", np.array([-last_frames], np.int64)),
        _constant("to", np.array([FRAMES], np.int64)),
        _constant("axis", np.array([2], np.int64)),
        _constant("column", np.array([1], np.int64)),
        _constant("steepness", np.array(8.0, np.float32)),
    ]
    taken = helper.make_tensor_value_info("input_features", kind, list(shape))
    given = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])
    return _write(file, nodes, [taken], [given], constants)


def encoder_model(file: Path, *, width: int = 384, layers: int = 4, heads: int = 6, seed: int = 0) -> Path:
    """Write an encoder of Whisper's layout over 8 s, with a mean over time, a score and a sigmoid behind it.

    The defaults are the size of Whisper's tiny encoder, which smart-turn v3 is: 8 million weights, 32 MB.
    """
    return _Encoder(width, layers, heads, seed).write(file)


def two_input_model(file: Path) -> Path:
    """Write a model that wants something else besides the features."""
    nodes = [helper.make_node("ReduceMean", ["input_features"], ["mean"], axes=[1, 2], keepdims=0)]
    nodes.append(helper.make_node("Add", ["mean", "bias"], ["logits"]))
    taken = [
        helper.make_tensor_value_info("input_features", TensorProto.FLOAT, [1, BANDS, FRAMES]),
        helper.make_tensor_value_info("bias", TensorProto.FLOAT, [1]),
    ]
    return _write(file, nodes, taken, [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1])], [])


class _Encoder:
    def __init__(self, width: int, layers: int, heads: int, seed: int) -> None:
        self._width, self._layers, self._heads = width, layers, heads
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def write(self, file: Path) -> Path:
        width = self._width
        first = self._gelu(self._convolved("input_features", BANDS, stride=1))
        second = self._gelu(self._convolved(first, width, stride=2))
        state = self._node("Transpose", second, perm=[0, 2, 1])
        state = self._node("Add", state, self._weights(1, FRAMES // 2, width))
        for _ in range(self._layers):
            state = self._node("Add", state, self._attention(self._normal(state)))
            hidden = self._gelu(self._linear(self._normal(state), width, 4 * width))
            state = self._node("Add", state, self._linear(hidden, 4 * width, width))
        pooled = self._node("ReduceMean", self._normal(state), axes=[1], keepdims=0)
        score = self._linear(pooled, width, 1)
        self._nodes.append(helper.make_node("Sigmoid", [score], ["logits"]))
        taken = helper.make_tensor_value_info("input_features", TensorProto.FLOAT, [1, BANDS, FRAMES])
        given = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1])
        return _write(file, self._nodes, [taken], [given], self._constants)

    def _attention(self, state: str) -> str:
        size = self._width // self._heads
        split = self._fixed(np.array([1, FRAMES // 2, self._heads, size], np.int64))
        joined = self._fixed(np.array([1, FRAMES // 2, self._width], np.int64))
        parts = [self._node("Reshape", self._linear(state, self._width, self._width), split) for _ in range(3)]
        query = self._node("Transpose", parts[0], perm=[0, 2, 1, 3])
        key = self._node("Transpose", parts[1], perm=[0, 2, 3, 1])
        value = self._node("Transpose", parts[2], perm=[0, 2, 1, 3])
        scores = self._node("Mul", self._node("MatMul", query, key), self._fixed(np.float32(size**-0.5)))
        mixed = self._node("MatMul", self._node("Softmax", scores, axis=-1), value)
        back = self._node("Transpose", mixed, perm=[0, 2, 1, 3])
        return self._linear(self._node("Reshape", back, joined), self._width, self._width)

    def _linear(self, state: str, inner: int, outer: int) -> str:
        product = self._node("MatMul", state, self._weights(inner, outer))
        return self._node("Add", product, self._weights(outer))

    def _convolved(self, state: str, inner: int, *, stride: int) -> str:
        weights = self._weights(self._width, inner, 3)
        return self._node("Conv", state, weights, kernel_shape=[3], pads=[1, 1], strides=[stride])

    def _normal(self, state: str) -> str:
        scale = self._fixed(np.ones(self._width, np.float32))
        return self._node("LayerNormalization", state, scale, self._fixed(np.zeros(self._width, np.float32)))

    def _gelu(self, state: str) -> str:
        half = self._node("Mul", state, self._fixed(np.float32(0.5)))
        spread = self._node("Erf", self._node("Mul", state, self._fixed(np.float32(0.5**0.5))))
        return self._node("Mul", half, self._node("Add", spread, self._fixed(np.float32(1.0))))

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def _weights(self, *shape: int) -> str:
        scale = np.float32(np.prod(shape[:-1]) ** -0.5 if len(shape) > 1 else 0.02)
        return self._fixed(self._random.standard_normal(shape, dtype=np.float32) * scale)

    def _fixed(self, values: NDArray[Any] | np.float32) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(_constant(name, np.asarray(values)))
        return name


def _constant(name: str, values: NDArray[Any]) -> onnx.TensorProto:
    return numpy_helper.from_array(values, name)


def _write(
    file: Path,
    nodes: Sequence[onnx.NodeProto],
    taken: Sequence[onnx.ValueInfoProto],
    given: Sequence[onnx.ValueInfoProto],
    constants: Sequence[onnx.TensorProto],
) -> Path:
    graph = helper.make_graph(nodes, "end_of_turn", taken, given, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
    return file
