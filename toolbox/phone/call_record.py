"""What is noted of a call: its status, its verbs, its exchanges with the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from toolbox.phone.notices import Notice
from toolbox.phone.webhooks import SignedRequest, WebhookReply

Direction = Literal["inbound", "outbound-api", "outbound-dial"]
Status = Literal[
    "queued", "initiated", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"
]

ENDED: frozenset[Status] = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})


@dataclass(slots=True)
class VerbNote:
    """One performed verb. Times are monotonic seconds."""

    name: str
    detail: str
    started_at: float
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class WebhookNote:
    """One exchange with the gateway."""

    request: SignedRequest
    reply: WebhookReply | None
    error: Notice | None


@dataclass(frozen=True, slots=True)
class CallbackPlan:
    """Where a call's status callbacks go."""

    url: str = ""
    method: str = "POST"
    events: tuple[str, ...] = ("completed",)
