"""A Whisper model small enough for tests: the bench's random weights at the smallest size that runs."""

from __future__ import annotations

from pathlib import Path

from toolbox.bench.stt.random_whisper import SMALLEST, build_random_whisper


def build_whisper(folder: Path, *, seed: int = 0, hears_nobody: bool = False) -> Path:
    """Write a multilingual model of 2.3 MB into ``folder`` (made if need be) and return it.

    With ``hears_nobody`` it is sure that nobody speaks, whatever it is given, and invents a text all the same.
    """
    return build_random_whisper(folder, SMALLEST, seed=seed, hears_nobody=hears_nobody)
