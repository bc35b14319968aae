"""The far end's buffer plays, marks and clears as a sample-by-sample model does."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from toolbox.phone import MarkEcho, Playout
from toolbox.phone.track import Track

SILENCE = 0xFF


def _playout(cap: int = 10_000) -> Playout:
    return Playout(Track(1_000_000), cap)


def test_audio_is_played_on_arrival_and_queued_behind_what_is_playing() -> None:
    playout = _playout()
    assert playout.receive(100, b"a" * 160).start == 100
    assert playout.receive(120, b"b" * 160).start == 260
    assert playout.buffered(120) == 300
    assert playout.track.read(90, 430) == b"\xff" * 10 + b"a" * 160 + b"b" * 160 + b"\xff" * 10


def test_a_hole_is_heard_as_silence() -> None:
    playout = _playout()
    playout.receive(0, b"a" * 10)
    assert playout.receive(15, b"b" * 10).start == 15
    assert playout.track.read(0, 25) == b"a" * 10 + b"\xff" * 5 + b"b" * 10


def test_a_mark_is_echoed_when_the_audio_before_it_was_played() -> None:
    playout = _playout()
    playout.receive(0, b"a" * 160)
    playout.mark(0, "end")
    assert playout.advance(159) == []
    assert playout.next_due() == 160
    assert playout.advance(200) == [MarkEcho("end", 160, cleared=False)]


def test_a_mark_on_an_empty_buffer_is_echoed_at_once() -> None:
    playout = _playout()
    playout.mark(50, "now")
    assert playout.advance(50) == [MarkEcho("now", 50, cleared=False)]


def test_clear_drops_the_unplayed_and_echoes_every_outstanding_mark() -> None:
    playout = _playout()
    playout.receive(0, b"a" * 160)
    playout.mark(0, "played")
    playout.receive(0, b"b" * 160)
    playout.mark(0, "cut")
    playout.mark(0, "cut too")
    cleared = playout.clear(200)
    assert cleared.dropped == 120
    assert cleared.echoes == (
        MarkEcho("played", 160, cleared=False),
        MarkEcho("cut", 200, cleared=True),
        MarkEcho("cut too", 200, cleared=True),
    )
    assert playout.track.read(0, 320) == b"a" * 160 + b"b" * 40 + b"\xff" * 120
    assert playout.receive(210, b"c").start == 210


def test_audio_beyond_the_cap_is_dropped() -> None:
    playout = _playout(cap=200)
    placed = playout.receive(0, b"a" * 300)
    assert (placed.end, placed.dropped) == (200, 100)
    assert playout.receive(50, b"b" * 300).dropped == 250


@dataclass
class NaivePlayout:
    """Plays one sample after another from a list."""

    now: int = 0
    queue: list[int | str] = field(default_factory=list)
    heard: bytearray = field(default_factory=bytearray)
    echoes: list[MarkEcho] = field(default_factory=list)

    def play_to(self, position: int) -> None:
        while True:
            while self.queue and isinstance(self.queue[0], str):
                self.echoes.append(MarkEcho(str(self.queue.pop(0)), self.now, cleared=False))
            if self.now >= position:
                return
            sample = self.queue.pop(0) if self.queue else SILENCE
            assert isinstance(sample, int)
            self.heard.append(sample)
            self.now += 1

    def clear(self) -> None:
        self.echoes.extend(MarkEcho(item, self.now, cleared=True) for item in self.queue if isinstance(item, str))
        self.queue.clear()


_EVENT = st.one_of(
    st.tuples(st.just("audio"), st.binary(min_size=0, max_size=40)),
    st.tuples(st.just("mark"), st.text("abc", max_size=2)),
    st.tuples(st.just("clear"), st.none()),
    st.tuples(st.just("look"), st.none()),
)


@given(st.lists(st.tuples(st.integers(0, 50), _EVENT), max_size=40))
def test_it_agrees_with_the_naive_model(events: list[tuple[int, tuple[str, bytes | str | None]]]) -> None:
    playout, naive, echoes, now = _playout(), NaivePlayout(), list[MarkEcho](), 0
    for wait, (kind, value) in events:
        now += wait
        naive.play_to(now)
        if isinstance(value, bytes):
            playout.receive(now, value)
            naive.queue.extend(value)
        elif isinstance(value, str):
            playout.mark(now, value)
            naive.queue.append(value)
        elif kind == "clear":
            echoes += playout.clear(now).echoes
            naive.clear()
        else:
            echoes += playout.advance(now)
    end = now + 2000
    echoes += playout.advance(end)
    naive.play_to(end)
    assert echoes == naive.echoes
    assert playout.track.read(0, end) == bytes(naive.heard)


@given(st.lists(st.tuples(st.integers(0, 30), st.binary(max_size=60)), max_size=30), st.integers(1, 100))
def test_a_bounded_track_keeps_the_end(pieces: list[tuple[int, bytes]], kept: int) -> None:
    bounded, whole = Track(kept), Track(1_000_000)
    for hole, audio in pieces:
        position = len(whole) + hole
        bounded.write(position, audio)
        whole.write(position, audio)
    assert len(bounded) == len(whole)
    assert bounded.read(bounded.base, len(bounded)) == whole.read(bounded.base, len(whole))
    assert len(bounded) - bounded.base <= kept + kept // 10
    assert len(bounded) - bounded.base >= min(len(whole), kept)
