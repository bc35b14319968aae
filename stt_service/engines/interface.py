"""What an engine is to the service: something that hears utterances, several at once, and writes down what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class EngineError(Exception):
    """The engine failed at an utterance; the message names no speech and may be shown to the client."""


class LanguageUnsupportedError(Exception):
    """The engine understands none of the languages asked for; the message says which ones it does."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine truthfully is; known once it is open."""

    name: str
    version: str
    model: str
    """As a person would recognise it."""
    sample_rate_hz: int
    """The rate at which it wants to be fed."""
    languages: tuple[str, ...]
    """BCP 47; empty means any."""
    capacity: int
    """Utterances that it can serve at once."""
    partials: bool
    word_times: bool
    language_detection: bool
    punctuation: bool
    limitations: tuple[str, ...]
    """What it cannot do, in plain sentences."""


@dataclass(frozen=True, slots=True)
class Request:
    """How one utterance is to be understood."""

    languages: tuple[str, ...] = ()
    """BCP 47, likeliest first; empty means any."""
    detect_language: bool = False
    prompt: str = ""
    hotwords: tuple[str, ...] = ()
    word_times: bool = False
    partials: bool = False
    patient: bool = False
    """Whether quality goes before latency: a recording, not a live call."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word and where it lies, in seconds from the utterance's start."""

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Partial:
    """What is understood so far."""

    stable: str
    """Will not change any more."""
    unstable: str
    """May still change; its own leading space included."""
    audio_end_s: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """The best text of all audio up to a point."""

    text: str
    """Empty when nothing was said."""
    language: str
    confidence: float
    """0 to 1; 0 when the engine has none."""
    audio_end_s: float
    words: tuple[Word, ...] = ()
    language_confidence: float = 0.0
    inference_s: float = 0.0
    """Time the engine spent on this text since the one before it."""
    queue_s: float = 0.0
    """Time that the work waited for the engine."""


OnPartial = Callable[[Partial], None]
"""Called on the event loop for each new partial; it must not block."""


class Utterance(Protocol):
    """One utterance within an engine. All methods are called on the event loop and none of them blocks."""

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done once the engine has let go of the utterance, after `cancel`: only then is its place free."""
        ...

    def feed(self, samples: NDArray[np.float32]) -> None:
        """Take the next mono samples ``[n]`` at the engine's rate."""
        ...

    def transcribe(self) -> asyncio.Future[Transcript]:
        """Ask for the text of all audio fed before this call; more audio may follow.

        The future fails with EngineError. Cancelling it gives the answer up, not the utterance.
        """
        ...

    def cancel(self) -> None:
        """End the utterance: nothing new is begun, what runs stops at its next step. Again does nothing."""
        ...


class Engine(Protocol):
    """A loaded recogniser."""

    @property
    def info(self) -> EngineInfo:
        """What it is; valid once open."""
        ...

    async def open(self) -> None:
        """Load everything and prove that it works. Raises StartupError with the remedy in its message."""
        ...

    async def close(self) -> None:
        """Stop every thread of it; utterances still running are cancelled."""
        ...

    def begin(self, request: Request, on_partial: OnPartial) -> Utterance:
        """Begin an utterance. Raises LanguageUnsupportedError.

        The caller begins no more utterances at once than `EngineInfo.capacity`, an ended one counting until its
        `Utterance.ended` is done.
        """
        ...
