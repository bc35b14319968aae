"""The whole house for tests of faults: four real processes, a telephone line, and a model server that can be wicked.

Everything lives in one event loop that outlasts a test, so that a file of tests shares one set of processes, and each
test ends by showing that the next good call works.
"""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
import grpc.aio
import httpx
from grpc_health.v1 import health_pb2_grpc

from parley.conversation.v1 import conversation_pb2 as conv
from parley.conversation.v1 import conversation_pb2_grpc as conv_grpc
from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from tests.fakes.brain_servers import DONE, ROLE, Act, FakeBrainServer, FakeExchange, delta, streaming, whole
from tests.process.recordings import speak
from toolbox.demo.stage import CALLER, PARLEY, Stage, stage
from toolbox.otlp import Span, spans_of
from toolbox.phone import Call, Spoken

HANG_GUARD_S: Final = 30.0
"""A guard against hanging, never a measure."""
GREETING: Final = "Hello."
NOON: Final = "It is noon."
QUESTION: Final = "what time is it"
_POLL_S: Final = 0.03
_SERVICES: Final = ("orchestrator", "stt", "tts")

T = TypeVar("T")
Entry = dict[str, Any]
Beside = Callable[[], AbstractAsyncContextManager[Sequence[str]]]
"""Whoever else lives in a house's event loop, and the settings that lead to them."""


@asynccontextmanager
async def nobody() -> AsyncIterator[Sequence[str]]:
    """Nobody else is there."""
    yield ()


def saying(text: str) -> Act:
    """A model that answers with a text and is done."""
    return streaming(ROLE, delta(text), delta(finish="stop"), DONE)


async def until(what: str, condition: Callable[[], Awaitable[T | None]]) -> T:
    """Wait until another process's state is as wished; what that yields."""
    try:
        async with asyncio.timeout(HANG_GUARD_S):
            while not (found := await condition()):  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(_POLL_S)
            return found
    except TimeoutError:
        raise AssertionError(f"it never came to this: {what}") from None


async def all_gone(exchanges: Sequence[FakeExchange]) -> float:
    """Wait until the client has closed all of these requests; when that was noticed."""
    async with asyncio.timeout(HANG_GUARD_S):
        for exchange in exchanges:
            await exchange.gone.wait()
    return time.monotonic()


class Talk:
    """One call and what the gateway's call log says of it."""

    def __init__(self, house: House, call: Call, log: Path) -> None:
        self.house = house
        self.call = call
        self.call_id = log.stem
        self._log = log

    def entries(self, kind: str = "", **wanted: Any) -> list[Entry]:
        """The log's lines so far, of a kind and with certain values where given."""
        whole, _, _ = self._log.read_bytes().rpartition(b"\n")
        lines: list[Entry] = [json.loads(line) for line in whole.splitlines()]
        wanted |= {"kind": kind} if kind else {}
        return [line for line in lines if wanted.items() <= line.items()]

    async def logged(self, kind: str, *, count: int = 1, **wanted: Any) -> Entry:
        """Wait until the log holds so many lines of a kind; the last of them."""

        async def found() -> Entry | None:
            lines = self.entries(kind, **wanted)
            return lines[-1] if len(lines) >= count else None

        try:
            return await until(f"{count} × {kind} {wanted}", found)
        except AssertionError as error:
            raise AssertionError(f"{error}; the log has {self.entries()}") from None

    def said(self) -> str:
        """All that the agent said, in order."""
        # A text that comes to its end only later than its sound is ended by an empty one.
        return " ".join(line["text"] for line in self.entries("transcript", speaker="agent") if line["text"])

    async def silence(self, seconds: float = 0.3) -> None:
        """Wait until the agent has finished."""
        async with asyncio.timeout(HANG_GUARD_S):
            await self.call.hears_silence(seconds)

    async def greeted(self) -> None:
        """Hear the greeting out."""
        async with asyncio.timeout(HANG_GUARD_S):
            await self.call.hears(after=0.0)  # all of it may have arrived by now: it was prepared
        await self.silence()

    async def speak(self, text: str) -> Spoken:
        """Begin to say something."""
        return await speak(self.call, text)

    async def say(self, text: str) -> Spoken:
        """Say something to its end."""
        async with asyncio.timeout(HANG_GUARD_S):
            return await (await self.speak(text)).finished()

    async def ask(self, text: str = QUESTION) -> Entry:
        """Ask and hear the answer out; how the turn ended."""
        answered = len(self.entries("turn", state="ended", outcome="completed"))
        spoken = await self.say(text)
        async with asyncio.timeout(HANG_GUARD_S):
            await self.call.hears(after=spoken.speech_ended_at)
        return await self.logged("turn", count=answered + 1, state="ended", outcome="completed")

    async def insist(self, text: str = QUESTION) -> None:
        """Ask, and ask again after each apology, until it is answered."""
        for _ in range(5):
            ends = len(self.entries("turn", state="ended"))
            await self.say(text)

            async def settled(known: int = ends) -> str:
                outcomes = [line["outcome"] for line in self.entries("turn", state="ended")[known:]]
                return next((outcome for outcome in outcomes if outcome in {"completed", "error"}), "")

            if await until("an answer or an apology", settled) == "completed":
                return
            await self.silence()
        raise AssertionError(f"nothing was answered; the log has {self.entries()}")

    async def hang_up(self) -> float:
        """Put the receiver down; when that was."""
        at = time.monotonic()
        self.call.hang_up()
        async with asyncio.timeout(HANG_GUARD_S):
            await self.call.wait_ended()
        return at


class House:
    """Four real processes and everybody around them. A context manager; `run` plays a scenario in its event loop.

    Attributes:
        act: What the model does with the next requests.
        asked: What the model was asked, oldest first.
        lines: What the services logged: (service, line).
    """

    def __init__(self, folder: Path, *settings: str, beside: Beside = nobody) -> None:
        self._folder = folder
        self._settings = settings
        self._beside = beside
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._channels: dict[str, grpc.aio.Channel] = {}
        self.act: Act = saying(NOON)
        self.brain = FakeBrainServer(self._play_act)
        self.lines: list[tuple[str, str]] = []
        self.stage: Stage
        self.http: httpx.AsyncClient

    # --------------------------------------------------------------------------------------------------------- life

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
        try:
            self._runner.run(self._stack.aclose())
        finally:
            self._runner.close()

    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        """Play a scenario to its end."""
        return self._runner.run(scenario)

    async def _open(self) -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.brain)
            more = await stack.enter_async_context(self._beside())
            self.stage = await stack.enter_async_context(
                stage(
                    self._folder,
                    greeting=GREETING,
                    settings=(f"orchestrator.brain.base_url={self.brain.base_url}", *self._settings, *more),
                    on_line=lambda service, line: self.lines.append((service, line)),
                )
            )
            self.http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=HANG_GUARD_S))
            for name in _SERVICES:
                self._channels[name] = await stack.enter_async_context(self.open_channel(name))
            self._stack = stack.pop_all()

    async def _play_act(self, exchange: FakeExchange) -> None:
        # While the telephone rings, the connection is opened by a look at the list of models.
        await (self.act if _is_question(exchange) else whole({"object": "list", "data": []}))(exchange)

    @property
    def asked(self) -> list[FakeExchange]:
        """What the model was asked, oldest first."""
        return [exchange for exchange in self.brain.requests if _is_question(exchange)]

    # -------------------------------------------------------------------------------------------------------- calls

    @asynccontextmanager
    async def talk(self) -> AsyncIterator[Talk]:
        """Somebody calls, and is through; hung up at the end."""
        logs = self.stage.call_logs
        before = set(logs.glob("*.jsonl"))
        async with self.stage.phone.call(to=PARLEY, from_=CALLER) as call:

            async def new_log() -> Path | None:
                return next(iter(set(logs.glob("*.jsonl")) - before), None)

            yield Talk(self, call, await until("a call log", new_log))

    async def good_call(self) -> None:
        """A call on which everything works: the greeting, a question understood, an answer heard to its end."""
        self.act = saying(NOON)
        async with self.talk() as talk:
            await talk.greeted()
            turn = await talk.ask()
            assert turn["heard_length"] == turn["said_length"] > 0
            assert [line["text"] for line in talk.entries("transcript", speaker="caller", final=True)] == [QUESTION]
            assert talk.said().endswith(NOON)
            assert not talk.entries("notice")
            await talk.hang_up()
        await self.at_rest()

    # -------------------------------------------------------------------------------------------------- the services

    def open_channel(self, name: str, *options: tuple[str, Any]) -> grpc.aio.Channel:
        """A channel of one's own to a service, as anybody could open one: no health checks, large messages."""
        limit = 16 * 1024 * 1024
        return grpc.aio.insecure_channel(
            self.stage.group.address(name),
            options=[
                ("grpc.enable_http_proxy", 0),
                ("grpc.max_send_message_length", limit),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 500),
                ("grpc.use_local_subchannel_pool", 1),
                *options,
            ],
        )

    def channel(self, name: str) -> grpc.aio.Channel:
        """The house's own channel to a service."""
        return self._channels[name]

    @property
    def conversation(self) -> conv_grpc.ConversationAsyncStub:
        """The orchestrator."""
        return conv_grpc.ConversationStub(self._channels["orchestrator"])

    @property
    def stt(self) -> stt_pb2_grpc.SpeechToTextAsyncStub:
        """Speech to text."""
        return stt_pb2_grpc.SpeechToTextStub(self._channels["stt"])

    @property
    def tts(self) -> tts_pb2_grpc.TextToSpeechAsyncStub:
        """Text to speech."""
        return tts_pb2_grpc.TextToSpeechStub(self._channels["tts"])

    def health(self, name: str) -> Any:
        """A stub of a service's `grpc.health.v1.Health`."""
        return health_pb2_grpc.HealthStub(self._channels[name])

    async def in_use(self) -> dict[str, int]:
        """What is taken now: calls of gateway and orchestrator, slots of the others."""
        ready = await self.http.get(self.stage.gateway_url + "/readyz")
        held = await self.conversation.GetInfo(conv.GetInfoRequest(), wait_for_ready=True, timeout=HANG_GUARD_S)
        heard = await self.stt.GetInfo(stt_pb2.GetInfoRequest(), wait_for_ready=True, timeout=HANG_GUARD_S)
        spoken = await self.tts.GetInfo(tts_pb2.GetInfoRequest(), wait_for_ready=True, timeout=HANG_GUARD_S)
        return {
            "gateway": int(ready.json()["calls"]),
            "orchestrator": held.live_calls,
            "stt": heard.in_use,
            "tts": spoken.in_use,
        }

    async def taken(self, **wanted: int) -> None:
        """Wait until so many calls and slots are taken."""

        async def as_wanted() -> bool:
            return wanted.items() <= (await self.in_use()).items()

        await until(f"in use: {wanted}", as_wanted)

    async def at_rest(self) -> None:
        """Wait until nothing of any call is left in any process."""
        await self.taken(gateway=0, orchestrator=0, stt=0, tts=0)

    async def restarted(self, name: str, pid: int) -> None:
        """Wait until a process has ended and its successor is ready."""
        group = self.stage.group

        async def another() -> bool:
            return group.pid(name) != pid

        await until(f"{name} is started again", another)
        await group.wait_ready(name, HANG_GUARD_S)

    async def spans(self, talk: Talk, condition: Callable[[list[Span]], bool]) -> list[Span]:
        """Wait until the collector has the spans of a call that one looks for; all of the call's."""

        async def found() -> list[Span] | None:
            spans = [
                span
                for span in spans_of(self.stage.collector.spans)
                if span.attributes.get("voice.call.id") == talk.call_id
            ]
            return spans if condition(spans) else None

        return await until("the spans", found)

    def complaints(self, since: int = 0) -> list[str]:
        """Lines of level error that the services have logged."""
        return [f"{name}: {line}" for name, line in self.lines[since:] if _is_error(line)]


def _is_question(exchange: FakeExchange) -> bool:
    return exchange.path.endswith("/chat/completions")


def _is_error(line: str) -> bool:
    try:
        return json.loads(line).get("level") in {"error", "critical"}
    except (ValueError, AttributeError):
        return "Traceback" in line


def ended(spans: Sequence[Span], service: str, method: str) -> list[str]:
    """How the RPCs of a method ended, as a service saw it, oldest first."""
    found = sorted((span for span in spans if span.service == service), key=lambda span: span.start_ns)
    return [str(span.attributes.get("rpc.response.status_code")) for span in found if span.name.endswith(f"/{method}")]


Scenario = Callable[..., Coroutine[Any, Any, None]]


def fault(scenario: Scenario) -> Callable[..., None]:
    """A test of one fault: the scenario, then nothing left in any process, and a call on which everything works."""

    @functools.wraps(scenario)
    def test(*, house: House, **fixtures: Any) -> None:
        said = len(house.lines)

        async def play() -> None:
            try:
                await scenario(house=house, **fixtures)
                await house.at_rest()
                await house.good_call()
            except BaseException:
                for name, line in house.lines[said:][-200:]:
                    print(name, line)  # noqa: T201 - shown by pytest for a test that failed
                raise

        house.run(play())
        assert not house.complaints(said)

    return test
