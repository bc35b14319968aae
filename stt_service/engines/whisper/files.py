"""Where a Whisper model lies on disk, and what is missing when it does not. Imports nothing heavy."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from stt_service.settings import WhisperSettings

_NEEDED = ("model.bin", "config.json", "tokenizer.json")
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_KNOWN = ("tiny", "base", "small", "medium", "large-v3", "large-v3-turbo")
"""What `parley models pull whisper-…` fetches, by the last part of its name."""


def find_model(settings: WhisperSettings) -> Path | None:
    """The model's folder: `whisper.model` as a path, or by name below `whisper.model_dir`."""
    given = Path(settings.model).expanduser()
    for folder in (given, settings.model_dir / settings.model, settings.model_dir / f"faster-whisper-{settings.model}"):
        if folder.is_dir():
            return folder
    return None


def missing_files(folder: Path) -> list[str]:
    """Files that a CTranslate2 Whisper model must have and this folder has not."""
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        missing.append(" or ".join(_VOCABULARIES))
    return missing


def how_to_fetch(settings: WhisperSettings) -> str:
    """What to do to get the model that the settings name: the exact command where Parley knows the model."""
    known = Path(settings.model).name.removeprefix("faster-whisper-")
    if known not in _KNOWN:
        return "put a CTranslate2 conversion of Whisper there"
    here = settings.model_dir.parent
    folder = "" if here == Path("models") else f" --dir {here}"
    return f"run `parley models pull whisper-{known}{folder}`"


def whisper_missing(settings: WhisperSettings) -> str:
    """Why faster-whisper cannot be used, with the remedy; empty when it is installed and its model's folder is here."""
    if importlib.util.find_spec("faster_whisper") is None:
        return "faster-whisper is not installed (install Parley's extra `stt-whisper`)"
    if find_model(settings) is None:
        return (
            f"there is no Whisper model {settings.model!r}, neither as a folder nor in {settings.model_dir} "
            f"({how_to_fetch(settings)}, or set stt.whisper.model)"
        )
    return ""
