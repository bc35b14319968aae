"""Rows 49, 50 and 59 of the catalogue of faults: recogniser or voice are killed in the middle, or a reply interrupted.

Through all four real processes and the telephone; each ends with a call that must work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import pytest

from tests.fakes.brain_servers import DONE, ROLE, Act, FakeExchange, delta, silent, streaming, streaming_then_silent
from tests.process.house import HANG_GUARD_S, NOON, Entry, House, Talk, all_gone, fault, saying, until
from toolbox.phone import Spoken

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

STORY: Final = (
    "Once upon a time there was a lighthouse at the end of the world. "
    "Every evening its keeper climbed a hundred and twenty steps to light the lamp. "
    "One winter a storm came from the north that nobody had foreseen. "
)
END: Final = "And since that day there is a second lamp."


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    settings = (
        "orchestrator.watchdogs.filler_ms=0",
        "orchestrator.tts.ahead_ms=500",
        # A process takes seconds to start on a machine that has much to do.
        "orchestrator.tts.patience_s=30",
        "orchestrator.stt.patience_s=30",
        "orchestrator.endpointing.cap_ms=30000",
        "orchestrator.watchdogs.content_gap_ms=30000",
    )
    with House(tmp_path_factory.mktemp("house"), *settings) as running:
        yield running


def telling(*parts: str, go_on: asyncio.Event) -> Act:
    """A model that says one part, and the next only when it may."""

    async def act(exchange: FakeExchange) -> None:
        await exchange.head()
        await exchange.part(ROLE)
        for number, part in enumerate(parts):
            if number:
                await go_on.wait()
            await exchange.part(delta(part))
        await exchange.part(delta(finish="stop"))
        await exchange.part(DONE)
        await exchange.end()

    return act


# ------------------------------------------------------------------------------------ 49: the recogniser is killed


@fault
async def test_row_49_a_recogniser_killed_in_mid_utterance_is_replaced_and_no_word_is_lost(house: House) -> None:
    house.act = saying(NOON)
    async with house.talk() as talk:
        await talk.greeted()
        asked = len(house.asked)
        spoken = await talk.speak("what is seven plus five")
        await house.taken(stt=1)
        pid = house.stage.group.kill("stt")
        await spoken.finished()
        await house.restarted("stt", pid)
        await talk.logged("turn", state="ended", outcome="completed")
        heard = " ".join(line["text"] for line in talk.entries("transcript", speaker="caller", final=True))
        # The first word was said to the process that died, the last one to nobody.
        assert heard == "what is seven plus five"
        assert heard in repr(house.asked[-1].body["messages"])
        assert len({repr(exchange.body["messages"]) for exchange in house.asked[asked:]}) == 1
        assert talk.said().endswith(NOON)
        await talk.hang_up()


# ----------------------------------------------------------------------------------------- 50: the voice is killed


async def told(talk: Talk, act: Act, *, killed: asyncio.Event | None = None) -> float:
    """Hear a story out; seconds of sound. With ``killed`` the voice is killed at its first sound, then that is set."""
    house = talk.house
    house.act = act
    completed = len(talk.entries("turn", state="ended", outcome="completed"))
    spoken = await talk.say("tell me a story")
    async with asyncio.timeout(HANG_GUARD_S):
        await talk.call.hears(after=spoken.speech_ended_at)
    if killed is not None:
        await house.taken(tts=1)
        pid = house.stage.group.kill("tts")
        await house.restarted("tts", pid)
        killed.set()
    turn = await talk.logged("turn", count=completed + 1, state="ended", outcome="completed")
    assert turn["heard_length"] == turn["said_length"] == len(STORY + END)
    return talk.call.heard.received_seconds(after=spoken.speech_ended_at)


@fault
async def test_row_50_a_voice_killed_in_mid_reply_is_replaced_and_no_word_is_lost_or_said_twice(house: House) -> None:
    async with house.talk() as talk:
        await talk.greeted()
        may = asyncio.Event()
        may.set()
        undisturbed_s = await told(talk, telling(STORY, END, go_on=may))
        await talk.silence()
        asked, lines = len(house.asked), len(talk.entries())
        may = asyncio.Event()
        disturbed_s = await told(talk, telling(STORY, END, go_on=may), killed=may)
        # The same sound, but for how a voice begins a sentence; not a second of it more or less.
        assert abs(disturbed_s - undisturbed_s) < 0.5
        later = talk.entries()[lines:]
        agent = [line for line in later if line["kind"] == "transcript" and line["speaker"] == "agent"]
        assert "".join("".join(line["text"] for line in agent).split()) == "".join((STORY + END).split())
        assert [line["what"] for line in later if line["kind"] == "playout"] == ["reply"]
        assert not [line for line in later if line["kind"] == "notice"]
        # The model was asked once, but for questions begun in vain.
        assert len({repr(exchange.body["messages"]) for exchange in house.asked[asked:]}) == 1
        await talk.hang_up()


# ------------------------------------------------------------------------------------------------ 59: interrupted


def silenced(talk: Talk, spoken: Spoken) -> None:
    """What was being said was cleared, and nothing came after that until the caller had finished."""
    heard = talk.call.heard
    cleared_at = heard.first_clear(after=spoken.speech_started_at)
    assert cleared_at is not None
    assert cleared_at < spoken.speech_ended_at
    assert [a.at for a in heard.media if cleared_at < a.at < spoken.speech_ended_at] == []


async def begun(talk: Talk, act: Act) -> None:
    """Ask for a story and hear some words of it: who goes on before that had not finished the question."""
    talk.house.act = act
    spoken = await talk.say("tell me a story")
    await hears(talk, 2.5, since=spoken.speech_ended_at)


async def hears(talk: Talk, seconds: float, *, since: float) -> None:
    """Wait until so much sound has come; about a second of it waits to be heard."""

    async def enough() -> bool:
        return talk.call.heard.received_seconds(after=since) >= seconds

    await until(f"{seconds} s of sound", enough)


async def interrupted(talk: Talk, count: int) -> Entry:
    """The turn that was interrupted."""
    return await talk.logged("turn", count=count, state="ended", outcome="interrupted")


def kept(exchange: FakeExchange) -> list[str]:
    """What the model is told that it has said."""
    return [str(m["content"]) for m in exchange.body["messages"] if m["role"] == "assistant"]


async def answered(talk: Talk, known: int) -> None:
    """Wait until one more question than were known was answered."""
    await talk.logged("turn", count=known + 1, state="ended", outcome="completed")


@fault
async def test_row_59_a_caller_who_goes_on_before_the_first_byte_is_answered_once(house: House) -> None:
    house.act = silent
    asked = len(house.asked)
    async with house.talk() as talk:
        await talk.greeted()
        await talk.say("tell me a story")
        await talk.logged("turn", state="committed")
        waiting = house.asked[asked:]
        house.act = saying(NOON)
        await talk.ask("stop please")
        await all_gone(waiting)
        # Whatever was begun on the way, one answer was heard to its end.
        assert len(talk.entries("turn", state="ended", outcome="completed")) == 1
        assert talk.said().endswith(NOON)
        # What was said before the interruption is not forgotten.
        assert "story" in repr(house.asked[-1].body["messages"])
        await talk.hang_up()


@fault
async def test_row_59_an_interruption_in_mid_sentence_while_the_model_still_writes(house: House) -> None:
    asked = len(house.asked)
    async with house.talk() as talk:
        await talk.greeted()
        await begun(talk, streaming_then_silent(ROLE, delta(STORY)))
        waiting = house.asked[asked:]
        spoken = await talk.speak("stop please")
        house.act = saying(NOON)
        await spoken.finished()
        turn = await interrupted(talk, 1)
        await answered(talk, 0)
        await all_gone(waiting)
        silenced(talk, spoken)
        assert 0 < turn["heard_length"] < turn["said_length"]
        (last, *_) = kept(house.asked[-1])[-1:]
        assert 0 < len(last) <= turn["heard_length"] + 40
        await talk.hang_up()


@fault
async def test_row_59_an_interruption_between_two_segments(house: House) -> None:
    asked = len(house.asked)
    async with house.talk() as talk:
        await talk.greeted()
        await begun(talk, streaming_then_silent(ROLE, delta(STORY.split(".")[0] + ". ")))
        # The first sentence was heard to its end, and there is no other yet.
        await talk.silence()
        waiting = house.asked[asked:]
        house.act = saying(NOON)
        await talk.ask("stop please")
        await all_gone(waiting)
        assert len(talk.entries("turn", state="ended", outcome="interrupted")) == 1
        assert talk.said().count(NOON) == 1
        assert "at the end of the world" in kept(house.asked[-1])[-1]
        await talk.hang_up()


@fault
async def test_row_59_an_interruption_during_the_last_segment(house: House) -> None:
    async with house.talk() as talk:
        await talk.greeted()
        await begun(talk, streaming(ROLE, delta(STORY.split(".")[0] + "."), delta(finish="stop"), DONE))
        spoken = await talk.speak("stop please")
        house.act = saying(NOON)
        await spoken.finished()
        turn = await interrupted(talk, 1)
        await answered(talk, 0)
        silenced(talk, spoken)
        assert 0 < turn["heard_length"] < turn["said_length"]
        assert talk.said().endswith(NOON)
        assert "Once" in kept(house.asked[-1])[-1]
        await talk.hang_up()


@fault
async def test_row_59_two_interruptions_one_after_the_other(house: House) -> None:
    async with house.talk() as talk:
        await talk.greeted()
        await begun(talk, streaming_then_silent(ROLE, delta(STORY)))
        first = await talk.speak("stop please")
        house.act = streaming_then_silent(ROLE, delta("All right. " + STORY))
        await first.finished()
        await interrupted(talk, 1)

        async def speaks_again() -> bool:
            return len({line["turn_id"] for line in talk.entries("turn", state="speaking")}) >= 2

        await until("the agent answers the interruption", speaks_again)
        second = await talk.speak("stop please")
        house.act = saying(NOON)
        await second.finished()
        await answered(talk, 0)
        await talk.silence()
        silenced(talk, first)
        assert talk.said().endswith(NOON)
        assert talk.said().count(NOON) == 1
        # Both are in the history, as far as they were heard: an end that was not heard is in neither.
        assert "foreseen" not in repr(kept(house.asked[-1]))
        assert len(talk.entries("turn", state="ended", outcome="completed")) == 1
        await talk.hang_up()
