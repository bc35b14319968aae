"""How loud the agent is at a moment: the levels of what was sent, by position and by the clock."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engine.events import SILENCE_DBFS
from orchestrator.outbox import Outbox
from orchestrator.played_level import STEP_MS, PlayedLevels
from orchestrator.playout import MarkCounter, Playout
from orchestrator.spoken import SpokenReply
from parley.audio.v1 import audio_pb2
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.audio import MULAW_8K, WireDecoder, WireEncoder, level_dbfs, pcm
from tests.asyncs import async_test
from tts_service import espeak_speech

TEXT = "Once upon a time there was a fox."


def speech_in(fmt: audio_pb2.AudioFormat) -> bytes:
    samples, rate_hz = espeak_speech(TEXT)
    encoder = WireEncoder(rate_hz, fmt)
    return encoder.encode(np.asarray(samples, np.float32)) + encoder.flush()


@cache
def speech() -> bytes:
    """The same each time: the voice itself never says a text twice alike."""
    return speech_in(MULAW_8K)


def levels_of(payload: bytes, fmt: audio_pb2.AudioFormat) -> list[float]:
    """The level of each 32 ms of a whole sound."""
    samples = WireDecoder(fmt).decode(payload)
    step = int(fmt.sample_rate_hz * STEP_MS / 1000)
    return [max(SILENCE_DBFS, level_dbfs(samples[at : at + step])) for at in range(0, len(samples), step)]


@pytest.mark.parametrize("fmt", [MULAW_8K, pcm(16_000), pcm(48_000)], ids=["mulaw", "16k", "48k"])
def test_speech_sent_in_whole_steps_has_the_level_of_each_step(fmt: audio_pb2.AudioFormat) -> None:
    payload, levels = speech_in(fmt), PlayedLevels(fmt)
    width = 1 if fmt.encoding == audio_pb2.ENCODING_MULAW else 2
    piece = int(fmt.sample_rate_hz * STEP_MS / 1000) * width * 6
    for at in range(0, len(payload), piece):
        levels.push(payload[at : at + piece])
    expected = levels_of(payload, fmt)
    told = [levels.at(index * STEP_MS) for index in range(len(expected))]
    assert told == pytest.approx(expected, abs=0.01)
    assert max(told) > -25.0
    assert min(told) < -45.0, "a voice pauses"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=20))
def test_pieces_of_any_length_give_the_same_levels(lengths: list[int]) -> None:
    payload, levels, at = speech(), PlayedLevels(MULAW_8K), 0
    for length in lengths:
        levels.push(payload[at : at + length])
        at = min(at + length, len(payload))
    expected = levels_of(payload[:at], MULAW_8K)
    assert [levels.at(index * STEP_MS) for index in range(len(expected))] == pytest.approx(expected, abs=0.01)


def test_before_the_beginning_and_behind_the_end_there_is_silence() -> None:
    levels = PlayedLevels(MULAW_8K)
    assert levels.at(0.0) == SILENCE_DBFS
    levels.push(speech()[:1600])
    assert levels.at(-1.0) == SILENCE_DBFS
    assert levels.at(199.0) > SILENCE_DBFS
    assert levels.at(300.0) == SILENCE_DBFS


@async_test
async def test_a_playout_is_as_loud_as_what_the_last_report_and_the_clock_say_is_heard() -> None:
    payload = speech()
    spoken = SpokenReply(MULAW_8K)
    playout = Playout(1, conv.PLAYOUT_KIND_REPLY, spoken, Outbox(_nobody), MarkCounter(), ahead_ms=60_000)
    expected = levels_of(payload, MULAW_8K)

    assert playout.level_at(0.0) == SILENCE_DBFS, "nothing was sent"
    spoken.written = TEXT
    playout._levels.push(payload)
    playout.sent_ms = len(payload) / 8
    playout.first_sent(5000.0)
    assert playout.level_at(5000.0 + 10 * STEP_MS + 1) == pytest.approx(expected[10], abs=0.01)
    # The line is 200 ms behind the clock: from the report on, so is what is told.
    playout.report(12 * STEP_MS, 5000.0 + 12 * STEP_MS + 200.0)
    assert playout.level_at(5000.0 + 14 * STEP_MS + 201.0) == pytest.approx(expected[14], abs=0.01)
    # However long nothing is reported, no more sounds than was sent.
    assert playout.level_at(60_000.0) == playout.level_at(60_001.0) == pytest.approx(expected[-1], abs=0.01)


async def _nobody(_: conv.AgentEvent) -> None:
    raise AssertionError("nothing is sent in this test")
