"""Playout: order, pace, marks, clear, and what was heard, in virtual time."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.line import DropAudio, PlaceMark, PlayAudio
from gateway.playout import FirstSent, Heard, PlaybackReport, Playout

FRAME = b"\x01" * 160


class VirtualLine:
    """A far end with a buffer, in virtual time: plays at real time, echoes marks, can be emptied."""

    def __init__(self, playout: Playout, *, delay_s: float = 0.0, echoes: bool = True) -> None:
        self.playout = playout
        self.now = 0.0
        self.delay_s = delay_s
        self.echoes = echoes
        self.sent: list[tuple[float, bytes]] = []
        self.drops = 0
        self.reports: list[PlaybackReport] = []
        self.firsts: list[int] = []
        self.max_ahead_s = 0.0
        self._ends_at = 0.0
        self._marks: deque[tuple[float, str]] = deque()

    def run(self, until: float) -> None:
        """Let time pass, doing everything in its moment."""
        while True:
            self._step()
            times = [until]
            if self._marks and self.echoes:
                times.append(self._marks[0][0])
            wake = self.playout.wake_at(self.now)
            if wake is not None:
                times.append(wake)
            at = max(self.now, min(times))
            if at >= until and self.now >= until:
                return
            # Never stand still: a wake-up that is due now has just been served.
            self.now = at if at > self.now else min(until, self.now + 0.001)

    def _step(self) -> None:
        while self.echoes and self._marks and self._marks[0][0] <= self.now:
            self.playout.echo(self._marks.popleft()[1], self.now)
        for command in self.playout.poll(self.now):
            if isinstance(command, PlayAudio):
                self.sent.append((self.now, command.payload))
                self._ends_at = max(self._ends_at, self.now) + len(command.payload) / 8000
                self.max_ahead_s = max(self.max_ahead_s, self._ends_at - self.now)
            elif isinstance(command, PlaceMark):
                self._marks.append((max(self._ends_at, self.now) + self.delay_s, command.name))
            elif isinstance(command, DropAudio):
                self.drops += 1
                self._ends_at = self.now
                # Everything outstanding comes back at once, which proves nothing.
                self._marks = deque((self.now + self.delay_s, name) for _, name in self._marks)
        for news in self.playout.take_news():
            if isinstance(news, FirstSent):
                self.firsts.append(news.playout_id)
            else:
                self.reports.append(news)

    @property
    def sound(self) -> bytes:
        return b"".join(payload for _, payload in self.sent)

    def outcome(self, mark: int) -> PlaybackReport:
        found = [report for report in self.reports if report.mark == mark]
        assert len(found) == 1, self.reports
        return found[0]


def attached(**settings: float) -> Playout:
    playout = Playout(**settings)  # type: ignore[arg-type]
    playout.attach(0.0)
    return playout


def say(playout: Playout, playout_id: int, frames: int, *, mark: int, frame: bytes = FRAME) -> int:
    """A playout with a mark every ten frames; the number after its last mark."""
    playout.announce(playout_id)
    for seq in range(1, frames + 1):
        playout.audio(playout_id, seq, frame)
        if seq % 10 == 0 or seq == frames:
            playout.mark(playout_id, mark, last=seq == frames)
            mark += 1
    return mark


def test_the_first_frame_goes_out_at_once_and_the_rest_in_chunks_at_most_a_second_ahead() -> None:
    playout = attached()
    line = VirtualLine(playout)
    playout.announce(1)
    playout.audio(1, 1, FRAME)
    line.run(0.0)
    assert line.sent == [(0.0, FRAME)]
    for seq in range(2, 201):
        playout.audio(1, seq, FRAME)
    line.run(10.0)
    assert line.sound == FRAME * 200
    assert line.max_ahead_s <= 1.0 + 0.005
    assert {len(payload) for _, payload in line.sent[1:-1]} == {800}


def test_sound_that_comes_at_real_time_is_never_held_back_until_the_line_runs_dry() -> None:
    playout = attached()
    line = VirtualLine(playout)
    playout.announce(1)
    for seq in range(1, 101):
        playout.audio(1, seq, FRAME)
        line.run(seq * 0.02 - 0.02)
    line.run(3.0)
    assert line.sound == FRAME * 100
    # Each piece was there when the one before it had been played.
    ends_at = 0.0
    for at, payload in line.sent:
        assert at <= ends_at + 0.0201
        ends_at = max(ends_at, at) + len(payload) / 8000


def test_marks_come_back_as_reports_of_what_was_played() -> None:
    playout = attached()
    line = VirtualLine(playout, delay_s=0.1)
    say(playout, 1, 25, mark=1)
    line.run(2.0)
    assert [(r.mark, r.heard, round(r.position_s, 3), r.last) for r in line.reports] == [
        (1, Heard.PLAYED, 0.2, False),
        (2, Heard.PLAYED, 0.4, False),
        (3, Heard.PLAYED, 0.5, True),
    ]
    assert not any(report.estimated for report in line.reports)
    assert playout.is_over(1)
    assert playout.idle


def test_clear_drops_what_is_queued_and_buffered_and_reports_how_far_it_was_heard() -> None:
    playout = attached()
    line = VirtualLine(playout)
    marks = say(playout, 1, 200, mark=1)
    line.run(1.0)
    playout.clear(1, line.now)
    sent_before = line.sound
    line.run(5.0)
    assert line.drops == 1
    assert line.sound == sent_before
    assert line.outcome(5).heard is Heard.PLAYED
    for mark in range(6, marks):
        cleared = line.outcome(mark)
        assert cleared.heard is Heard.CLEARED
        assert cleared.position_s == pytest.approx(1.0, abs=0.05)
    assert line.reports[-1].last
    assert playout.is_over(1)


def test_nothing_of_a_cleared_playout_is_sent_however_late_it_arrives() -> None:
    playout = attached()
    line = VirtualLine(playout)
    playout.announce(1)
    playout.clear(3, 0.0)
    playout.audio(1, 1, FRAME)
    assert not playout.announce(2)
    playout.audio(2, 1, FRAME)
    playout.mark(2, 1, last=True)
    playout.announce(4)
    playout.audio(4, 1, b"\x04" * 160)
    line.run(1.0)
    assert line.sound == b"\x04" * 160
    assert playout.counts.stale == 4


def test_a_later_playout_that_was_sent_already_survives_the_clear_of_an_earlier_one() -> None:
    playout = attached()
    line = VirtualLine(playout)
    after = say(playout, 1, 20, mark=1)
    last = say(playout, 2, 20, mark=after, frame=b"\x02" * 160) - 1
    line.run(0.1)
    assert b"\x02" in line.sound
    playout.clear(1, line.now)
    line.run(0.1)
    line.sent.clear()
    line.run(2.0)
    assert line.drops == 1
    assert line.outcome(last).heard is Heard.PLAYED
    assert line.outcome(last).position_s == pytest.approx(0.4)


def test_echoes_that_a_cleared_line_gives_back_prove_nothing() -> None:
    playout = attached()
    line = VirtualLine(playout, delay_s=0.05)
    say(playout, 1, 30, mark=1)
    line.run(0.0)
    playout.clear(1, 0.0)
    line.run(1.0)
    assert {report.heard for report in line.reports} == {Heard.CLEARED}
    assert playout.counts.echoes_ignored > 0


def test_unknown_and_repeated_echoes_are_ignored() -> None:
    playout = attached()
    line = VirtualLine(playout)
    say(playout, 1, 10, mark=1)
    playout.echo("nonsense", 0.0)
    line.run(1.0)
    playout.echo("1.1.1", 1.0)
    playout.echo("1.1.1", 1.0)
    line.run(2.0)
    assert len(line.reports) == 1
    assert playout.counts.echoes_ignored == 3


def test_a_line_without_echoes_is_reckoned_by_the_clock_late_once_and_then_in_time() -> None:
    playout = attached(mark_timeout_s=1.5)
    line = VirtualLine(playout, echoes=False)
    say(playout, 1, 100, mark=1)
    arrivals: dict[int, float] = {}
    while len(arrivals) < 10:
        line.run(line.now + 0.01)
        for report in line.reports:
            arrivals.setdefault(report.mark, line.now)
    assert all(report.estimated and report.heard is Heard.PLAYED for report in line.reports)
    assert arrivals[1] == pytest.approx(0.2 + 1.5, abs=0.05)
    assert arrivals[10] == pytest.approx(2.0, abs=0.05)


def test_what_a_lost_line_had_not_played_is_sent_again_to_the_next() -> None:
    playout = attached()
    line = VirtualLine(playout)
    last = say(playout, 1, 100, mark=1) - 1
    line.run(0.5)
    assert line.outcome(2).heard is Heard.PLAYED
    playout.detach()
    assert playout.wake_at(0.5) is None
    assert playout.poll(0.5) == []
    other = VirtualLine(playout)
    other.now = 3.0
    playout.attach(3.0)
    other.run(10.0)
    # From the last mark that came back, nothing is missing.
    assert len(other.sound) == 160 * 100 - 3_200
    assert other.outcome(last).heard is Heard.PLAYED
    assert other.outcome(last).position_s == pytest.approx(2.0)


def test_gaps_and_duplicates_in_the_sequence_are_counted() -> None:
    playout = attached()
    playout.announce(1)
    for seq in (1, 2, 2, 5, 4, 6):
        playout.audio(1, seq, bytes([seq]) * 160)
    line = VirtualLine(playout)
    line.run(1.0)
    assert line.sound == b"".join(bytes([seq]) * 160 for seq in (1, 2, 5, 6))
    assert (playout.counts.duplicate, playout.counts.missing) == (2, 2)


def test_what_exceeds_the_queue_is_dropped_and_counted() -> None:
    playout = attached(max_queued_s=1.0)
    playout.announce(1)
    for seq in range(1, 101):
        playout.audio(1, seq, FRAME)
    assert playout.queued_s <= 1.0
    assert playout.counts.overflow == 50


def test_a_playout_without_marks_is_forgotten_when_it_must_have_been_heard() -> None:
    playout = attached()
    line = VirtualLine(playout)
    playout.announce(1)
    playout.audio(1, 1, FRAME)
    line.run(5.0)
    playout.poll(5.0)
    assert playout.idle
    playout.clear(1, 5.0)
    line.run(5.0)
    assert line.reports == [PlaybackReport(1, 0, Heard.CLEARED, 0.02, estimated=False, last=True)]


Step = tuple[str, int]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("say"), st.integers(1, 60)),
            st.tuples(st.just("clear"), st.integers(0, 3)),
            st.tuples(st.just("wait"), st.integers(1, 900)),
            st.tuples(st.just("lose line"), st.integers(0, 300)),
        ),
        max_size=14,
    ),
    st.floats(0.0, 0.3),
)
def test_every_mark_is_reported_once_and_nothing_cleared_is_sent(steps: list[Step], delay_s: float) -> None:
    playout = attached()
    line = VirtualLine(playout, delay_s=delay_s)
    playout_id, next_mark, cleared = 0, 1, 0
    for what, amount in steps:
        if what == "say":
            playout_id += 1
            next_mark = say(playout, playout_id, amount, mark=next_mark, frame=bytes([playout_id]) * 160)
        elif what == "clear" and playout_id - amount > cleared:
            cleared = playout_id - amount
            playout.clear(cleared, line.now)
            line.sent.clear()
        elif what == "wait":
            line.run(line.now + amount / 1000)
            assert not set(line.sound) & set(range(1, cleared + 1))
        elif what == "lose line":
            playout.detach()
            line.now += amount / 1000
            line._marks.clear()
            line._ends_at = line.now
            playout.attach(line.now)
    line.run(line.now + 60.0)
    assert not set(line.sound) & set(range(1, cleared + 1))
    assert playout.idle
    reported = [report.mark for report in line.reports if report.mark]
    assert sorted(reported) == list(range(1, next_mark))
    assert line.max_ahead_s <= 1.005
    for each in range(1, playout_id + 1):
        positions = [report.position_s for report in line.reports if report.playout_id == each]
        assert positions == sorted(positions)
