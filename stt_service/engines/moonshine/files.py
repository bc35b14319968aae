"""Where a Moonshine streaming model lies on disk, and what is missing when it does not. Imports nothing heavy."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from stt_service.settings import MoonshineSettings

_NEEDED = ("encoder.ort", "adapter.ort", "cross_kv.ort", "decoder_kv.ort", "streaming_config.json", "tokenizer.bin")
_FRONTENDS = (("frontend.model.ort", "frontend.weights.ort"), ("frontend.ort",))
_WITH_WORD_TIMES = "decoder_kv_with_attention.ort"
_KNOWN = ("tiny", "small", "medium")
_BYTES = 256


def find_model(settings: MoonshineSettings) -> Path | None:
    """The model's folder: `moonshine.model` as a path, or by name below `moonshine.model_dir`."""
    given = Path(settings.model).expanduser()
    return next((folder for folder in (given, settings.model_dir / settings.model) if folder.is_dir()), None)


def missing_files(folder: Path) -> list[str]:
    """Files that a streaming model must have and this folder has not."""
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if not any(all((folder / name).is_file() for name in pair) for pair in _FRONTENDS):
        missing.append(" and ".join(_FRONTENDS[0]))
    return missing


def has_word_times(folder: Path) -> bool:
    """Whether the decoder that tells where words lie is there too."""
    return (folder / _WITH_WORD_TIMES).is_file()


def how_to_fetch(settings: MoonshineSettings) -> str:
    """What to do to get the model that the settings name: the exact command where Parley knows the model."""
    known = Path(settings.model).name
    if known not in _KNOWN:
        return "put all files of a Moonshine streaming model there"
    here = settings.model_dir.parent
    return f"run `parley models pull moonshine-{known}" + ("`" if here == Path("models") else f" --dir {here}`")


def moonshine_missing(settings: MoonshineSettings) -> str:
    """Why Moonshine cannot be used, with the remedy; empty when it is installed and its model's folder is here."""
    if importlib.util.find_spec("moonshine_voice") is None:
        return "moonshine-voice is not installed (install Parley's extra `stt-moonshine`)"
    if find_model(settings) is None:
        return (
            f"there is no Moonshine model {settings.model!r}, neither as a folder nor in {settings.model_dir} "
            f"({how_to_fetch(settings)}, or set stt.moonshine.model)"
        )
    return ""


def spells_everything(tokenizer: Path) -> bool:
    """Whether every byte is a token of its own, so that any word can be spelled.

    Where it is not, the library fails at a hotword that it cannot spell and prints it on standard error.
    """
    content = tokenizer.read_bytes()
    single: set[int] = set()
    at = 0
    while at < len(content):
        length = content[at]
        at += 1
        if length >= 128 and at < len(content):
            length += content[at] * 128 - 128
            at += 1
        if length == 1 and at < len(content):
            single.add(content[at])
        at += length
    return len(single) == _BYTES
