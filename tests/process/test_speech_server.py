"""The demo's house with a speech server of somebody else's for a voice, by one setting; what its faults cost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from parley.tts.v1 import tts_pb2
from tests.fakes.openai_server import answering, failing
from tests.fakes.speech_servers import FakeSpeechServer, breaking_off, encoded, spoken
from tests.process.house import NOON, House, saying

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

SERVER = FakeSpeechServer("kokoro-fastapi")


@asynccontextmanager
async def beside() -> AsyncIterator[Sequence[str]]:
    """A speech server, and the one setting that makes it the house's voice."""
    async with SERVER as server:
        yield ("tts.engine=openai", f"tts.openai.base_url={server.root}")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("speech-server")
    with House(folder, beside=beside) as house:
        yield house


def test_a_call_is_spoken_by_the_speech_server(house: House) -> None:
    async def scenario() -> None:
        info = await house.tts.GetInfo(tts_pb2.GetInfoRequest())
        assert (info.engine, info.default_voice) == ("openai", "af_bella")
        before = len(SERVER.requests)
        await house.good_call()
        said = [request.body["input"] for request in SERVER.requests[before:]]
        assert NOON in said
        assert {request.body["response_format"] for request in SERVER.requests[before:]} == {"pcm"}

    house.run(scenario())


def test_row_57_what_the_speech_server_does_wrong_is_refused_and_the_answer_said_all_the_same(house: House) -> None:
    # Made before the call: the telephone lives in this process, and would stand still meanwhile.
    half = encoded(spoken(NOON)[:12_000], "pcm")

    async def scenario() -> None:
        async with house.talk() as talk:
            await talk.greeted()
            # Words that were said before would come from the cache, and the server would not be asked.
            for words, act in (
                ("It is noon, I think.", failing(500)),
                ("It is noon, I hope.", answering(b"<html>no</html>", content_type="text/html")),
                ("It is noon, I say.", breaking_off(half)),
            ):
                house.act = saying(words)
                SERVER.then(act)
                turn = await talk.ask()
                assert turn["heard_length"] == turn["said_length"] > 0
                await talk.silence()
            await talk.hang_up()
        await house.at_rest()
        await house.good_call()

    house.run(scenario())
