"""Rows 53, 54, 60, 68, 69, 70 and 75 of the catalogue of faults, through all four real processes and the telephone.

Each ends with a call that must work.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2

from parley.conversation.v1 import conversation_pb2 as conv
from parley.stt.v1 import stt_pb2
from parley.tts.v1 import tts_pb2
from servicekit.audio import MULAW_8K
from servicekit.errors import Reason, reason_in, reason_of
from tests.fakes.brain_servers import (
    DONE,
    ROLE,
    Act,
    FakeExchange,
    delta,
    hanging_up,
    silent,
    status,
    streaming,
    streaming_then_silent,
)
from tests.fakes.servicekit_collector import collecting
from tests.models import kokoro
from tests.process.house import HANG_GUARD_S, NOON, QUESTION, House, Talk, ended, fault, saying

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

ROOT = Path(__file__).resolve().parents[2]
Record = Callable[[str, object], None]
STORY = "Once upon a time there was a lighthouse at the end of the world. "


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    quick = ("orchestrator.watchdogs.first_content_ms=1500", "orchestrator.prompts.apology=Sorry.")
    with House(tmp_path_factory.mktemp("house"), *quick, "orchestrator.drain.timeout_s=3") as running:
        yield running


def streaming_then_waiting(go_on: asyncio.Event, before: bytes, after: bytes) -> Act:
    """A model that says one thing, and another when it may."""

    async def act(exchange: FakeExchange) -> None:
        await exchange.head()
        await exchange.part(ROLE)
        await exchange.part(before)
        await go_on.wait()
        for event in (after, delta(finish="stop"), DONE):
            await exchange.part(event)
        await exchange.end()

    return act


# ------------------------------------------------------------------------------- 53, 54: the model fails or is mute


async def apologised(talk: Talk, before: int) -> None:
    """Hear an apology out, one more than there were."""
    await talk.logged("playout", count=before + 1, what="apology")
    await talk.logged("turn", count=before + 1, state="ended", outcome="error")
    await talk.silence()


@fault
async def test_row_53_a_failing_model_costs_an_apology_and_the_call_goes_on(house: House) -> None:
    async with house.talk() as talk:
        await talk.greeted()
        for number, act in enumerate((hanging_up, status(401), status(500))):
            house.act = act
            spoken = await talk.say(QUESTION)
            await apologised(talk, number)
            assert talk.call.heard.first_received_above(after=spoken.speech_ended_at) is not None
        causes = ("closed the connection", "HTTP 401", "HTTP 500")
        notices = [line["message"] for line in talk.entries("notice", code="BRAIN_FAILED")]
        assert all(any(cause in notice for notice in notices) for cause in causes), notices
        house.act = saying(NOON)
        await talk.ask()
        # What the endpoint said of its trouble is told to nobody.
        assert "secret words" not in repr(talk.entries())
        await talk.hang_up()
    assert not any("secret words" in line for _, line in house.lines)


@fault
async def test_row_54_a_model_that_accepts_and_stays_mute_costs_an_apology(house: House) -> None:
    house.act = streaming_then_silent(ROLE)  # HTTP 200 and a role at once: a first byte, but no content
    asked = len(house.asked)
    async with house.talk() as talk:
        await talk.greeted()
        await talk.say(QUESTION)
        await apologised(talk, 0)
        await closed(house.asked[asked:])
        house.act = saying(NOON)
        await talk.ask()
        await talk.hang_up()


# --------------------------------------------------------------------------------- 75: reasoning is never spoken

SECRETS = ("elephant", "giraffe", "think")


@fault
async def test_row_75_reasoning_before_the_answer_is_never_spoken(house: House) -> None:
    house.act = streaming(
        ROLE,
        delta(reasoning_content="The caller wants the time. An elephant never forgets. "),
        delta(reasoning="Elephant again. "),
        delta("<thi"),
        delta("nk>A giraffe looks at the clock. "),
        delta("It says noon.</th"),
        delta("ink>"),
        delta(NOON),
        delta(finish="stop"),
        DONE,
    )
    async with house.talk() as talk:
        await talk.greeted()
        turn = await talk.ask()
        assert turn["said_length"] == len(NOON)
        agent = [line["text"] for line in talk.entries("transcript", speaker="agent") if line["turn_id"]]
        assert " ".join(agent).strip() == NOON
        # Nor is it kept: the next question is asked without it.
        asked = len(house.asked)
        await talk.ask()
        await talk.hang_up()
    told = repr(house.asked[asked].body["messages"]).lower()
    assert NOON.lower() in told
    assert not [secret for secret in SECRETS if secret in told or secret in repr(talk.entries()).lower()]
    # What was synthesised is as long as what was to be said, twice, and no character longer.
    spans = await house.spans(talk, lambda spans: len(ended(spans, "parley-tts", "Synthesize")) >= 2)
    segments = [span.attributes["voice.segment.characters"] for span in spans if span.name == "tts.segment"]
    assert segments
    assert set(segments) == {len(NOON)}


@fault
async def test_row_75_reasoning_is_not_the_first_content(house: House) -> None:
    async def thinks_without_end(exchange: FakeExchange) -> None:
        await exchange.head()
        await exchange.part(ROLE)
        for number in range(10_000):
            if exchange.writer.is_closing():
                break
            thought = delta("<think>elephant ") if number == 0 else delta(reasoning_content="giraffe ")
            await exchange.part(thought)
            await asyncio.sleep(0.05)

    house.act = thinks_without_end
    async with house.talk() as talk:
        await talk.greeted()
        await talk.say(QUESTION)
        # Had any of it counted, the watchdog on the first content would have been satisfied.
        await apologised(talk, 0)
        (turn,) = talk.entries("turn", state="ended", outcome="error")
        assert turn["timings_ms"]["llm_request"] is not None
        assert turn["timings_ms"]["llm_first_content"] is None
        house.act = saying(NOON)
        await talk.ask()
        await talk.hang_up()
    assert not [secret for secret in SECRETS if secret in repr(talk.entries()).lower()]


# ----------------------------------------------------------------------------------- 60: the caller hangs up


async def closed(exchanges: list[FakeExchange]) -> float:
    """Wait until the client has closed all of these requests; when that was noticed."""
    async with asyncio.timeout(HANG_GUARD_S):
        for exchange in exchanges:
            await exchange.gone.wait()
    return time.monotonic()


async def cancelled(house: House, talk: Talk, service: str, method: str) -> list[str]:
    """How a service saw the RPCs of a call end, when one of them was cancelled."""
    spans = await house.spans(talk, lambda spans: "CANCELLED" in ended(spans, service, method))
    return ended(spans, service, method)


@fault
async def test_row_60_hanging_up_during_the_greeting_frees_everything(house: House) -> None:
    asked = len(house.asked)
    async with house.talk() as talk:
        async with asyncio.timeout(HANG_GUARD_S):
            await talk.call.hears(after=0.0)
        await talk.hang_up()
        await house.at_rest()
    assert len(house.asked) == asked
    await talk.logged("end", reason="caller_hung_up")


@fault
async def test_row_60_hanging_up_in_mid_sentence_cancels_recognition(
    house: House, record_testsuite_property: Record
) -> None:
    asked = len(house.asked)
    async with house.talk() as talk:
        await talk.greeted()
        await talk.speak("what is seven plus five and what is twelve minus four")
        await talk.logged("turn", state="listening")
        await house.taken(stt=1)
        at = await talk.hang_up()
        await house.at_rest()
        record_testsuite_property("listening_all_free_ms", round((time.monotonic() - at) * 1000))
    assert await cancelled(house, talk, "parley-stt", "Recognize") == ["CANCELLED"]
    assert len(house.asked) == asked
    await talk.logged("end", reason="caller_hung_up")


@fault
async def test_row_60_hanging_up_while_the_model_thinks_closes_its_request(
    house: House, record_testsuite_property: Record
) -> None:
    house.act = silent
    asked = len(house.asked)
    async with house.talk() as talk:
        await talk.greeted()
        await talk.say("what time is it")
        await talk.logged("turn", state="committed")
        at = await talk.hang_up()
        record_testsuite_property("thinking_model_closed_ms", round((await closed(house.asked[asked:]) - at) * 1000))
        await house.at_rest()
        record_testsuite_property("thinking_all_free_ms", round((time.monotonic() - at) * 1000))
    assert len(house.asked) > asked
    spans = await house.spans(talk, lambda spans: bool(ended(spans, "parley-stt", "Recognize")))
    assert set(ended(spans, "parley-stt", "Recognize")) <= {"OK", "CANCELLED"}
    assert ended(spans, "parley-tts", "Synthesize") == []


@fault
async def test_row_60_hanging_up_while_the_agent_speaks_cancels_model_and_synthesis(
    house: House, record_testsuite_property: Record
) -> None:
    house.act = streaming_then_silent(ROLE, delta(STORY))
    asked = len(house.asked)
    async with house.talk() as talk:
        await talk.greeted()
        spoken = await talk.say("tell me a story")
        async with asyncio.timeout(HANG_GUARD_S):
            await talk.call.hears(after=spoken.speech_ended_at)
        await house.taken(tts=1)
        at = await talk.hang_up()
        record_testsuite_property("speaking_model_closed_ms", round((await closed(house.asked[asked:]) - at) * 1000))
        await house.at_rest()
        record_testsuite_property("speaking_all_free_ms", round((time.monotonic() - at) * 1000))
    assert await cancelled(house, talk, "parley-tts", "Synthesize") == ["CANCELLED"]
    # Nothing was asked again for a caller who is gone.
    assert all(exchange.gone.is_set() for exchange in house.asked[asked:])


# ------------------------------------------------------------------------- 68: told to stop while calls are live

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Stopping:
    """A service that is told to stop: health first, then refusals, then its end."""

    def __init__(self, house: House, name: str) -> None:
        self._house = house
        self._name = name
        self._health = house.health(name).Watch(health_pb2.HealthCheckRequest(), timeout=3 * HANG_GUARD_S)
        self._pid = house.stage.group.pid(name)

    async def begin(self) -> None:
        """See it serve, send SIGTERM, and see it say that it does not serve."""
        assert (await self._health.read()).status == SERVING
        self._house.stage.group.send(self._name, signal.SIGTERM)
        assert (await self._health.read()).status == NOT_SERVING

    async def over(self) -> None:
        """Wait for its end and its successor."""
        await self._house.restarted(self._name, self._pid)
        assert "drain timed out" not in repr(self._house.lines)


async def answer_to(call: Any, message: object) -> tuple[grpc.StatusCode, str]:
    """How an RPC that should be refused ends, and for which reason."""
    try:
        await call.write(message)
        await call.read()
        return await call.code(), ""
    except asyncio.InvalidStateError:
        return await call.code(), reason_in(await call.trailing_metadata())
    except grpc.aio.AioRpcError as error:
        return error.code(), reason_of(error)


DRAINING = (grpc.StatusCode.UNAVAILABLE, Reason.DRAINING)


@fault
async def test_row_68_stt_told_to_stop_finishes_its_utterances_first(house: House) -> None:
    config = stt_pb2.RecognizeRequest(config=stt_pb2.RecognizeConfig(format=MULAW_8K, languages=["en"]))
    async with house.talk() as talk:
        await talk.greeted()
        held: Any = house.stt.Recognize()
        await held.write(config)
        assert (await held.read()).HasField("ready")
        spoken = await talk.speak(QUESTION)
        await house.taken(stt=2)
        stopping = Stopping(house, "stt")
        await stopping.begin()
        assert await answer_to(house.stt.Recognize(), config) == DRAINING
        await spoken.finished()
        await talk.logged("transcript", speaker="caller", final=True, text=QUESTION)
        await talk.logged("turn", state="ended", outcome="completed")
        await held.write(stt_pb2.RecognizeRequest(finish=stt_pb2.Finish()))
        assert (await held.read()).HasField("final")
        assert await held.code() is grpc.StatusCode.OK
        await stopping.over()
        await talk.ask()
        await talk.hang_up()


@fault
async def test_row_68_tts_told_to_stop_finishes_its_replies_first(house: House) -> None:
    config = tts_pb2.SynthesizeRequest(config=tts_pb2.SynthesizeConfig(format=MULAW_8K))
    house.act = streaming_then_waiting(go_on := asyncio.Event(), delta(STORY), delta("The end."))
    async with house.talk() as talk:
        await talk.greeted()
        spoken = await talk.say("tell me a story")
        async with asyncio.timeout(HANG_GUARD_S):
            await talk.call.hears(after=spoken.speech_ended_at)
        await house.taken(tts=1)
        stopping = Stopping(house, "tts")
        await stopping.begin()
        assert await answer_to(house.tts.Synthesize(), config) == DRAINING
        # The model goes on only now: the reply that was begun is spoken to its end.
        go_on.set()
        turn = await talk.logged("turn", state="ended", outcome="completed")
        assert turn["heard_length"] == turn["said_length"]
        assert talk.said().endswith("The end.")
        assert talk.call.heard.underruns() == []
        await stopping.over()
        house.act = saying(NOON)
        await talk.ask()
        await talk.hang_up()


@fault
async def test_row_68_the_orchestrator_told_to_stop_hands_its_calls_over(house: House) -> None:
    formats: dict[str, Any] = {"caller_formats": [MULAW_8K], "agent_formats": [MULAW_8K]}
    async with house.talk() as talk:
        await talk.greeted()
        await talk.ask()
        # As it was understood: how well the embedded recogniser hears is not what is tested here.
        question = house.asked[-1].body["messages"][-1]["content"]
        held: Any = house.conversation.Converse()
        await held.write(conv.CallEvent(start=conv.Start(call_id="held", **formats)))
        assert (await held.read()).HasField("ready")
        stopping = Stopping(house, "orchestrator")
        await stopping.begin()
        refused = conv.CallEvent(start=conv.Start(call_id="late", **formats))
        assert await answer_to(house.conversation.Converse(), refused) == DRAINING
        while not (event := await held.read()).HasField("go_away"):
            assert isinstance(event, conv.AgentEvent)
        assert 0 < event.go_away.within.seconds <= 3
        await held.write(conv.CallEvent(end=conv.CallEnd(reason=conv.END_REASON_HANDED_OVER)))
        while (event := await held.read()) is not grpc.aio.EOF:
            assert isinstance(event, conv.AgentEvent)
        assert await held.code() is grpc.StatusCode.OK
        await stopping.over()
        await talk.logged("notice", code="CALL_RESUMED")
        asked = len(house.asked)
        await talk.ask("what is your name")
        # The successor knows what was said before; the caller's line never broke.
        told = [message["content"] for message in house.asked[asked].body["messages"]]
        assert told[-3:-1] == [question, NOON]
        assert len(talk.call.streams) == 1
        assert not talk.entries("end")
        await talk.hang_up()


# ------------------------------------------------------------------------------ 69: nobody, or nobody awake, collects


def test_row_69_a_stalling_or_dead_collector_disturbs_no_sound(tmp_path: Path) -> None:
    async def call(house: House) -> None:
        house.act = saying(STORY)
        async with house.talk() as talk:
            await talk.greeted()
            turn = await talk.ask("tell me a story")
            assert turn["heard_length"] == turn["said_length"] > 0
            assert talk.call.heard.underruns() == []
            await talk.hang_up()
        await house.at_rest()

    with collecting() as (collector, endpoint):
        collector.silent = True  # it takes every export and answers none
        endpoints = (f"telemetry.traces_endpoint={endpoint}", f"telemetry.metrics_endpoint={endpoint}")
        house = House(tmp_path, *endpoints, "telemetry.metrics_interval_s=1").__enter__()
        try:
            house.run(call(house))
        except BaseException:
            house.__exit__(None, None, None)
            raise
    # Now nobody listens there any more.
    try:
        house.run(call(house))
    finally:
        house.__exit__(None, None, None)
    assert not house.complaints()
    # Each has ended by itself, not by a kill: it did not wait for the collector.
    stopped = {service for service, line in house.lines if '"stopped"' in line}
    assert stopped == {"gateway", "orchestrator", "stt", "tts"}


# ------------------------------------------------------------------------- 70: models that are missing or broken


def refusal(service: str, *settings: str) -> str:
    """What a service says when it refuses to start."""
    command = [sys.executable, "-m", f"{service}_service", "--set", f"{service}.listen=127.0.0.1:0"]
    for setting in settings:
        command += ["--set", f"{service}.{setting}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=2 * HANG_GUARD_S
    )
    said = result.stdout + result.stderr
    assert result.returncode == 1, said
    assert "cannot start" in said
    assert "Traceback" not in said
    return said


def test_row_70_a_missing_whisper_model_keeps_stt_from_starting(tmp_path: Path) -> None:
    said = refusal("stt", "engine=faster-whisper", f"whisper.model={tmp_path / 'nowhere'}")
    assert "stt.whisper.model" in said
    assert "set " in said


@pytest.mark.heavy
@pytest.mark.parametrize("engine", ["faster-whisper", "auto"])
@pytest.mark.parametrize("broken", ["incomplete", "corrupt", "of another architecture"])
def test_row_70_a_broken_whisper_model_keeps_stt_from_starting(tmp_path: Path, engine: str, broken: str) -> None:
    from tests.models.whisper import build_whisper

    folder = build_whisper(tmp_path / "model")
    weights = folder / "model.bin"
    if broken == "incomplete":
        (folder / "tokenizer.json").unlink()
    elif broken == "corrupt":
        weights.write_bytes(weights.read_bytes()[:100_000])
    else:
        # CTranslate2 writes the architecture's name at the head of the file.
        weights.write_bytes(weights.read_bytes().replace(b"WhisperSpec", b"WhispurSpec", 1))
    said = refusal("stt", f"engine={engine}", f"whisper.model={folder}", "whisper.device=cpu")
    assert "stt.whisper.model" in said
    assert str(folder) in said
    assert ("tokenizer.json" if broken == "incomplete" else "fetch it again") in said


@pytest.mark.heavy
def test_row_70_a_kokoro_model_of_another_architecture_keeps_tts_from_starting(tmp_path: Path) -> None:
    import torch

    model, config, voices = tmp_path / "kokoro.pth", tmp_path / "config.json", tmp_path / "voices"
    config.write_text(json.dumps(kokoro.CONFIG), encoding="utf-8")
    voices.mkdir()
    torch.save(torch.zeros(510, 1, 256), voices / "af_heart.pt")
    torch.save({"bert": {"module.embeddings.weight": torch.zeros(4, 4)}, "generator": {}}, model)
    files = (f"kokoro.model={model}", f"kokoro.config={config}", f"kokoro.voices={voices}", "kokoro.device=cpu")
    said = refusal("tts", "engine=auto", *files)
    assert "tts.kokoro.model" in said
    assert str(model) in said
    assert "Fetch both" in said
