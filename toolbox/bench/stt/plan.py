"""What `bench stt` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MODELS = ("tiny", "base", "small")
SHORT_MODELS = ("tiny",)
TOKENS = 14
"""Tokens of every text: what about four seconds of speech have."""
UTTERANCE_S = 4.0


class SttBenchError(Exception):
    """The bench cannot be run; the message says what to do."""


@dataclass(frozen=True)
class SttPlan:
    """How much is measured, and on what."""

    models: tuple[str, ...] = MODELS
    """Whose dimensions; the weights are random."""
    streams: int = 16
    """Utterances at the same time."""
    short: bool = False
    soak: int = 0
    """Utterances over which memory is watched."""
    settings: tuple[str, ...] = ()
    """``stt.key=value`` for the service, over everything that the bench sets."""

    @property
    def singles(self) -> int:
        """Utterances one at a time, for each distribution."""
        return 10 if self.short else 25

    @property
    def rounds(self) -> int:
        """Utterances of each stream when all press at once."""
        return 2 if self.short else 4

    def paced_rounds(self, streams: int) -> int:
        """Utterances of each of so many streams in real time: a few hear enough by themselves."""
        return 3 if streams == 1 and not self.short else 1

    @property
    def paced_streams(self) -> tuple[int, ...]:
        """How many streams at a time in real time, each its own measurement."""
        return (1, 8) if self.short else (1, 8, 16)

    @property
    def naive(self) -> int:
        """Utterances that the plain library transcribes."""
        return 4 if self.short else 8

    @property
    def cancelled(self) -> int:
        """Utterances that are cut off at any moment."""
        return 100 if self.short else 1000

    def differences(self) -> dict[str, Any]:
        """What differs from the default."""
        default = SttPlan()
        names = ("models", "streams", "short", "soak", "settings")
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(default, name)}
