"""The switchboard that calls run on: numbers, people, signed requests, and every task with an owner."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

import numpy as np
from numpy.typing import NDArray

from toolbox.phone.call import Call
from toolbox.phone.call_record import CallbackPlan, Direction, WebhookNote
from toolbox.phone.knobs import Knobs
from toolbox.phone.notices import Notice
from toolbox.phone.numbers import IncomingNumber, Subscriber
from toolbox.phone.recordings import Recording, RecordingShelf
from toolbox.phone.routes import Routes
from toolbox.phone.webhooks import SignedRequest, WebhookClient, WebhookError, WebhookReply, signed_request

SayVoice = Callable[[str, str, str], tuple[NDArray[np.float32], int]]
"""(text, language, voice) → mono float32 [n] and its rate: renders `<Say>`."""

API_VERSION = "2010-04-01"
_REAL_API = "https://api.twilio.com"


class BusyError(Exception):
    """The simulated Twilio holds as many live calls as its knobs allow."""


class Exchange:
    """State and services shared by the calls of one simulated Twilio."""

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        knobs: Knobs,
        clock: Callable[[], float],
        wall: Callable[[], datetime],
        say_voice: SayVoice | None,
        tls: ssl.SSLContext | None,
        routes: Routes,
    ) -> None:
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.knobs = knobs
        self.clock = clock
        self.wall = wall
        self.say_voice = say_voice
        self.tls = tls
        self.routes = routes
        self.api_base = _REAL_API
        self.numbers: dict[str, IncomingNumber] = {}
        self.subscribers: dict[str, Subscriber] = {}
        self.recordings = RecordingShelf()
        self.calls: OrderedDict[str, Call] = OrderedDict()
        self.callback_errors: list[Notice] = []
        self._client: WebhookClient | None = None
        self._calls_running: set[asyncio.Task[None]] = set()
        self._beside: set[asyncio.Task[None]] = set()

    # Life.

    def open(self) -> None:
        """Begin; needs a running event loop."""
        self._client = WebhookClient(self.knobs, self.routes, self.tls)

    async def close(self) -> None:
        """Hang up every call, deliver what callbacks are due, end every task."""
        for call in self.live_calls():
            call.hang_up()
        await _ended(self._calls_running, self.knobs.websocket_close_s + self.knobs.webhook_timeout_s)
        await _ended(self._beside, self.knobs.webhook_timeout_s)
        if self._client is not None:
            await self._client.close()
            self._client = None

    def run_call(self, life: Coroutine[Any, Any, None]) -> None:
        """Own the task of a call's life."""
        _own(life, self._calls_running)

    def run_beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Own a task that outlives no phone: a callback, the tidying after a call."""
        _own(work, self._beside)

    # Calls.

    def live_calls(self) -> list[Call]:
        """Calls that are not over."""
        return [call for call in self.calls.values() if not call.is_over]

    def new_call(
        self,
        *,
        from_: str,
        to: str,
        direction: Direction,
        callbacks: CallbackPlan,
        begin: Callable[[Call], None],
        extra: tuple[tuple[str, str], ...] = (),
        parent_sid: str = "",
    ) -> Call:
        """Make a call known.

        Raises:
            BusyError: Too many live calls.
        """
        if len(self.live_calls()) >= self.knobs.max_calls:
            raise BusyError(f"{self.knobs.max_calls} calls are live")
        call = Call(
            account_sid=self.account_sid,
            from_=from_,
            to=to,
            direction=direction,
            knobs=self.knobs,
            clock=self.clock,
            created=self.wall(),
            callbacks=callbacks,
            begin=begin,
            extra=extra,
            parent_sid=parent_sid,
        )
        self.calls[call.sid] = call
        self._forget()
        return call

    def _forget(self) -> None:
        """Old calls lose their audio first, then their record."""
        over = [call for call in self.calls.values() if call.is_over]
        for call in over[: max(0, len(over) - self.knobs.kept_call_audio)]:
            call.handset.release_audio()
        for call in over[: max(0, len(over) - self.knobs.kept_calls)]:
            del self.calls[call.sid]

    def parameters_of(self, call: Call) -> dict[str, str]:
        """The parameters every request about a call carries."""
        parameters = {
            "AccountSid": self.account_sid,
            "ApiVersion": API_VERSION,
            "CallSid": call.sid,
            "CallStatus": call.status,
            "Called": call.to,
            "Caller": call.from_,
            "Direction": call.direction,
            "From": call.from_,
            "To": call.to,
        }
        for party in ("Called", "Caller", "From", "To"):
            # Present and empty where the number tells nothing: empty values are part of the signature.
            parameters |= {f"{party}{place}": "" for place in ("City", "Country", "State", "Zip")}
        if call.parent_sid:
            parameters["ParentCallSid"] = call.parent_sid
        if call.answered_by is not None:
            parameters["AnsweredBy"] = call.answered_by
        return parameters | dict(call.extra)

    # Requests.

    async def send(self, call: Call, request: SignedRequest) -> WebhookReply:
        """Send a request of a call and note it there.

        Raises:
            WebhookError: It failed; noted too.
        """
        assert self._client is not None, "the simulated Twilio is not open"
        try:
            reply = await self._client.send(request)
        except WebhookError as error:
            call.webhooks.append(WebhookNote(request, error.reply, error.notice))
            raise
        call.webhooks.append(WebhookNote(request, reply, None))
        return reply

    async def callback(self, call: Call, url: str, method: str, parameters: Mapping[str, str]) -> None:
        """Send a callback whose answer does not matter; a failure is noted with the call."""
        try:
            await self.send(call, signed_request(self.auth_token, url, parameters, method=method))
        except WebhookError as error:
            call.notices.append(error.notice)

    # Recordings.

    def recording_url(self, recording: Recording) -> str:
        """The URL that requests carry: without an extension."""
        path = f"/{API_VERSION}/Accounts/{self.account_sid}/Recordings/{recording.sid}"
        return urljoin(self.api_base, path)

    def keep_recording(self, call: Call, channels: tuple[bytes, ...], source: str) -> Recording:
        """Put a recording on the shelf."""
        recording = Recording(
            call_sid=call.sid,
            channels=channels,
            source=source,
            started=self.wall(),
            misses_left=self.knobs.recording_misses,
        )
        call.recordings.append(recording)
        return self.recordings.add(recording)


def _own(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def _ended(tasks: set[asyncio.Task[None]], timeout_s: float) -> None:
    if tasks:
        _, late = await asyncio.wait(set(tasks), timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
