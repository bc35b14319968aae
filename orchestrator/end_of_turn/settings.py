"""The settings of ``[orchestrator.end_of_turn]``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from servicekit.settings import SettingsModel


class EndOfTurnSettings(SettingsModel):
    """A model that hears whether the caller has finished. Without one, the transcript's cues decide alone."""

    # Path of an ONNX file of the smart-turn v3 kind; empty switches it off. Nothing is ever downloaded.
    model: str = ""
    # Whether the file's output is the probability itself, or still needs a sigmoid (a softmax, for two classes). "auto"
    # reads it from the file's own graph, because names lie: smart-turn's `logits` are probabilities.
    output: Literal["auto", "probability", "logit"] = "auto"
    # Threads of one judgement.
    threads: int = Field(default=1, ge=1, le=64)
    # Judgements at once.
    workers: int = Field(default=1, ge=1, le=64)
    # Calls that may wait for a worker. When one more asks, the one that has waited longest gets no opinion.
    max_waiting: int = Field(default=32, ge=1, le=10_000)
    # An opinion that could not be begun this soon is not formed: the transcript has decided meanwhile.
    begin_within_ms: float = Field(default=400, ge=10)
