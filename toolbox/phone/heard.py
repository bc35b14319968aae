"""The record of what reached the caller's end: what arrived, when, and what was heard of it.

Times are monotonic seconds (the phone's clock), positions are samples at 8 kHz since the call was answered.
"""

from __future__ import annotations

import bisect
import itertools
from array import array
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import decode_mulaw, to_float
from toolbox.phone.knobs import SAMPLE_RATE_HZ
from toolbox.phone.playout import Placed
from toolbox.phone.track import Track

FRAME = 160
"""20 ms: levels are taken over frames of this many samples."""

_POWER: NDArray[np.float64] = np.square(to_float(decode_mulaw(bytes(range(256)))).astype(np.float64))


def frame_powers(mulaw: bytes) -> NDArray[np.float64]:
    """Mean power of each 20 ms frame (the last may be shorter), full scale = 1.0. Shape [frames]."""
    power = _POWER[np.frombuffer(mulaw, np.uint8)]
    if power.size <= FRAME:
        return power.mean(keepdims=True) if power.size else np.zeros(0)
    starts = np.arange(0, power.size, FRAME)
    lengths = np.diff(np.append(starts, power.size))
    return np.asarray(np.add.reduceat(power, starts) / lengths)


def loudest_power(mulaw: bytes) -> float:
    """Mean power of the loudest 20 ms; the usual single frame without detours."""
    if 0 < len(mulaw) <= FRAME:
        return float(np.add.reduce(_POWER[np.frombuffer(mulaw, np.uint8)])) / len(mulaw)
    powers = frame_powers(mulaw)
    return float(powers.max()) if powers.size else 0.0


def power_of_dbfs(level_dbfs: float) -> float:
    """Mean power of a level in dBFS (a full-scale constant is 0 dBFS)."""
    return float(10 ** (level_dbfs / 10))


@dataclass(slots=True)
class MediaArrival:
    """One media message of the agent. (Not frozen: fifty a second are made for each call.)"""

    at: float
    start: int
    size: int
    gap: int
    """Samples of silence between the audio before it and its own start."""
    loudest: float
    """Mean power of its loudest 20 ms."""
    payload: bytes

    @property
    def end(self) -> int:
        """The position after its last sample, had no `clear` come."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class ClearArrival:
    """One `clear`; `dropped` samples were still unplayed."""

    at: float
    position: int
    dropped: int


@dataclass(slots=True)
class HeardMark:
    """One mark of the agent and what became of it."""

    name: str
    received_at: float
    behind: int = 0
    """Position at which the sound that came before it ends."""
    echoed_at: float | None = None
    cleared: bool = False


class Heard:
    """Everything that arrived for the caller in one call, for tests and benches to question."""

    def __init__(self, track: Track, *, underrun_limit_s: float, kept_messages: int) -> None:
        self.track = track
        self.media: list[MediaArrival] = []
        self.clears: list[ClearArrival] = []
        self.marks: list[HeardMark] = []
        self.origin = 0.0
        self._underrun_limit = round(underrun_limit_s * SAMPLE_RATE_HZ)
        self._kept_messages = kept_messages
        self._arrivals = array("d")
        self._end = 0
        self._cut = False

    # Writing, by the line.

    def note_media(self, at: float, payload: bytes, placed: Placed) -> MediaArrival:
        """Record a media message and where it was placed."""
        arrival = MediaArrival(
            at=at,
            start=placed.start,
            size=len(payload),
            gap=-1 if self._cut or not self.media else placed.start - self._end,
            loudest=loudest_power(payload),
            payload=payload,
        )
        self.media.append(arrival)
        self._arrivals.append(at)
        self._end = placed.end
        self._cut = False
        if len(self.media) > self._kept_messages + self._kept_messages // 10:
            excess = len(self.media) - self._kept_messages
            del self.media[:excess]
            del self._arrivals[:excess]
        return arrival

    def note_mark(self, at: float, name: str) -> HeardMark:
        """Record a mark behind what came so far."""
        mark = HeardMark(name, at, behind=self._end)
        self.marks.append(mark)
        return mark

    def note_clear(self, at: float, position: int, dropped: int) -> None:
        """Record a `clear`."""
        self.clears.append(ClearArrival(at, position, dropped))
        self._end = position
        self._cut = True

    def cut_at(self, position: int) -> None:
        """What was buffered beyond a position is not heard, though no `clear` came: the stream is gone."""
        self._end = position
        self._cut = True

    def release_audio(self) -> None:
        """Forget what was heard."""
        self.track.truncate(0)
        self.media.clear()
        del self._arrivals[:]

    # Asking.

    def since(self, after: float) -> Iterator[MediaArrival]:
        """Media messages that arrived at or after a time."""
        return itertools.islice(self.media, bisect.bisect_left(self._arrivals, after), None)

    def first_received_above(self, level_dbfs: float = -45.0, *, after: float = 0.0) -> float | None:
        """Arrival time of the first message at or after `after` that holds a 20 ms frame above a level."""
        floor = power_of_dbfs(level_dbfs)
        return next((arrival.at for arrival in self.since(after) if arrival.loudest > floor), None)

    def first_heard_above(self, level_dbfs: float = -45.0, *, after: float = 0.0) -> float | None:
        """Time at which sound above a level (over 20 ms) began to be played at or after `after`."""
        found = self._loud_span(level_dbfs, after)
        return None if found is None else self.time_of(found[0])

    def last_heard_above(self, level_dbfs: float = -45.0, *, after: float = 0.0) -> float | None:
        """Time at which the last sound above a level (over 20 ms) ended or, still buffered, will end."""
        found = self._loud_span(level_dbfs, after)
        return None if found is None else self.time_of(found[1])

    def _loud_span(self, level_dbfs: float, after: float) -> tuple[int, int] | None:
        """First and last position of sound: frames find it, samples give its edge."""
        start = max(self.track.base, self.position_at(after))
        floor = power_of_dbfs(level_dbfs)
        audio = self.track.read(start, max(start, len(self.track)))
        loud = np.flatnonzero(frame_powers(audio) > floor)
        if not loud.size:
            return None
        powers = _POWER[np.frombuffer(audio, np.uint8)]
        first, last = int(loud[0]) * FRAME, int(loud[-1]) * FRAME
        begins = first + int(np.argmax(powers[first : first + FRAME] > floor))
        ends = powers[last : last + FRAME][::-1]
        return start + begins, start + last + ends.size - int(np.argmax(ends > floor))

    def first_clear(self, *, after: float = 0.0) -> float | None:
        """Arrival time of the first `clear` at or after a time."""
        return next((clear.at for clear in self.clears if clear.at >= after), None)

    def underruns(self) -> list[tuple[float, float]]:
        """(time, seconds) of each hole inside a playout: the buffer ran dry and the audio went on soon after."""
        return [
            (self.time_of(arrival.start - arrival.gap), arrival.gap / SAMPLE_RATE_HZ)
            for arrival in self.media
            if 0 < arrival.gap <= self._underrun_limit
        ]

    def late_frames(self, threshold_s: float = 0.020) -> tuple[int, int]:
        """(late, all) frames of 20 ms, against the absolute schedule of their run.

        A run starts with the first message after a pause or a `clear`; its n-th sample is due n/8000 s after the
        run's first arrival. A frame is late when its message arrived more than the threshold after that.
        """
        late = total = 0
        run_started = 0.0
        run_samples = 0
        for arrival in self.media:
            if arrival.gap < 0 or arrival.gap > self._underrun_limit:
                run_started, run_samples = arrival.at, 0
            frames = -(-arrival.size // FRAME)
            total += frames
            if arrival.at - (run_started + run_samples / SAMPLE_RATE_HZ) > threshold_s:
                late += frames
            run_samples += arrival.size
        return late, total

    def stale_after_clear(self, identify: Callable[[bytes], Hashable | None]) -> list[float]:
        """Seconds of audio per `clear` that arrived after it although their identity had been heard of before it.

        `identify` names the playout a message belongs to (None: unknown), for instance from a pattern in its audio.
        """
        named = [(arrival.at, arrival.size, identify(arrival.payload)) for arrival in self.media]
        stale: list[float] = []
        for clear in self.clears:
            before = {name for at, _, name in named if at <= clear.at and name is not None}
            stale.append(sum(size for at, size, name in named if at > clear.at and name in before) / SAMPLE_RATE_HZ)
        return stale

    def received_seconds(self, *, after: float = 0.0, before: float = float("inf")) -> float:
        """Seconds of agent audio that arrived in [after, before)."""
        sizes = (arrival.size for arrival in itertools.takewhile(lambda a: a.at < before, self.since(after)))
        return sum(sizes) / SAMPLE_RATE_HZ

    def position_at(self, at: float) -> int:
        """The sample position of a monotonic time."""
        return max(0, round((at - self.origin) * SAMPLE_RATE_HZ))

    def time_of(self, position: int) -> float:
        """The monotonic time of a sample position."""
        return self.origin + position / SAMPLE_RATE_HZ
