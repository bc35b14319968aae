"""Clean-up in a call: who hears the cleaned sound, and who the sound as it came."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.settings import OrchestratorSettings
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.audio import decode_mulaw, encode_mulaw, level_dbfs, to_float, to_int16
from tests.asyncs import async_test
from tests.fakes.orchestrator_brain import FakeBrain
from tests.fakes.orchestrator_gateway import conversations
from tests.fakes.orchestrator_stt import FakeStt
from toolbox.bench.clean_up.places import amid, car, voice

SUPPRESSED: dict[str, object] = {"noise_suppression": "high"}
RECOGNISED: dict[str, object] = {"noise_suppression": "high", "for_recognition": True}
FRAME = 160


def in_a_car() -> bytes:
    """Two seconds of a car, a question amid it, and the car again; whole frames of μ-law."""
    line = amid(voice("what is twenty one plus thirty four"), car(8.0, 3), 20.0, lead_s=2.0, tail_s=0.8)
    sound = encode_mulaw(to_int16(line))
    return sound[: len(sound) // FRAME * FRAME]


async def recognised(clean_up: dict[str, object], sound: bytes) -> bytes:
    """What the recogniser is given of a call with these settings."""
    settings = OrchestratorSettings.model_validate({"max_calls": 4, "clean_up": clean_up})
    stt = FakeStt(["what is twenty one plus thirty four"])
    async with (
        conversations(FakeBrain(("It is fifty five.",)), stt, settings=settings) as service,
        service.call() as call,
    ):
        await call.until(lambda e: e.mark.last)
        await call.send_sound(sound)
        await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()
    return bytes(stt.utterances[0].audio)


def loudness(sound: bytes) -> tuple[float, float]:
    """Level in dBFS of the quietest and of the loudest 100 ms."""
    samples = to_float(decode_mulaw(np.frombuffer(sound, np.uint8).tobytes()))
    levels = [level_dbfs(samples[at : at + 800]) for at in range(0, len(samples) - 800, 800)]
    return min(levels), max(levels)


@pytest.mark.parametrize("clean_up", [{}, SUPPRESSED, {"for_recognition": True}], ids=["off", "turns only", "nothing"])
def test_the_recogniser_hears_the_sound_as_it_came_unless_it_is_asked_for(clean_up: dict[str, object]) -> None:
    @async_test
    async def scenario() -> None:
        sound = in_a_car()
        heard = await recognised(clean_up, sound)
        assert len(heard) > 8000
        assert heard in sound

    scenario()


@async_test
async def test_the_recogniser_hears_the_cleaned_sound_where_that_is_asked_for() -> None:
    sound = in_a_car()
    heard = await recognised(RECOGNISED, sound)
    raw = await recognised(SUPPRESSED, sound)
    assert heard not in sound
    # Which sound an utterance begins with depends on what is heard of the line; it is about as long.
    assert abs(len(heard) - len(raw)) < 8 * 400
    (noise, speech), (clean_noise, clean_speech) = loudness(raw), loudness(heard)
    assert clean_noise < noise - 8.0, "the car is turned down"
    assert abs(clean_speech - speech) < 3.0, "the caller is not"
