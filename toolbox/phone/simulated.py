"""A telephone in a box: a simulated Twilio with an account, numbers, people, calls and a REST API."""

from __future__ import annotations

import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from toolbox.phone.call import Call
from toolbox.phone.call_record import CallbackPlan
from toolbox.phone.exchange import Exchange, SayVoice
from toolbox.phone.knobs import Knobs
from toolbox.phone.numbers import Answers, IncomingNumber, Subscriber
from toolbox.phone.rest import RestApi
from toolbox.phone.rest_faults import RestFaults
from toolbox.phone.routes import Routes
from toolbox.phone.server import LoopbackServer
from toolbox.phone.steps import Step
from toolbox.phone.telephony import live_inbound
from toolbox.phone.webhooks import SignedRequest, WebhookReply


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SimulatedTwilio:
    """Twilio as a gateway meets it. Use as an async context manager: leaving it hangs up every call.

    Args:
        account_sid: The account; also the REST API's user name.
        auth_token: Its secret; signs webhooks, and is the REST API's password.
        knobs: Behaviour that Twilio leaves open, and bounds.
        clock: Monotonic seconds; every time in the record of a call is this clock's.
        wall: The calendar, for dates in the REST API and callbacks only.
        say_voice: Renders `<Say>`; without it the text is noted and nothing is heard.
        tls: For `https://` webhooks and `wss://` streams; None verifies as usual.
        routes: Public origins served by local addresses: `{"https://voice.example": "http://127.0.0.1:8080"}`.
        rest_port: Of the REST API on loopback; 0 lets the system choose, None serves none.
    """

    def __init__(
        self,
        account_sid: str = "AC" + "0" * 32,
        auth_token: str = "simulated-auth-token",
        *,
        knobs: Knobs | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = _utc_now,
        say_voice: SayVoice | None = None,
        tls: ssl.SSLContext | None = None,
        routes: Mapping[str, str] | None = None,
        rest_port: int | None = 0,
    ) -> None:
        self._exchange = Exchange(
            account_sid,
            auth_token,
            knobs=knobs or Knobs(),
            clock=clock,
            wall=wall,
            say_voice=say_voice,
            tls=tls,
            routes=Routes(routes),
        )
        self.rest_faults = RestFaults()
        self._rest_port = rest_port
        self._api: RestApi | None = None
        self._server: LoopbackServer | None = None

    async def __aenter__(self) -> Self:
        self._exchange.open()
        if self._rest_port is not None:
            self._api = RestApi(self._exchange, self.rest_faults)
            self._server = LoopbackServer(self._api.app, self._rest_port)
            self._exchange.api_base = await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._exchange.close()
        finally:
            if self._api is not None and self._server is not None:
                self._api.closing.set()
                await self._server.stop()

    # The account.

    @property
    def account_sid(self) -> str:
        """The account."""
        return self._exchange.account_sid

    @property
    def auth_token(self) -> str:
        """Its secret."""
        return self._exchange.auth_token

    @property
    def api_base(self) -> str:
        """Base URL of the REST API: `client.api.base_url = phone.api_base`."""
        return self._exchange.api_base

    def add_number(
        self,
        number: str,
        voice_url: str,
        *,
        voice_method: str = "POST",
        voice_fallback_url: str = "",
        status_callback: str = "",
        status_callback_method: str = "POST",
        friendly_name: str = "",
    ) -> IncomingNumber:
        """Give the account a number; calls to it ask its voice URL."""
        now = self._exchange.wall()
        owned = IncomingNumber(
            number=number,
            voice_url=voice_url,
            voice_method=voice_method,
            voice_fallback_url=voice_fallback_url,
            status_callback=status_callback,
            status_callback_method=status_callback_method,
            friendly_name=friendly_name or number,
            created=now,
            updated=now,
        )
        self._exchange.numbers[number] = owned
        return owned

    def add_subscriber(
        self,
        number: str,
        answers: Answers = "human",
        *,
        rings_s: float = 0.0,
        on_answer: Callable[[Call], Awaitable[None]] | None = None,
        greeting: bytes = b"",
    ) -> Subscriber:
        """Let somebody exist who can be rung; `greeting` is what an answering machine says, μ-law 8 kHz."""
        person = Subscriber(number, answers, rings_s, on_answer, greeting)
        self._exchange.subscribers[number] = person
        return person

    # Calls.

    def call(
        self,
        *,
        to: str,
        from_: str,
        forwarded_from: str = "",
        caller_name: str = "",
        stir_verstat: str = "TN-Validation-Passed-A",
    ) -> Call:
        """Somebody calls a number of the account. The call begins when its `async with` is entered.

        Args:
            to: A number added before.
            from_: Any caller: a number, `anonymous`, `client:name`.
            forwarded_from: Number that forwarded the call.
            caller_name: Caller ID name.
            stir_verstat: Attestation of the caller's number; empty leaves it out.

        Raises:
            LookupError: The account does not have the number.
            BusyError: Too many live calls.
        """
        owned = self._exchange.numbers.get(to)
        if owned is None:
            raise LookupError(f"the account has no number {to}: add_number() it")
        extra = {"ForwardedFrom": forwarded_from, "CallerName": caller_name, "StirVerstat": stir_verstat}
        first = Step(owned.voice_url, owned.voice_method, fallback_url=owned.voice_fallback_url)
        return self._exchange.new_call(
            from_=from_,
            to=to,
            direction="inbound",
            callbacks=CallbackPlan(owned.status_callback, owned.status_callback_method),
            begin=lambda call: self._exchange.run_call(live_inbound(self._exchange, call, first)),
            extra=tuple((name, value) for name, value in extra.items() if value),
        )

    @property
    def calls(self) -> list[Call]:
        """Every call that is kept, oldest first."""
        return list(self._exchange.calls.values())

    def find_call(self, sid: str) -> Call:
        """A call by its identifier.

        Raises:
            KeyError: There is none.
        """
        return self._exchange.calls[sid]

    async def send_again(self, call: Call, request: SignedRequest) -> WebhookReply:
        """Send a request of a call once more, byte for byte: a replay.

        Raises:
            WebhookError: As for the first time.
        """
        return await self._exchange.send(call, request)
