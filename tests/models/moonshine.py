"""A Moonshine streaming model small enough for tests: random weights in the library's own files and formats.

Five ONNX graphs saved as ORT files, a tokenizer and the configuration, with the inputs and outputs that
`moonshine_voice` asks for, so that its real loader, voice detection, streaming and decoding run on them. What it
"hears" are words of a list, always the same for the same audio.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

Weights = NDArray[np.float32]

_WIDTH, _HEADS, _HEAD = 8, 2, 4
_HOP = 320
"""Samples of a frame: 20 ms."""
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "yes", "no", "stop", "go")


def build_moonshine(folder: Path, *, seed: int = 0) -> Path:
    """Write a model of some tens of kilobytes into ``folder`` (made if need be) and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = [b"<unk>", b"<s>", b"</s>", *(bytes([value]) for value in range(256))]
    tokens += ["\u2581".encode(), *(f"\u2581{word}".encode() for word in _WORDS)]
    (folder / "tokenizer.bin").write_bytes(b"".join(bytes([len(token)]) + token for token in tokens))
    config = {
        "encoder_dim": _WIDTH,
        "decoder_dim": _WIDTH,
        "depth": 1,
        "nheads": _HEADS,
        "head_dim": _HEAD,
        "vocab_size": len(tokens),
        "bos_id": 1,
        "eos_id": 2,
        "frame_len": 80,
        "total_lookahead": 4,
        "d_model_frontend": _WIDTH,
        "c1": _WIDTH,
        "c2": _WIDTH,
        "max_seq_len": 448,
    }
    (folder / "streaming_config.json").write_text(json.dumps(config), encoding="utf-8")
    random = np.random.default_rng(seed)

    def weights(*shape: int, scale: float = 1.0) -> Weights:
        return (random.standard_normal(shape) * scale).astype(np.float32)

    # Only words may be said, and never the end: so many are said as the library allows for the time.
    bias = np.full(len(tokens), -1000, np.float32)
    bias[-len(_WORDS) :] = 0
    _save(_frontend(weights(_HOP, _WIDTH, scale=4.0)), folder / "frontend.ort")
    _save(_encoder(weights(_WIDTH, _WIDTH)), folder / "encoder.ort")
    _save(_adapter(), folder / "adapter.ort")
    _save(_cross_kv(), folder / "cross_kv.ort")
    decoder = _decoder(weights(len(tokens), _WIDTH), weights(_WIDTH, len(tokens), scale=2.0), bias)
    _save(decoder, folder / "decoder_kv.ort")
    return folder


def _save(graph: GraphProto, path: Path) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(path)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _float(name: str, *shape: int | str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _integer(name: str, *shape: int | str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)


def _constant(name: str, value: object, kind: type = np.int64) -> TensorProto:
    return numpy_helper.from_array(np.asarray(value, kind), name)


def _node(kind: str, inputs: str, outputs: str, **attributes: Any) -> NodeProto:
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def _frontend(weight: Weights) -> GraphProto:
    """Whole frames of the chunk, each made a vector; the state goes through unchanged."""
    states = ("sample_buffer", "sample_len", "conv1_buffer", "conv2_buffer", "frame_count")
    shapes = ((1, 79), (1,), (1, _WIDTH, 4), (1, _WIDTH, 4), (1,))
    kinds = (_float, _integer, _float, _float, _integer)
    inputs = [kind(name, *shape) for kind, name, shape in zip(kinds, states, shapes, strict=True)]
    outputs = [kind(f"{name}_out", *shape) for kind, name, shape in zip(kinds, states, shapes, strict=True)]
    return helper.make_graph(
        [
            _node("Reshape", "audio_chunk frames", "framed"),
            _node("MatMul", "framed weight", "projected"),
            _node("Tanh", "projected", "features"),
            *(_node("Identity", name, f"{name}_out") for name in states),
        ],
        "frontend",
        [_float("audio_chunk", 1, "samples"), *inputs],
        [_float("features", 1, "frames_out", _WIDTH), *outputs],
        [_constant("frames", [1, -1, _HOP]), numpy_helper.from_array(weight, "weight")],
    )


def _encoder(weight: Weights) -> GraphProto:
    return helper.make_graph(
        [_node("MatMul", "features weight", "mixed"), _node("Tanh", "mixed", "encoded")],
        "encoder",
        [_float("features", 1, "frames", _WIDTH)],
        [_float("encoded", 1, "frames", _WIDTH)],
        [numpy_helper.from_array(weight, "weight")],
    )


def _adapter() -> GraphProto:
    return helper.make_graph(
        [
            _node("Cast", "pos_offset", "position", to=TensorProto.FLOAT),
            _node("Mul", "position little", "shift"),
            _node("Add", "encoded shift", "memory"),
        ],
        "adapter",
        [_float("encoded", 1, "frames", _WIDTH), _integer("pos_offset", 1)],
        [_float("memory", 1, "frames", _WIDTH)],
        [_constant("little", [1e-6], np.float32)],
    )


def _cross_kv() -> GraphProto:
    return helper.make_graph(
        [
            _node("Reshape", "memory heads", "split"),
            _node("Transpose", "split", "k_cross", perm=[0, 1, 3, 2, 4]),
            _node("Neg", "k_cross", "v_cross"),
        ],
        "cross_kv",
        [_float("memory", 1, "frames", _WIDTH)],
        [_float(name, 1, 1, _HEADS, "frames", _HEAD) for name in ("k_cross", "v_cross")],
        [_constant("heads", [1, 1, -1, _HEADS, _HEAD])],
    )


def _decoder(embeddings: Weights, projection: Weights, bias: Weights) -> GraphProto:
    """The next word from the last one and from what was heard on the whole."""
    cache = (1, 1, _HEADS, "cached", _HEAD)
    heard = (1, 1, _HEADS, "heard", _HEAD)
    return helper.make_graph(
        [
            _node("Gather", "embeddings token", "said", axis=0),
            _node("ReduceMean", "out_k_cross", "meant", axes=[3], keepdims=0),
            _node("Reshape", "meant row", "context"),
            _node("Add", "said context", "both"),
            _node("Tanh", "both", "state"),
            _node("MatMul", "state projection", "scored"),
            _node("Add", "scored bias", "logits"),
            _node("Reshape", "state heads", "split"),
            _node("Transpose", "split", "new", perm=[0, 1, 3, 2, 4]),
            _node("Concat", "k_self new", "out_k_self", axis=3),
            _node("Concat", "v_self new", "out_v_self", axis=3),
            _node("Identity", "out_v_cross", "unused"),
        ],
        "decoder_kv",
        [
            _integer("token", 1, "tokens"),
            _float("k_self", *cache),
            _float("v_self", *cache),
            _float("out_k_cross", *heard),
            _float("out_v_cross", *heard),
        ],
        [
            _float("logits", 1, "tokens", len(bias)),
            _float("out_k_self", 1, 1, _HEADS, "grown", _HEAD),
            _float("out_v_self", 1, 1, _HEADS, "grown", _HEAD),
            _float("unused", *heard),
        ],
        [
            numpy_helper.from_array(embeddings, "embeddings"),
            numpy_helper.from_array(projection, "projection"),
            numpy_helper.from_array(bias, "bias"),
            _constant("row", [1, 1, _WIDTH]),
            _constant("heads", [1, 1, -1, _HEADS, _HEAD]),
        ],
    )
