"""Rows 53, 54 and 75 of the catalogue of faults: a model that fails, stays mute, or thinks aloud.

Through all four real processes and the telephone; each ends with a call that must work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.fakes.brain_servers import (
    DONE,
    ROLE,
    FakeExchange,
    delta,
    hanging_up,
    status,
    streaming,
    streaming_then_silent,
)
from tests.process.house import NOON, QUESTION, House, Talk, all_gone, ended, fault, saying

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    quick = ("orchestrator.watchdogs.first_content_ms=1500", "orchestrator.prompts.apology=Sorry.")
    with House(tmp_path_factory.mktemp("house"), *quick) as running:
        yield running


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
        await all_gone(house.asked[asked:])
        house.act = saying(NOON)
        await talk.ask()
        await talk.hang_up()


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
