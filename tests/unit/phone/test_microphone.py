"""A caller speaks on an absolute schedule, with silence or room noise between."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from servicekit.audio import decode_mulaw, level_dbfs, to_float
from tests.asyncs import async_test
from tests.unit.phone.world import loud, quiet
from toolbox.phone.microphone import Microphone
from toolbox.phone.track import Track


def _microphone(origin: float = 100.0) -> Microphone:
    microphone = Microphone(Track(800_000), 160)
    microphone.origin = origin
    return microphone


def test_silence_is_sent_between_speech() -> None:
    assert [_microphone().next_frame() for _ in range(3)] == [b"\xff" * 160] * 3


def test_speech_begins_with_the_next_frame_and_its_times_are_known_at_once() -> None:
    microphone = _microphone()
    microphone.next_frame()
    spoken = microphone.queue(loud(0.05))
    assert spoken.first_sample_at == pytest.approx(100.02)
    assert spoken.last_sample_at == pytest.approx(100.07)
    frames = [microphone.next_frame() for _ in range(3)]
    assert b"".join(frames) == loud(0.05) + b"\xff" * 80


def test_the_true_end_of_speech_leaves_out_the_silence_around_it() -> None:
    spoken = _microphone().queue(quiet(0.2) + loud(0.4) + quiet(0.3))
    assert spoken.speech_started_at == pytest.approx(100.2)
    assert spoken.speech_ended_at == pytest.approx(100.6)
    assert spoken.last_sample_at == pytest.approx(100.9)


def test_utterances_queue_and_pauses_lie_between_them() -> None:
    microphone = _microphone()
    first = microphone.queue(loud(0.1))
    microphone.stay_silent(0.4)
    second = microphone.queue(loud(0.1))
    assert first.last_sample_at == pytest.approx(100.1)
    assert second.first_sample_at == pytest.approx(100.5)


@async_test
async def test_a_caller_can_break_off() -> None:
    microphone = _microphone()
    spoken, later = microphone.queue(loud(1.0)), microphone.queue(loud(1.0))
    for _ in range(5):
        microphone.next_frame()
    microphone.stop_speaking()
    await asyncio.gather(spoken.finished(), later.finished())
    assert spoken.cut
    assert later.cut
    assert spoken.speech_ended_at == pytest.approx(100.1)
    assert later.seconds == 0
    assert microphone.next_frame() == b"\xff" * 160


def test_room_noise_has_its_level() -> None:
    microphone = _microphone()
    microphone.set_background(-50.0)
    heard = b"".join(microphone.next_frame() for _ in range(100))
    assert level_dbfs(to_float(decode_mulaw(heard))) == pytest.approx(-50.0, abs=1.0)
    assert np.unique(np.frombuffer(heard, np.uint8)).size > 5
