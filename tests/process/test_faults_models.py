"""Row 70 of the catalogue of faults: model files that are missing, corrupt or of another architecture.

Each drives the real service process, which refuses to start and says what to do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models import kokoro
from tests.process.house import HANG_GUARD_S

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

ROOT = Path(__file__).resolve().parents[2]


def refusal(service: str, *settings: str) -> str:
    """What a service says when it refuses to start."""
    command = [sys.executable, "-m", f"{service}_service", "--set", f"{service}.listen=127.0.0.1:0"]
    for setting in settings:
        command += ["--set", f"{service}.{setting}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=2 * HANG_GUARD_S
    )
    said = result.stdout + result.stderr
    assert result.returncode == 1, said
    assert "cannot start" in said
    assert "Traceback" not in said
    return said


def test_row_70_a_missing_whisper_model_keeps_stt_from_starting(tmp_path: Path) -> None:
    said = refusal("stt", "engine=faster-whisper", f"whisper.model={tmp_path / 'nowhere'}")
    assert "stt.whisper.model" in said
    assert "set " in said


@pytest.mark.heavy
@pytest.mark.parametrize("engine", ["faster-whisper", "auto"])
@pytest.mark.parametrize("broken", ["incomplete", "corrupt", "of another architecture"])
def test_row_70_a_broken_whisper_model_keeps_stt_from_starting(tmp_path: Path, engine: str, broken: str) -> None:
    from tests.models.whisper import build_whisper

    folder = build_whisper(tmp_path / "model")
    weights = folder / "model.bin"
    if broken == "incomplete":
        (folder / "tokenizer.json").unlink()
    elif broken == "corrupt":
        weights.write_bytes(weights.read_bytes()[:100_000])
    else:
        # CTranslate2 writes the architecture's name at the head of the file.
        weights.write_bytes(weights.read_bytes().replace(b"WhisperSpec", b"WhispurSpec", 1))
    said = refusal("stt", f"engine={engine}", f"whisper.model={folder}", "whisper.device=cpu")
    assert "stt.whisper.model" in said
    assert str(folder) in said
    assert ("tokenizer.json" if broken == "incomplete" else "parley models verify") in said


@pytest.mark.heavy
def test_row_70_a_kokoro_model_of_another_architecture_keeps_tts_from_starting(tmp_path: Path) -> None:
    import torch

    model, config, voices = tmp_path / "kokoro.pth", tmp_path / "config.json", tmp_path / "voices"
    config.write_text(json.dumps(kokoro.CONFIG), encoding="utf-8")
    voices.mkdir()
    torch.save(torch.zeros(510, 1, 256), voices / "af_heart.pt")
    torch.save({"bert": {"module.embeddings.weight": torch.zeros(4, 4)}, "generator": {}}, model)
    files = (f"kokoro.model={model}", f"kokoro.config={config}", f"kokoro.voices={voices}", "kokoro.device=cpu")
    said = refusal("tts", "engine=auto", *files)
    assert "tts.kokoro.model" in said
    assert str(model) in said
    assert "parley models" in said
