"""Loading a Piper voice with Piper's own classes, and refusing what is none, with the remedy."""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

import numpy as np

from servicekit.startup import StartupError
from tts_service.piper.files import VoiceFile
from tts_service.settings import PiperSettings

_INPUTS = frozenset({"input", "input_lengths", "scales"})


def load_voice(file: VoiceFile, settings: PiperSettings) -> tuple[Any, bool]:
    """A `piper.PiperVoice` that has spoken, and whether it tells how long each phoneme lasts. Raises StartupError.

    Piper's own `load` takes every core for every inference, so its parts are put together here.
    """
    import onnxruntime  # noqa: PLC0415 - only for whom it was chosen
    from piper.config import PiperConfig  # noqa: PLC0415
    from piper.voice import PiperVoice  # noqa: PLC0415

    # It would write what is said into the log, where that is set to tell everything.
    logging.getLogger("piper").setLevel(logging.WARNING)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A thread that spins while it waits takes the core of another call.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        config = PiperConfig.from_dict(file.config)
        model = _with_durations(str(file.model))
        session = onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
        voice = PiperVoice(session=session, config=config, download_dir=file.model.parent)
        ids = voice.phonemes_to_ids(voice.phonemize("a")[0])
        sound, durations = voice.phoneme_ids_to_audio(ids, include_alignments=True)
        whole = {one.name for one in session.get_inputs()} >= _INPUTS and np.isfinite(np.asarray(sound)).all()
    except Exception as error:
        raise StartupError(
            f"tts.piper.voices: {file.model} is not a Piper voice that fits {file.model.name}.json "
            f"({type(error).__name__}): fetch both again, or remove it"
        ) from error
    if not whole or np.asarray(sound).ndim != 1:
        raise StartupError(f"tts.piper.voices: {file.model} gives no sound; remove it")
    return voice, durations is not None and len(np.atleast_1d(durations)) == len(ids)


def _with_durations(path: str) -> str | bytes:
    """The model, with how long each phoneme lasts as another output, where the `onnx` package is here to add it."""
    if importlib.util.find_spec("onnx") is None:
        return path
    import onnx  # noqa: PLC0415
    from piper.patch_voice_with_alignment import add_alignment_output  # noqa: PLC0415

    model = onnx.load(path)
    try:
        add_alignment_output(model)
    except ValueError:  # it has it already, or there is nothing to add
        return path
    patched: bytes = model.SerializeToString()
    return patched
