"""What happened in one case, as it was seen at the caller's end of the line: the same from both ways of running.

Times are ms on one clock of the call; a stretch is (from, to).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from toolbox.bench.turn_taking.corpus import CaseKind


class EngineTimings(BaseModel):
    """The engine's own figures for the turn that answered, ms after the end of speech as the engine saw it."""

    model_config = ConfigDict(extra="forbid")

    eos_error_ms: float | None = None
    """Its end of speech minus the true one; None where the two clocks cannot be compared."""
    stt_final: float | None = None
    commit: float | None = None
    llm_first_content: float | None = None
    first_clause: float | None = None
    tts_first_audio: float | None = None
    first_frame_sent: float | None = None


class Resumption(BaseModel):
    """A place where the agent went on with a reply after a `clear`."""

    model_config = ConfigDict(extra="forbid")

    repeated_ms: float
    """Sound that was heard before and after; negative: that was never heard."""
    words_lost: int
    """Words of which more than half was never heard."""
    words_repeated: int
    """Words that had been heard to their end and were said again."""


class Observation(BaseModel):
    """One case."""

    model_config = ConfigDict(extra="forbid")

    case_id: str
    kind: CaseKind
    detail: str
    began_ms: float = 0.0
    """First sample of the caller's sound; of an echo, of the reply that echoes."""
    ended_ms: float = 0.0
    """True end of the caller's sound."""
    answered_ms: float | None = None
    """First frame of the reply at or after the end; None when none came."""
    cut_off_ms: float | None = None
    """First frame of a reply while the caller had not finished; None when there was none."""
    cut_stopped_ms: float | None = None
    """After a cut-off: from the caller's going on to the agent's silence."""
    joined: bool | None = None
    """After a cut-off: whether the answer was to all that was said; None when there was none."""
    understood: bool | None = None
    """Whether what was answered is word for word what was said; None when that is not known."""
    early_commits: int = 0
    """Turns the engine took before the caller's end, heard or not."""
    barge_in_ms: float | None = None
    """Caller's onset to `clear`; None when none came."""
    cancelled: bool = False
    """Whether what the agent was saying was given up."""
    hiccups_ms: list[float] = []
    """Silences of the agent after which it resumed."""
    resumptions: list[Resumption] = []
    """Where it resumed; in real time only."""
    stale_ms: float = 0.0
    """Sound of a silenced playout that arrived after its `clear`."""
    stuck: bool = False
    """Whether the call did not come to rest within its time."""
    engine: EngineTimings | None = None

    @property
    def response_latency_ms(self) -> float | None:
        """True end of speech to the first frame of the reply, where the caller was not cut off."""
        if self.answered_ms is None or self.cut_off_ms is not None:
            return None
        return self.answered_ms - self.ended_ms


class SpeculationCount(BaseModel):
    """Replies begun before the turn was committed."""

    model_config = ConfigDict(extra="forbid")

    turns: int = 0
    """Turns with at least one."""
    hits: int = 0
    requests: int = 0
    """Requests to the brain in all."""
    wasted: int = 0
    """Of these, early ones that were thrown away."""

    def add(self, other: SpeculationCount) -> None:
        """Count another call's."""
        self.turns += other.turns
        self.hits += other.hits
        self.requests += other.requests
        self.wasted += other.wasted


class CallObservations(BaseModel):
    """What was seen of one call."""

    model_config = ConfigDict(extra="forbid")

    cases: list[Observation] = []
    speculation: SpeculationCount = SpeculationCount()
    left: int = 0
    """Cases that were not played because the call was stuck before."""
    failure: str = ""
    call_log: str = ""
    """Name of the gateway's log of it, which holds its id; empty in virtual time."""
