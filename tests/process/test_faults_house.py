"""Rows 53, 54, 60, 68, 69, 70 and 75 of the catalogue of faults, through all four real processes and the telephone.

Each ends with a call that must work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from tests.fakes.brain_servers import (
    DONE,
    ROLE,
    FakeExchange,
    delta,
    hanging_up,
    silent,
    status,
    streaming,
    streaming_then_silent,
)
from tests.process.house import HANG_GUARD_S, NOON, QUESTION, House, Talk, ended, fault, saying

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

Record = Callable[[str, object], None]
STORY = "Once upon a time there was a lighthouse at the end of the world. Every night its keeper lit the lamp. "


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("house"), "orchestrator.watchdogs.first_content_ms=3000") as running:
        yield running


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
        for number, act in enumerate((hanging_up, status(401), status(429), status(500))):
            house.act = act
            spoken = await talk.say(QUESTION)
            await apologised(talk, number)
            assert talk.call.heard.first_received_above(after=spoken.speech_ended_at) is not None
            assert len(talk.entries("notice", code="BRAIN_FAILED")) == number + 1
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
async def test_row_60_hanging_up_in_mid_sentence_cancels_recognition(house: House, record_testsuite_property: Record) -> None:
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
