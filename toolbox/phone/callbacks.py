"""Status callbacks: what Twilio tells a URL about a call's progress, beside the call and never in its way."""

from __future__ import annotations

import asyncio
import email.utils
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from toolbox.phone.call import Call
from toolbox.phone.call_record import ENDED, Status
from toolbox.phone.knobs import Knobs

EVENT_OF_STATUS: dict[Status, str] = {
    "initiated": "initiated",
    "ringing": "ringing",
    "in-progress": "answered",
    **dict.fromkeys(ENDED, "completed"),
}
"""The event a subscriber of callbacks asks for, by the status that causes it."""

Post = Callable[[str, str, Mapping[str, str]], Awaitable[None]]


class StatusReporter:
    """Delivers one call's status callbacks in order, or in disorder where the knobs say so."""

    def __init__(
        self,
        call: Call,
        *,
        post: Post,
        parameters: Callable[[Call], dict[str, str]],
        wall: Callable[[], datetime],
        knobs: Knobs,
    ) -> None:
        self._call = call
        self._post = post
        self._parameters = parameters
        self._wall = wall
        self._knobs = knobs
        self._sequence = 0
        self._held: dict[str, str] | None = None
        self._queue: asyncio.Queue[dict[str, str] | None] = asyncio.Queue(maxsize=100)

    def report(self, status: Status) -> None:
        """The call has reached a status."""
        event = EVENT_OF_STATUS.get(status)
        plan = self._call.callbacks
        if plan.url and event in plan.events:
            self._enqueue(self._describe(status), last=status in ENDED)
        if status in ENDED:
            self._queue.put_nowait(None)

    async def deliver(self) -> None:
        """Deliver until the call's last status; ends by itself."""
        plan = self._call.callbacks
        while (parameters := await self._queue.get()) is not None:
            for _ in range(self._knobs.status_callback_copies):
                await self._post(plan.url, plan.method, parameters)

    def _describe(self, status: Status) -> dict[str, str]:
        parameters = {
            **self._parameters(self._call),
            "CallStatus": status,
            "Timestamp": email.utils.format_datetime(self._wall()),
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(self._sequence),
        }
        self._sequence += 1
        if status in ENDED:
            parameters["CallDuration"] = str(self._call.seconds)
            parameters["Duration"] = str(-(-self._call.seconds // 60))
            if self._call.recordings:
                recording = self._call.recordings[-1]
                parameters |= {"RecordingSid": recording.sid, "RecordingDuration": str(recording.seconds)}
        return parameters

    def _enqueue(self, parameters: dict[str, str], *, last: bool) -> None:
        if self._knobs.status_callback_shuffle and self._held is None and not last:
            self._held = parameters
            return
        self._queue.put_nowait(parameters)
        if self._held is not None:
            self._queue.put_nowait(self._held)
            self._held = None
