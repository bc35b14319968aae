"""What the callers of a load bench do, as it is handed to their process."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

# Without a pause inside, so that only their end is an end; of different lengths, so that calls drift apart.
QUESTIONS = (
    "what time is it",
    "what is seven plus five",
    "how are you",
    "tell me the time",
    "what is your name",
    "how much is twelve minus four",
)
INTERRUPTIONS = ("wait a moment", "stop please")


class LoadScenario(BaseModel):
    """One run of callers. Times in seconds unless named otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    webhook_url: str
    account_sid: str
    auth_token: str
    to: str
    calls: int = Field(ge=1)
    turns: int = Field(ge=1)
    """Questions in each call; interruptions come on top."""
    until_s: float = 0.0
    """Ask on until the call is so old, whatever `turns` says; 0 counts turns."""
    interrupt_every: int = Field(default=2, ge=0)
    """Every k-th reply is interrupted; 0 interrupts none."""
    interrupt_after_s: float = 1.0
    """How much of a reply is heard before it is interrupted."""
    ramp_s: float = 2.0
    """Time over which the calls begin."""
    seed: int = 1
    level_dbfs: float = -20.0
    """Level of the callers' voices."""
    patience_s: float = 15.0
    """A reply that is not heard in this time is given up."""


class CallRecord(BaseModel):
    """What one call measured. Times in milliseconds unless named otherwise."""

    model_config = ConfigDict(extra="forbid")

    response_latency_ms: list[float] = []
    barge_in_ms: list[float] = []
    turns: int = 0
    turns_unanswered: int = 0
    turns_cut_off: int = 0
    """Questions into which the agent spoke."""
    interruptions_missed: int = 0
    frames: int = 0
    frames_late: int = 0
    seconds: float = 0.0
    refused: bool = False
    failure: str = ""


class LoadRecord(BaseModel):
    """What all calls of a run measured."""

    model_config = ConfigDict(extra="forbid")

    calls: list[CallRecord] = []
    client_cpu_s: float = 0.0
    client_late_frames_pct: float = 0.0
    """Frames that the callers themselves sent more than 20 ms late: above a few percent, the machine was too small."""
