"""Which engine listens, and what is said when the one that was named is not here."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import structlog.testing

from servicekit.startup import StartupError
from stt_service import engines
from stt_service.engines import choose_engine
from stt_service.engines.whisper.files import find_model, whisper_missing
from stt_service.settings import SttSettings, WhisperSettings

ROOT = Path(__file__).resolve().parents[3]


def absent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a package look as if it were not installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None if wanted == name else real(wanted))


@pytest.mark.heavy
def test_auto_takes_the_embedded_model_where_there_is_no_other_and_says_so_once(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        engine = choose_engine(SttSettings(whisper=WhisperSettings(model_dir=tmp_path)))
    assert type(engine).__name__ == "WhisperEngine"
    (line,) = logs
    assert line["log_level"] == "warning"
    for needed in ("embedded", "several hundred words", str(tmp_path), "stt.whisper.model", "stt.engine"):
        assert needed in line["event"]


def test_auto_takes_pocketsphinx_where_faster_whisper_is_not_installed_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    absent("faster_whisper", monkeypatch)
    with structlog.testing.capture_logs() as logs:
        engine = choose_engine(SttSettings())
    assert type(engine).__name__ == "PocketsphinxEngine"
    (line,) = logs
    assert line["log_level"] == "warning"
    for needed in ("pocketsphinx", "stt-whisper", "stt.engine"):
        assert needed in line["event"]


@pytest.mark.heavy
def test_auto_takes_faster_whisper_where_its_model_is(tmp_path: Path) -> None:
    (tmp_path / "faster-whisper-base").mkdir()
    with structlog.testing.capture_logs() as logs:
        engine = choose_engine(SttSettings(whisper=WhisperSettings(model_dir=tmp_path, device="cpu")))
    assert type(engine).__name__ == "WhisperEngine"
    assert not logs


def test_the_engine_that_was_named_is_never_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StartupError, match=r"stt\.whisper\.model"):
        choose_engine(SttSettings(engine="faster-whisper", whisper=WhisperSettings(model_dir=tmp_path)))
    absent("pocketsphinx", monkeypatch)
    with pytest.raises(StartupError, match="extra `stt`"):
        choose_engine(SttSettings(engine="pocketsphinx"))


def test_a_missing_model_is_said_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    assert "run `parley models pull whisper-base`" in whisper_missing(WhisperSettings())
    elsewhere = WhisperSettings(model="large-v3-turbo", model_dir=tmp_path / "whisper")
    assert f"run `parley models pull whisper-large-v3-turbo --dir {tmp_path}`" in whisper_missing(elsewhere)
    assert "pull" not in whisper_missing(WhisperSettings(model="my-own", model_dir=tmp_path))


def test_a_model_is_found_as_a_folder_or_by_name(tmp_path: Path) -> None:
    for name in ("tiny", "faster-whisper-small"):
        (tmp_path / name).mkdir()
    by_name = {name: find_model(WhisperSettings(model=name, model_dir=tmp_path)) for name in ("tiny", "small", "large")}
    assert by_name == {"tiny": tmp_path / "tiny", "small": tmp_path / "faster-whisper-small", "large": None}
    assert find_model(WhisperSettings(model=str(tmp_path / "tiny"))) == tmp_path / "tiny"


def test_no_engine_is_imported_that_is_not_chosen() -> None:
    program = (
        "import sys; from stt_service import SttSettings; from stt_service.engines import choose_engine;"
        "early = {'pocketsphinx', 'faster_whisper', 'ctranslate2', 'moonshine_voice', 'httpx'} & set(sys.modules);"
        "choose_engine(SttSettings(engine='pocketsphinx'));"
        "others = {'faster_whisper', 'ctranslate2', 'torch', 'tokenizers', 'moonshine_voice', 'httpx'};"
        "late = others & set(sys.modules);"
        "sys.exit(f'{early} {late}' if early or late else 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert engines.choose_engine is choose_engine
