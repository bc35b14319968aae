"""The record of what was heard answers the benches' questions."""

from __future__ import annotations

import pytest

from tests.unit.phone.world import loud, quiet
from toolbox.phone import Heard, Playout
from toolbox.phone.track import Track

ORIGIN = 50.0


class _Ear:
    """A playout and its record under a hand-driven clock."""

    def __init__(self) -> None:
        self.playout = Playout(Track(8_000_000), 8_000_000)
        self.heard = Heard(self.playout.track, underrun_limit_s=0.5, kept_messages=10_000)
        self.heard.origin = ORIGIN

    def hear(self, after_s: float, audio: bytes) -> None:
        placed = self.playout.receive(round(after_s * 8000), audio)
        self.heard.note_media(ORIGIN + after_s, audio, placed)

    def clear(self, after_s: float) -> None:
        cleared = self.playout.clear(round(after_s * 8000))
        self.heard.note_clear(ORIGIN + after_s, round(after_s * 8000), cleared.dropped)


def test_the_first_received_frame_above_a_level() -> None:
    ear = _Ear()
    ear.hear(1.0, quiet(0.1))
    ear.hear(1.1, loud(0.02))
    ear.hear(1.2, loud(0.02))
    assert ear.heard.first_received_above(-45.0) == ORIGIN + 1.1
    assert ear.heard.first_received_above(-45.0, after=ORIGIN + 1.15) == ORIGIN + 1.2
    assert ear.heard.first_received_above(-1.0) is None


def test_audio_sent_ahead_is_heard_later_than_it_came() -> None:
    ear = _Ear()
    ear.hear(1.0, quiet(0.5))
    ear.hear(1.0, loud(0.2))
    assert ear.heard.first_received_above() == ORIGIN + 1.0
    assert ear.heard.first_heard_above() == pytest.approx(ORIGIN + 1.5)
    assert ear.heard.last_heard_above() == pytest.approx(ORIGIN + 1.7)


def test_a_hole_inside_a_playout_is_an_underrun_and_a_pause_is_not() -> None:
    ear = _Ear()
    ear.hear(1.0, loud(0.2))
    ear.hear(1.3, loud(0.2))
    ear.hear(4.0, loud(0.2))
    ((at, seconds),) = ear.heard.underruns()
    assert at == pytest.approx(ORIGIN + 1.2)
    assert seconds == pytest.approx(0.1)


def test_after_a_clear_new_audio_is_no_underrun() -> None:
    ear = _Ear()
    ear.hear(1.0, loud(2.0))
    ear.clear(1.5)
    ear.hear(1.6, loud(0.1))
    assert ear.heard.underruns() == []
    assert ear.heard.clears[0].dropped == round(1.5 * 8000)


def test_frames_are_late_against_the_schedule_of_their_run() -> None:
    ear = _Ear()
    for n, late in enumerate([0.0, 0.010, 0.015, 0.030, 0.0]):
        ear.hear(1.0 + n * 0.02 + late, loud(0.02))
    assert ear.heard.late_frames() == (1, 5)


def test_audio_ahead_of_real_time_is_never_late() -> None:
    ear = _Ear()
    for n in range(50):
        ear.hear(1.0 + n * 0.001, loud(0.02))
    assert ear.heard.late_frames() == (0, 50)


def test_stale_audio_is_what_arrives_after_a_clear_with_an_old_identity() -> None:
    ear = _Ear()
    ear.hear(1.0, b"\x10" * 160)
    ear.clear(1.1)
    ear.hear(1.2, b"\x10" * 320)
    ear.hear(1.3, b"\x20" * 160)
    assert ear.heard.stale_after_clear(lambda payload: payload[0]) == [pytest.approx(0.04)]


def test_seconds_received_in_a_window() -> None:
    ear = _Ear()
    for n in range(10):
        ear.hear(1.0 + n * 0.1, loud(0.1))
    assert ear.heard.received_seconds(after=ORIGIN + 1.25, before=ORIGIN + 1.65) == pytest.approx(0.4)
