"""Loading Kokoro's model and voices from files, and refusing what is not one, with the remedy.

Kokoro's own loader swallows mismatches: weights of another architecture are passed over in silence and the model keeps
its random start, so what was loaded is compared afterwards.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

from servicekit.startup import StartupError
from tts_service.settings import KokoroSettings

REPO_ID = "parley/local-files"
"""What Kokoro is told instead of a hub's repository; with all files given it never asks for one."""

_MODULES = ("bert", "bert_encoder", "predictor", "text_encoder", "decoder")
_LEAST_COVERAGE = 0.95
"""Share of a module's tensors that the file must hold; published files lack a few that are never used."""

_VOICE_ROWS, _VOICE_WIDTH = 510, 256


def how_to_fetch(settings: KokoroSettings) -> str:
    """The command that puts Kokoro's files where the settings look for them, if they lie as it lays them out."""
    models = settings.model.parent.parent
    return "run `parley models pull kokoro" + ("`" if models == Path("models") else f" --dir {models}`")


def import_kokoro() -> Any:
    """The `kokoro` package, told to stay off the network; takes seconds, since it imports torch."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import kokoro  # noqa: PLC0415 - heavy, only for whom it was chosen
    except Exception as error:
        raise StartupError(
            f"Kokoro is installed but does not import ({type(error).__name__}: {error}); "
            "reinstall Parley's extra `tts-kokoro`."
        ) from error
    return kokoro


def load_model(settings: KokoroSettings, device: str) -> Any:
    """The model in evaluation mode on a device; StartupError when the files are not a Kokoro model's."""
    kokoro = import_kokoro()
    config = _read_config(settings)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = kokoro.KModel(repo_id=REPO_ID, config=config, model=str(settings.model))
    except Exception as error:
        raise StartupError(
            f"tts.kokoro.model: {settings.model} is not a Kokoro model that fits {settings.config} "
            f"({type(error).__name__}). Both must be whole and of one release: {how_to_fetch(settings)}, which checks "
            "them."
        ) from error
    _compare(model, settings)
    try:
        return model.to(device).eval()
    except Exception as error:
        raise StartupError(
            f"tts.kokoro.device: the model does not go to {device!r} ({type(error).__name__}: {error})"
        ) from error


def load_voice(path: Path) -> Any:
    """A voice's tensor [510, 1, 256]; StartupError when the file holds none."""
    import torch  # noqa: PLC0415

    try:
        voice = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise StartupError(
            f"tts.kokoro.voices: {path} cannot be read as a voice ({type(error).__name__}): "
            "run `parley models pull kokoro` again, or remove it"
        ) from error
    shape = tuple(getattr(voice, "shape", ()))
    if len(shape) != 3 or shape[0] < _VOICE_ROWS or shape[1:] != (1, _VOICE_WIDTH):
        raise StartupError(
            f"tts.kokoro.voices: {path} holds {shape or type(voice).__name__}, "
            f"not a voice of ({_VOICE_ROWS}, 1, {_VOICE_WIDTH}); remove it"
        )
    return voice.float()


def _read_config(settings: KokoroSettings) -> dict[str, Any]:
    path = settings.config
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StartupError(
            f"tts.kokoro.config: {path} cannot be read as JSON ({error}); {how_to_fetch(settings)}, which checks it"
        ) from error
    if not isinstance(config, dict) or not isinstance(config.get("vocab"), dict):
        raise StartupError(f"tts.kokoro.config: {path} is not the configuration of a Kokoro model (it has no `vocab`)")
    return config


def _compare(model: Any, settings: KokoroSettings) -> None:
    """Raise StartupError unless the file really held the model's weights."""
    import torch  # noqa: PLC0415

    # Mapped, not read: only names and shapes are looked at.
    checkpoint = torch.load(settings.model, map_location="cpu", weights_only=True, mmap=True)
    for name in _MODULES:
        given = {key.removeprefix("module."): tensor.shape for key, tensor in checkpoint.get(name, {}).items()}
        wanted = getattr(model, name).state_dict()
        found = sum(1 for key, tensor in wanted.items() if given.get(key) == tensor.shape)
        if found < _LEAST_COVERAGE * len(wanted):
            raise StartupError(
                f"tts.kokoro.model: {settings.model} holds {found} of the {len(wanted)} tensors of Kokoro's `{name}`: "
                f"it belongs to another model or release than {settings.config}: {how_to_fetch(settings)}."
            )
