"""A small Piper voice in Piper's own files: it hums, but its loader, its pronunciation and its durations are real.

Each phoneme lasts as long as its id says, times the length scale, rounded up by the one `Ceil` of the graph, as in the
models that Piper exports; the sound is a tone as long as all of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

from tts_service.settings import PiperSettings

HOP = 256


def build_piper(
    folder: Path,
    name: str = "en_US-hum-medium",
    *,
    espeak_voice: str = "en-us",
    rate_hz: int = 22_050,
    speakers: tuple[str, ...] = (),
    tells_durations: bool = True,
    **config: Any,
) -> Path:
    """Write `<name>.onnx` and `<name>.onnx.json` into a folder (made if need be) and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    symbols = 256
    # One to four frames each: 12 to 46 ms; pads one.
    frames = 1.0 + np.arange(symbols, dtype=np.float32) % 4
    frames[0] = 1.0
    weights = [
        numpy_helper.from_array(frames, "frames"),
        numpy_helper.from_array(np.array(1, np.int64), "one"),
        numpy_helper.from_array(np.array(0, np.int64), "nought"),
        numpy_helper.from_array(np.array(HOP, np.float32), "hop"),
        numpy_helper.from_array(np.array(2 * np.pi * 200 / rate_hz, np.float32), "step"),
        numpy_helper.from_array(np.array(0.3, np.float32), "level"),
        numpy_helper.from_array(np.array([1, 1, 1, -1], np.int64), "shape"),
    ]
    node = helper.make_node
    rounded = "Ceil" if tells_durations else "Floor"
    nodes = [
        node("Gather", ["frames", "input"], ["nominal"]),
        node("Gather", ["scales", "one"], ["length_scale"]),
        node("Mul", ["nominal", "length_scale"], ["wanted"]),
        node(rounded, ["wanted"], ["durations"]),
        node("ReduceSum", ["durations"], ["total"], keepdims=0),
        node("Mul", ["total", "hop"], ["samples"]),
        node("Cast", ["samples"], ["length"], to=TensorProto.INT64),
        node("Range", ["nought", "length", "one"], ["index"]),
        node("Cast", ["index"], ["time"], to=TensorProto.FLOAT),
        node("Mul", ["time", "step"], ["phase"]),
        node("Sin", ["phase"], ["tone"]),
        node("Mul", ["tone", "level"], ["loud"]),
        node("Reshape", ["loud", "shape"], ["output"]),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, ["batch", "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    if speakers:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, ["batch"]))
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 1, 1, "time"])
    graph = helper.make_graph(nodes, "hum", inputs, [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    save(model, folder / f"{name}.onnx")
    described = {
        "audio": {"sample_rate": rate_hz, "quality": "medium"},
        "espeak": {"voice": espeak_voice},
        "language": {"code": name.partition("-")[0]},
        "dataset": name.split("-")[1],
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_map": {},
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
        "num_symbols": symbols,
        "num_speakers": max(1, len(speakers)),
        "speaker_id_map": {speaker: number for number, speaker in enumerate(speakers)},
        "piper_version": "1.0.0",
        **config,
    }
    (folder / f"{name}.onnx.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def piper_settings(folder: Path, **changes: Any) -> PiperSettings:
    """Settings that name the voices."""
    return PiperSettings(**{"voices": folder, "workers": 2, **changes})
