"""What surrounds the gateway under test: a simulated Twilio, a scripted orchestrator, and raw clients that break rules.

Everything lives in one event loop that outlasts a test, so that a file of tests shares one gateway process, and each
test can end by showing that the process still serves.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from xml.etree import ElementTree

import httpx
import websockets.asyncio.client as ws
from websockets.exceptions import ConnectionClosed

from tests.fakes.gateway_orchestrator import HANG_GUARD_S, FakeConversation, FakeOrchestrator
from tests.fakes.gateway_process import ACCOUNT_SID, AUTH_TOKEN, GatewayProcess
from toolbox.phone import Call, SimulatedTwilio, sign, signed_request

OUR_NUMBER = "+15005550001"
CALLER = "+15005550006"
QUICK = (
    "gateway.stream.start_deadline_s=2",
    "gateway.stream.idle_s=3",
    "gateway.stream.stall_s=2",
    "gateway.stream.resume_wait_s=3",
    "gateway.stream.max_malformed=5",
    "gateway.web.header_deadline_s=2",
    "gateway.web.body_deadline_s=2",
    "gateway.orchestrator.patience_s=6",
    "gateway.playout.mark_timeout_ms=500",
    "gateway.transfer.targets.front_desk=+15005550009",
)
"""Deadlines short enough to be waited for."""

T = TypeVar("T")


def new_call_sid() -> str:
    """A call id as Twilio makes them."""
    return "CA" + uuid.uuid4().hex


@dataclass(frozen=True)
class Answer:
    """What a webhook's TwiML says."""

    document: str

    @property
    def verbs(self) -> list[str]:
        """Names of its verbs."""
        return [verb.tag for verb in ElementTree.fromstring(self.document)]

    @property
    def stream_url(self) -> str:
        """Where the stream goes."""
        return self._stream().attrib["url"]

    @property
    def token(self) -> str:
        """The stream's token."""
        parameter = self._stream().find("Parameter")
        assert parameter is not None
        return parameter.attrib["value"]

    @property
    def resume_url(self) -> str:
        """Where the call goes on when the stream has ended."""
        redirect = ElementTree.fromstring(self.document).find("Redirect")
        assert redirect is not None
        assert redirect.text is not None
        return redirect.text

    def _stream(self) -> ElementTree.Element:
        stream = ElementTree.fromstring(self.document).find("Connect/Stream")
        assert stream is not None, self.document
        return stream


class RawStream:
    """A media socket in the hands of somebody who keeps no rules."""

    def __init__(self, socket: ws.ClientConnection, call_sid: str) -> None:
        self.socket = socket
        self.call_sid = call_sid
        self.sid = "MZ" + uuid.uuid4().hex
        self.sequence = 0

    async def send(self, **message: Any) -> None:
        """Send a message as it is."""
        await self.socket.send(json.dumps(message))

    async def start(self, token: str, **changes: Any) -> None:
        """Send `connected` and `start`; `changes` replace fields of the start's body."""
        await self.send(event="connected", protocol="Call", version="1.0.0")
        body = {
            "accountSid": ACCOUNT_SID,
            "streamSid": self.sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"token": token},
        }
        await self.numbered(event="start", start=body | changes)

    async def media(self, payload: bytes = b"\x11" * 160, **changes: Any) -> None:
        """Send sound."""
        media = {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": base64.b64encode(payload).decode()}
        await self.numbered(event="media", media=media | changes)

    async def numbered(self, **message: Any) -> None:
        """Send a message with the next sequence number and our streamSid, unless it brings its own."""
        self.sequence += 1
        await self.send(**({"sequenceNumber": str(self.sequence), "streamSid": self.sid} | message))

    async def close_code(self) -> int | None:
        """Read until the server closes; its code."""
        async with asyncio.timeout(HANG_GUARD_S):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed:
                return self.socket.close_code


class GatewayWorld:
    """A gateway process with everybody it talks to. A context manager; `run` plays a scenario in its event loop."""

    def __init__(self, *overrides: str) -> None:
        self._overrides = overrides
        self._runner = asyncio.Runner()
        self.orchestrator = FakeOrchestrator()
        self.gateway: GatewayProcess
        self.phone: SimulatedTwilio
        self.http: httpx.AsyncClient

    def __enter__(self) -> Self:
        try:
            self._runner.run(self._open())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._close())
        self._runner.close()

    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        """Play a scenario to its end."""
        return self._runner.run(scenario)

    async def _open(self) -> None:
        await self.orchestrator.__aenter__()
        self.gateway = GatewayProcess(self.orchestrator.address, *QUICK, *self._overrides)
        self.gateway.__enter__()
        self.phone = await SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, rest_port=None).__aenter__()
        self.phone.add_number(OUR_NUMBER, self.url("/voice/webhook"), status_callback=self.url("/voice/status"))
        self.http = httpx.AsyncClient(trust_env=False, timeout=HANG_GUARD_S)

    async def _close(self) -> None:
        await self.http.aclose()
        await self.phone.__aexit__(None, None, None)
        self.gateway.__exit__(None, None, None)
        await self.orchestrator.stop()

    # ------------------------------------------------------------------------------------------------ requests

    def url(self, path: str) -> str:
        """An address of the gateway, as Twilio knows it."""
        return self.gateway.base + path

    def form(self, call_sid: str, **changes: str) -> dict[str, str]:
        """What Twilio posts about a call."""
        fields = {
            "AccountSid": ACCOUNT_SID,
            "CallSid": call_sid,
            "From": CALLER,
            "To": OUR_NUMBER,
            "CallStatus": "ringing",
            "Direction": "inbound",
            "ApiVersion": "2010-04-01",
        }
        return {name: value for name, value in (fields | changes).items() if value}

    async def post(
        self, url: str, fields: dict[str, str], *, signature: str | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Post a signed form; `signature` and `headers` replace the right ones."""
        request = signed_request(AUTH_TOKEN, url, fields, signature=signature)
        return await self.http.request(
            request.method, request.url, headers={**request.headers, **(headers or {})}, content=request.body
        )

    async def webhook(self, call_sid: str, **changes: str) -> Answer:
        """The telephone rings; what the gateway answers."""
        response = await self.post(self.url("/voice/webhook"), self.form(call_sid, **changes))
        assert response.status_code == 200, response.text
        return Answer(response.text)

    async def resume(self, url: str, call_sid: str) -> Answer:
        """A stream has ended; what the gateway answers."""
        response = await self.post(url, self.form(call_sid, CallStatus="in-progress"))
        assert response.status_code == 200, response.text
        return Answer(response.text)

    async def hang_up(self, call_sid: str) -> None:
        """The carrier says that the call is over."""
        await self.post(self.url("/voice/status"), self.form(call_sid, CallStatus="completed"))

    async def live_calls(self) -> int:
        """Calls that the gateway holds."""
        ready = await self.http.get(self.url("/readyz"))
        return int(ready.json()["calls"])

    async def no_calls(self) -> None:
        """Wait until everything of every call is freed."""
        async with asyncio.timeout(HANG_GUARD_S):
            while await self.live_calls():  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(0.05)

    # -------------------------------------------------------------------------------------------------- sockets

    async def socket(self, answer: Answer, call_sid: str, *, signature: str | None = None) -> RawStream:
        """Open a stream's socket and say nothing."""
        signature = sign(AUTH_TOKEN, answer.stream_url) if signature is None else signature
        connection = await ws.connect(
            answer.stream_url,
            additional_headers={"x-twilio-signature": signature} if signature else {},
            user_agent_header="Twilio.TmeWs/1.0",
            compression=None,
            open_timeout=HANG_GUARD_S,
            proxy=None,
        )
        return RawStream(connection, call_sid)

    async def stream(self, call_sid: str | None = None) -> tuple[RawStream, FakeConversation]:
        """A whole call by hand: webhook, socket, start, and the conversation it leads to."""
        call_sid = call_sid or new_call_sid()
        answer = await self.webhook(call_sid)
        nth = len(self.orchestrator.conversations) + 1
        stream = await self.socket(answer, call_sid)
        await stream.start(answer.token)
        return stream, await self.orchestrator.conversation(nth)

    # ---------------------------------------------------------------------------------------------------- calls

    def call(self) -> Call:
        """Somebody calls."""
        return self.phone.call(to=OUR_NUMBER, from_=CALLER)

    async def talking(self, call: Call, nth: int | None = None) -> FakeConversation:
        """The conversation that a call has led to."""
        nth = len(self.orchestrator.conversations) + 1 if nth is None else nth
        held = await self.orchestrator.conversation(nth)
        await call.connected()
        return held

    async def good_call(self) -> None:
        """A call on which everything works: both are heard, and the agent hangs up."""
        nth = len(self.orchestrator.conversations) + 1
        async with self.call() as call:
            held = await self.talking(call, nth)
            await held.hears(1_600)
            mark = held.say(1, 0.2)
            played = await held.playback_of(mark)
            assert played.status == played.STATUS_PLAYED
            held.control(after=1, hang_up={})
            await held.expect("end")
            assert await call.wait_ended() == "completed"
            assert [verb.name for verb in call.verbs] == ["Connect", "Redirect", "Hangup"]
            assert not call.notices


Scenario = Callable[[GatewayWorld], Awaitable[None]]


async def leave(world: GatewayWorld, stream: RawStream) -> None:
    """End a call made by hand."""
    await stream.socket.close()
    await world.hang_up(stream.call_sid)
    await world.no_calls()


def fault(scenario: Scenario) -> Callable[[GatewayWorld], None]:
    """A test of one fault: the scenario, then a call on which everything must work."""

    @functools.wraps(scenario)
    def test(world: GatewayWorld) -> None:
        async def play() -> None:
            try:
                await scenario(world)
            except BaseException:
                print(world.gateway.log[-12000:])  # noqa: T201 - shown by pytest for a test that failed
                raise
            world.orchestrator.room = world.orchestrator.readies = True
            await world.good_call()

        world.run(play())

    return test
