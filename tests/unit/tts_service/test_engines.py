"""Which engine is chosen, and what is said about it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from servicekit.startup import StartupError
from tts_service import engines
from tts_service.engines import choose_engine, kokoro_missing
from tts_service.settings import KokoroSettings, TtsSettings


@pytest.fixture
def warnings_said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []

    class Listener:
        def warning(self, event: str, **_: object) -> None:
            said.append(event)

    monkeypatch.setattr(engines, "_log", Listener())
    return said


def absent(folder: Path) -> KokoroSettings:
    return KokoroSettings(model=folder / "m.pth", config=folder / "c.json", voices=folder / "voices")


def test_auto_falls_back_to_the_embedded_voice_and_says_why_in_one_line(
    tmp_path: Path, warnings_said: list[str]
) -> None:
    engine = choose_engine(TtsSettings(kokoro=absent(tmp_path)))
    assert engine.info.name == "espeak"
    (line,) = warnings_said
    assert "m.pth" in line
    assert "tts.kokoro.model" in line
    assert "tts.engine" in line


def test_espeak_by_name_needs_no_explanation(tmp_path: Path, warnings_said: list[str]) -> None:
    assert choose_engine(TtsSettings(engine="espeak", kokoro=absent(tmp_path))).info.name == "espeak"
    assert warnings_said == []


def test_kokoro_by_name_without_its_files_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"tts\.kokoro\.model"):
        choose_engine(TtsSettings(engine="kokoro", kokoro=absent(tmp_path)))


def test_what_is_missing_is_said_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    assert "run `parley models pull kokoro`" in kokoro_missing(KokoroSettings())
    elsewhere = KokoroSettings(model=tmp_path / "kokoro" / "kokoro-v1_0.pth")
    assert f"run `parley models pull kokoro --dir {tmp_path}`" in kokoro_missing(elsewhere)


def test_each_missing_file_is_named(tmp_path: Path) -> None:
    settings = absent(tmp_path)
    assert "tts.kokoro.model" in kokoro_missing(settings)
    settings.model.touch()
    assert "tts.kokoro.config" in kokoro_missing(settings)
    settings.config.touch()
    assert "tts.kokoro.voices" in kokoro_missing(settings)
    settings.voices.mkdir()
    assert "tts.kokoro.voices" in kokoro_missing(settings)
    (settings.voices / "af_heart.pt").touch()
    assert kokoro_missing(settings) == ""


def test_kokoro_that_is_not_installed_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert "tts-kokoro" in kokoro_missing(absent(tmp_path))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (TtsSettings(engine="espeak", voice="nobody"), "tts.voice"),
        (TtsSettings(engine="espeak", language="zu"), "tts.language"),
    ],
)
def test_a_default_voice_or_language_that_is_not_there_stops_the_service(settings: TtsSettings, name: str) -> None:
    with pytest.raises(StartupError, match=name):
        choose_engine(settings)
