"""Row 60 of the catalogue of faults: the caller hangs up, at every stage; all that worked for them is cancelled.

Through all four real processes and the telephone; each ends with a call that must work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from tests.fakes.brain_servers import ROLE, delta, silent, streaming_then_silent
from tests.process.house import HANG_GUARD_S, House, Talk, all_gone, ended, fault

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

Record = Callable[[str, object], None]
STORY = "Once upon a time there was a lighthouse at the end of the world. "


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("house")) as running:
        yield running


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
        record_testsuite_property("thinking_model_closed_ms", round((await all_gone(house.asked[asked:]) - at) * 1000))
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
        record_testsuite_property("speaking_model_closed_ms", round((await all_gone(house.asked[asked:]) - at) * 1000))
        await house.at_rest()
        record_testsuite_property("speaking_all_free_ms", round((time.monotonic() - at) * 1000))
    assert await cancelled(house, talk, "parley-tts", "Synthesize") == ["CANCELLED"]
    # Nothing was asked again for a caller who is gone.
    assert all(exchange.gone.is_set() for exchange in house.asked[asked:])
