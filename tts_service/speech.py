"""The seam between engines and the wire: what an engine is asked, what it yields, and what it promises on stopping.

An engine knows nothing of gRPC, formats or segments' numbers: it gets a passage and yields mono float32 chunks with
the words they say. :mod:`tts_service.delivery` makes wire audio of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tts_service.voices import Voice, VoiceCatalogue


class EngineError(Exception):
    """The engine failed while speaking. The message is safe to show to a peer: it never holds the text."""


@dataclass(frozen=True)
class WordSpan:
    """A word and the sound that says it.

    `text_start` and `text_end` are code points of the passage's text (end exclusive), `start_sample` and `end_sample`
    samples from the passage's start at the engine's rate. Spans of one passage go up in both and do not overlap.
    """

    text_start: int
    text_end: int
    start_sample: int
    end_sample: int


@dataclass(frozen=True)
class SpeechChunk:
    """The next stretch of a passage: mono float32 in [-1, 1), shape [n], and the words that became complete with it.

    `stands_in` says that another voice than the passage's speaks, since that one failed.
    """

    samples: NDArray[np.float32]
    words: tuple[WordSpan, ...] = ()
    stands_in: bool = False


@dataclass(frozen=True)
class Passage:
    """One segment to be spoken: its text, the voice, the language (BCP 47) and the rate (1 is normal)."""

    text: str
    voice: Voice
    language: str
    speed: float


class Speech(Protocol):
    """One passage being spoken: an asynchronous iterator of chunks that can be stopped.

    Iterating raises :class:`EngineError` when the engine fails. Production is bounded: an engine does not run ahead of
    its reader by more than the settings' look-ahead and one indivisible step.
    """

    def __aiter__(self) -> AsyncIterator[SpeechChunk]:
        """The chunks, in order."""
        ...

    def stop(self) -> None:
        """Yield nothing more from now on, and have the engine end at its next opportunity. Idempotent."""
        ...

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done when nothing of the engine works for this passage any more; only then is its slot free."""
        ...


@dataclass(frozen=True)
class EngineInfo:
    """What an engine is and can do, as GetInfo tells it; `content` is a digest of its model's files, if any."""

    name: str
    version: str
    model: str
    sample_rate_hz: int
    capacity: int
    alignments: bool
    limitations: Sequence[str] = ()
    content: str = ""


class Engine(Protocol):
    """A way to speak."""

    @property
    def info(self) -> EngineInfo:
        """What it is; constant once it is open."""
        ...

    @property
    def voices(self) -> VoiceCatalogue:
        """The voices it has; constant once it is open."""
        ...

    async def open(self) -> None:
        """Learn what only others know, such as a server's voices; before anything else is asked of it.

        Raises StartupError, VoiceUnknownError or LanguageUnsupportedError.
        """
        ...

    def speak(self, passage: Passage) -> Speech:
        """Begin to speak; called on the event loop, returns at once."""
        ...

    async def warm_up(self) -> None:
        """Do what would make the first passage slower than the others."""
        ...

    async def close(self) -> None:
        """Let threads, models and connections go; no passage is under way any more."""
        ...
