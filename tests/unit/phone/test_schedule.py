"""The outgoing schedule is absolute: ten seconds of media do not drift."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.asyncs import async_test
from tests.fakes.phone_gateway import CALLER, OUR_NUMBER, FakeStream
from tests.unit.phone.world import loud, world
from toolbox.phone import Knobs, over_telephone, speak
from toolbox.phone.handset import Handset


class _Frames:
    """An outlet that keeps what it is given."""

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.audio = bytearray()

    def frame(self, audio: bytes, position: int) -> None:
        self.positions.append(position)
        self.audio += audio

    def digit(self, digit: str) -> None:
        raise AssertionError(digit)


@async_test
async def test_ten_seconds_do_not_drift_whatever_the_timer_does() -> None:
    now = [1000.0]
    handset = Handset(Knobs(), lambda: now[0])
    outlet = _Frames()
    handset.start()
    handset.attach(outlet)
    # The timer fires late by up to 7 ms each time, and once by a whole stall of 150 ms.
    lateness = itertools.cycle([0.0, 0.007, 0.001, 0.004])
    fired = 0
    while len(outlet.positions) < 500:
        fired += 1
        due = 1000.0 + (len(outlet.positions) + 1) * 0.02
        now[0] = due + (0.150 if fired == 100 else next(lateness)) + 1e-9
        handset._tick()
    # Every frame was sent for its own place in the schedule, and none moved the ones after it.
    assert outlet.positions == [160 * n for n in range(len(outlet.positions))]
    assert now[0] - 1000.0 < 500 * 0.02 + 0.16
    assert max(handset.lateness) == pytest.approx(0.150, abs=1e-6)
    assert sum(late > 0.02 for late in handset.lateness) == 7
    handset.stop()


@async_test
async def test_ten_seconds_of_a_real_call_keep_the_recorded_schedule() -> None:
    async def listen(stream: FakeStream) -> None:
        await stream.drain()

    async with world(listen) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.connected()
        spoken = await call.play_mulaw(loud(10.0)).finished()
        sent = len(call.handset.lateness)
        # What the lateness is counted against is the absolute schedule: origin + (n + 1) · 20 ms.
        last_due = call.handset.heard.origin + sent * 0.02
        assert last_due == pytest.approx(spoken.last_sample_at, abs=0.021)
        assert min(call.handset.lateness) >= 0.0
    media: list[dict[str, Any]] = [m["media"] for m in w.gateway.streams[0].messages if m["event"] == "media"]
    assert [int(m["timestamp"]) for m in media] == [20 * n for n in range(len(media))]
    assert loud(10.0) in w.gateway.streams[0].audio()


@async_test
async def test_speech_reaches_the_server_as_it_was_spoken() -> None:
    async with world() as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.connected()
        samples, rate = speak("good morning")
        await call.say(samples, rate).finished()
    assert over_telephone(samples, rate) in w.gateway.streams[0].audio()
