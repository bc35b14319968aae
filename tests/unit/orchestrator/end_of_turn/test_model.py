"""Loading an end-of-turn model, and what is said when the file is not one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from orchestrator.end_of_turn import EndOfTurnError, EndOfTurnModel, EndOfTurnSettings
from orchestrator.end_of_turn.graph import gives_probability
from servicekit.startup import StartupError
from tests.models.end_of_turn import encoder_model, falling_model, two_input_model


def noise(seconds: float, level: float = 0.1) -> NDArray[np.float32]:
    sound = np.random.default_rng(3).standard_normal(int(16_000 * seconds)).astype(np.float32)
    return sound * np.float32(level)


def loaded(file: Path, **settings: object) -> EndOfTurnModel:
    model = EndOfTurnModel.load(EndOfTurnSettings.model_validate({"model": str(file), **settings}))
    assert model is not None
    return model


def refusal(file: Path | str, **settings: object) -> str:
    with pytest.raises(StartupError) as caught:
        EndOfTurnModel.load(EndOfTurnSettings.model_validate({"model": str(file), **settings}))
    message = str(caught.value)
    assert message.startswith("orchestrator.end_of_turn.")
    assert "\n" not in message
    return message


def test_without_a_path_there_is_no_model_and_onnx_runtime_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert EndOfTurnModel.load(EndOfTurnSettings()) is None
    assert EndOfTurnModel.load(EndOfTurnSettings(model="  ")) is None


def test_the_model_hears_the_end_of_the_sound_at_the_end_of_its_input(tmp_path: Path) -> None:
    model = loaded(falling_model(tmp_path / "falling.onnx"))
    speech = noise(3)
    fallen = np.concatenate((speech, noise(0.4, 0.0001)))
    assert model.probability(fallen) > 0.8
    assert model.probability(speech) < 0.2
    # Silence comes before what is shorter than 8 s, and only the last 8 s of what is longer count.
    assert model.probability(np.concatenate((noise(9, 0.0001), fallen[-64_000:]))) > 0.8
    assert model.probability(np.concatenate((fallen, noise(8)))) == pytest.approx(model.probability(noise(8)), abs=0.05)


@pytest.mark.parametrize("classes", [1, 2])
def test_a_sigmoid_inside_the_file_is_not_applied_again_and_one_that_lacks_is_supplied(
    tmp_path: Path, classes: int
) -> None:
    inside = loaded(falling_model(tmp_path / "inside.onnx", sigmoid=True, classes=classes))
    outside = loaded(falling_model(tmp_path / "outside.onnx", sigmoid=False, classes=classes))
    assert inside.bounded
    assert not outside.bounded
    for sound in (noise(3), np.concatenate((noise(3), noise(0.1, 0.01)))):
        assert inside.probability(sound) == pytest.approx(outside.probability(sound), abs=1e-5)


def test_what_the_settings_say_of_the_output_goes_before_what_the_file_seems_to_be(tmp_path: Path) -> None:
    assert not loaded(falling_model(tmp_path / "sure.onnx"), output="logit").bounded
    assert loaded(falling_model(tmp_path / "score.onnx", sigmoid=False), output="probability").bounded


def test_a_score_that_is_taken_for_a_probability_is_an_error_and_not_a_verdict(tmp_path: Path) -> None:
    model = loaded(falling_model(tmp_path / "logit.onnx", sigmoid=False), output="probability")
    with pytest.raises(EndOfTurnError, match="logit"):
        model.probability(np.concatenate((noise(3), noise(0.4, 0.0001))))


def test_an_encoder_of_smart_turns_layout_runs_on_one_thread_or_two(tmp_path: Path) -> None:
    file = encoder_model(tmp_path / "encoder.onnx", width=32, layers=2, heads=2)
    one, two = loaded(file, threads=1), loaded(file, threads=2)
    assert one.bounded
    assert 0.0 < one.probability(noise(5)) < 1.0
    assert one.probability(noise(5)) == pytest.approx(two.probability(noise(5)), abs=1e-4)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "nowhere.onnx cannot be read" in refusal(tmp_path / "nowhere.onnx")
    assert "cannot be read" in refusal(tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "text.onnx"
    file.write_text("this is no model")
    assert "text.onnx is not a model that can be run" in refusal(file)


@pytest.mark.parametrize("shape", [(1, 80, 3000), (1, 128, 800), (1, 1, 80, 800)])
def test_a_model_for_other_features_is_refused_with_what_it_takes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    file = falling_model(tmp_path / "other.onnx", shape=shape)
    assert f"takes tensor(float) of {list(shape)}, not one float32 input of [1, 80, 800]" in refusal(file)


def test_a_model_for_other_numbers_is_refused(tmp_path: Path) -> None:
    file = falling_model(tmp_path / "half.onnx", kind=TensorProto.FLOAT16)
    assert "takes tensor(float16)" in refusal(file)


def test_a_model_that_wants_more_than_the_sound_is_refused(tmp_path: Path) -> None:
    assert "takes 2 inputs (input_features, bias)" in refusal(two_input_model(tmp_path / "two.onnx"))


def test_without_onnx_runtime_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = falling_model(tmp_path / "falling.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "`orchestrator-end-of-turn`" in refusal(file)


def test_the_graph_is_asked_and_not_the_name(tmp_path: Path) -> None:
    inside = falling_model(tmp_path / "inside.onnx").read_bytes()
    outside = falling_model(tmp_path / "outside.onnx", sigmoid=False).read_bytes()
    assert gives_probability(inside, "logits")
    assert not gives_probability(outside, "logits")
    assert not gives_probability(inside, "another")
    with pytest.raises(ValueError, match="ONNX"):
        gives_probability(b"\xff\xff\xff", "logits")
