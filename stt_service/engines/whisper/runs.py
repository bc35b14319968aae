"""What passes between an utterance and the engine that decodes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from stt_service.engines.interface import Transcript, Utterance
from stt_service.engines.whisper.decoding import Decoded, Passage
from stt_service.engines.whisper.scheduling import Job, Outcome, Urgency
from stt_service.engines.whisper.words import Piece

DecodeJob = Job[Passage, Decoded]


class Decoding(Protocol):
    """What an utterance needs of its engine."""

    @property
    def partial_samples(self) -> int:
        """Least audio between two partials."""
        ...

    @property
    def trim_samples(self) -> int:
        """Audio beyond which the beginning is settled and cut off."""
        ...

    @property
    def silence_dbfs(self) -> float:
        """What is quieter is silence."""
        ...

    def submit(self, urgency: Urgency, passage: Passage, done: Callable[[Outcome[Decoded]], None]) -> DecodeJob:
        """Queue a passage; ``done`` is called in a worker's thread."""
        ...

    def renew(self, job: DecodeJob, passage: Passage) -> bool:
        """Put a newer passage in a waiting job's place; False when it waits no longer."""
        ...

    def forget(self, utterance: Utterance) -> None:
        """Let go of an utterance that has ended."""
        ...


@dataclass(eq=False, slots=True)
class Run:
    """One decode, waiting or at work."""

    passage: Passage
    start: int
    """Samples from the utterance's start, as all positions."""
    end: int
    settled: tuple[Piece, ...]
    is_partial: bool
    answers: list[asyncio.Future[Transcript]] = field(default_factory=list)
    """Who waits for its outcome."""
    job: DecodeJob | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether it goes on to its end."""
        return self.job is None or not self.job.unwanted


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest outcome."""

    end: int
    transcript: Transcript
    doubtful: bool
    asked: bool
    """Whether it is a final's."""
