"""Playing a sample with whatever player this machine has."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

_PLAYERS: tuple[tuple[str, ...], ...] = (
    ("pw-play",),
    ("paplay",),
    ("afplay",),
    ("aplay", "-q"),
    ("play", "-q"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
)
"""PipeWire, PulseAudio, macOS, ALSA, SoX, FFmpeg: each plays the WAV file that follows."""


def find_player(which: Callable[[str], str | None] = shutil.which) -> Sequence[str] | None:
    """The command line of the first player that is installed; None where none is."""
    return next(((found, *rest) for name, *rest in _PLAYERS if (found := which(name))), None)


def play(player: Sequence[str], path: Path) -> str:
    """Play a WAV file to its end; what the player complained of, empty when it played."""
    done = subprocess.run([*player, str(path)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    words = done.stderr.strip().splitlines()
    return f"{Path(player[0]).name} failed{f': {words[-1]}' if words else ''}"


def wav_of(pcm: bytes, rate_hz: int) -> bytes:
    """16-bit mono samples as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, rate_hz, len(pcm) // 2, "NONE", ""))
        writer.writeframes(pcm)
    return file.getvalue()
