"""Rows 53, 54 and 55 of the catalogue of faults with two models, through all four real processes and the telephone.

Each ends with a call that must work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from tests.fakes.brain_servers import (
    ROLE,
    Act,
    FakeBrainServer,
    FakeExchange,
    data,
    delta,
    endless,
    hanging_up,
    status,
    streaming,
    streaming_then_breaking,
    streaming_then_silent,
    whole,
)
from tests.process.house import HANG_GUARD_S, NOON, QUESTION, Entry, House, Talk, fault, saying, until

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

OTHER: Final = "The other one says it is noon."
# The first sentence is whole; what follows breaks off in the middle of one.
WHOLE: Final = "It is four o'clock in the afternoon."
BROKEN: Final = WHOLE + " In the evening the lighthouse"
MOST_CHARACTERS: Final = 200


class SecondBrain:
    """The model that is asked when the first gives nothing; ``act`` is what it does with the next requests."""

    def __init__(self) -> None:
        self.act: Act = saying(OTHER)
        self.server = FakeBrainServer(self._play)

    async def _play(self, exchange: FakeExchange) -> None:
        await (self.act if _is_question(exchange) else whole({"object": "list", "data": []}))(exchange)

    @property
    def asked(self) -> list[FakeExchange]:
        """What it was asked, oldest first."""
        return [exchange for exchange in self.server.requests if _is_question(exchange)]

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[Sequence[str]]:
        """It serves; the settings that make it the fallback."""
        async with self.server:
            yield (
                "orchestrator.fallback.preset=openai",
                "orchestrator.fallback.model=other",
                f"orchestrator.fallback.base_url={self.server.base_url}",
            )


def _is_question(exchange: FakeExchange) -> bool:
    return exchange.path.endswith("/chat/completions")


@pytest.fixture(scope="module")
def other() -> SecondBrain:
    return SecondBrain()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, other: SecondBrain) -> Iterator[House]:
    settings = (
        "orchestrator.watchdogs.filler_ms=700",
        "orchestrator.watchdogs.fallback_ms=2500",
        "orchestrator.watchdogs.first_content_ms=5000",
        "orchestrator.watchdogs.content_gap_ms=2000",
        "orchestrator.prompts.apology=Sorry.",
        f"orchestrator.brain.max_reply_chars={MOST_CHARACTERS}",
    )
    with House(tmp_path_factory.mktemp("house"), *settings, beside=other.beside) as running:
        yield running


async def gone(exchanges: Sequence[FakeExchange]) -> None:
    """Wait until the client has closed all of these requests."""
    async with asyncio.timeout(HANG_GUARD_S):
        for exchange in exchanges:
            await exchange.gone.wait()


async def settled(talk: Talk) -> Entry:
    """Ask, and hear out what comes of it; how the turn ended."""
    known = len(talk.entries("turn", state="ended"))

    async def ending() -> Entry | None:
        for line in talk.entries("turn", state="ended")[known:]:
            understood = talk.entries("transcript", speaker="caller", turn_id=line["turn_id"])
            # One that was begun in vain is followed by another; of one without a word nothing follows.
            if line["outcome"] in {"completed", "error"} or not understood:
                return line
        return None

    await talk.say(QUESTION)
    found = await until("an answer or an apology", ending)
    assert found["outcome"] != "discarded", talk.entries()
    await talk.silence()
    return found


def order_of(talk: Talk, *wanted: dict[str, Any]) -> list[int]:
    """Where in the call's log the first line of each kind stands."""
    lines = talk.entries()
    return [next(i for i, line in enumerate(lines) if fields.items() <= line.items()) for fields in wanted]


FILLER: Final = {"kind": "playout", "what": "filler"}
FELL_BACK: Final = {"kind": "notice", "code": "BRAIN_FELL_BACK"}
APOLOGY: Final = {"kind": "playout", "what": "apology"}
REPLY: Final = {"kind": "playout", "what": "reply"}


# ------------------------------------------------------------------------------- 53, 54: the model fails or is mute


@fault
async def test_row_53_the_fallback_answers_for_a_model_that_fails(house: House, other: SecondBrain) -> None:
    other.act = saying(OTHER)
    async with house.talk() as talk:
        await talk.greeted()
        for number, act in enumerate((hanging_up, status(401), status(429), status(500)), 1):
            house.act = act
            assert (await settled(talk))["outcome"] == "completed"
            assert talk.said().count(OTHER) == number
        assert not talk.entries("playout", what="apology")
        assert talk.entries("notice", code="BRAIN_FELL_BACK")
        # What the other one answered is part of the conversation that the first is told of.
        house.act = saying(NOON)
        asked = len(house.asked)
        await talk.ask()
        assert OTHER in repr(house.asked[asked].body["messages"])
        await talk.hang_up()
    assert "secret words" not in repr(house.lines) + repr(talk.entries())


@fault
async def test_row_54_a_mute_model_costs_a_filler_then_the_fallback_answers(house: House, other: SecondBrain) -> None:
    house.act = streaming_then_silent(ROLE)  # HTTP 200 and a role at once: a first byte, but no content
    other.act = saying(OTHER)
    asked = len(house.asked)
    async with house.talk() as talk:
        await talk.greeted()
        turn = await settled(talk)
        assert turn["outcome"] == "completed"
        assert turn["heard_length"] == turn["said_length"] == len(OTHER)
        await gone(house.asked[asked:])
        filler, fell_back, reply = order_of(talk, FILLER, FELL_BACK, REPLY)
        assert filler < fell_back < reply
        assert not talk.entries("playout", what="apology")
        await talk.hang_up()


@fault
async def test_row_54_two_mute_models_cost_a_filler_a_fallback_and_an_apology(house: House, other: SecondBrain) -> None:
    house.act = other.act = streaming_then_silent(ROLE)
    asked, asked_other = len(house.asked), len(other.asked)
    async with house.talk() as talk:
        await talk.greeted()
        assert (await settled(talk))["outcome"] == "error"
        await gone([*house.asked[asked:], *other.asked[asked_other:]])
        assert len(other.asked) > asked_other
        filler, fell_back, apology = order_of(talk, FILLER, FELL_BACK, APOLOGY)
        assert filler < fell_back < apology
        assert len(talk.entries("playout", what="filler")) == 1
        house.act = saying(NOON)
        await talk.ask()
        await talk.hang_up()


# ------------------------------------------------------------------------------------- 55: the answer breaks off

BREAKING: Final[dict[str, Act]] = {
    "stalls": streaming_then_silent(ROLE, delta(BROKEN)),
    "drops the connection": streaming_then_breaking(ROLE, delta(BROKEN)),
    "sends an error": streaming(ROLE, delta(BROKEN), data({"error": {"message": "secret words"}})),
    "sends what is no JSON": streaming(ROLE, delta(BROKEN), b"data: {broken\n\n", delta(" never")),
}


@fault
async def test_row_55_of_an_answer_that_breaks_off_what_is_whole_is_spoken(house: House, other: SecondBrain) -> None:
    asked_other = len(other.asked)
    async with house.talk() as talk:
        await talk.greeted()
        for number, (how, act) in enumerate(BREAKING.items(), 1):
            house.act = act
            turn = await settled(talk)
            assert talk.said().count(WHOLE) == number, how
            assert turn["heard_length"] == turn["said_length"] >= len(WHOLE), how
        # Neither an apology nor another answer behind half an answer; the operator is told.
        assert not talk.entries("playout", what="apology")
        assert len(other.asked) == asked_other
        assert len(talk.entries("notice")) >= len(BREAKING)
        assert "never" not in talk.said()
        house.act = saying(NOON)
        await talk.ask()
        await talk.hang_up()
    assert "secret words" not in repr(house.lines) + repr(talk.entries())


@fault
async def test_row_55_an_answer_that_ends_without_done_is_whole(house: House) -> None:
    house.act = streaming(ROLE, delta(NOON), delta(finish="stop"))
    async with house.talk() as talk:
        await talk.greeted()
        turn = await talk.ask()
        assert turn["heard_length"] == turn["said_length"] == len(NOON)
        await talk.hang_up()


@fault
async def test_row_55_an_answer_that_never_stops_is_cut_off(house: House) -> None:
    house.act = endless(delta("And so on. "))
    asked = len(house.asked)
    async with house.talk() as talk:
        await talk.greeted()
        turn = await settled(talk)
        assert 0 < turn["heard_length"] == turn["said_length"] <= MOST_CHARACTERS
        await gone(house.asked[asked:])
        house.act = saying(NOON)
        await talk.ask()
        await talk.hang_up()
