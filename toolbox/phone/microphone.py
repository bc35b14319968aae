"""The caller's voice: speech queued on an absolute 20 ms schedule, silence or room noise in between.

Sample k of the call is spoken at origin + k/8000. A frame is sent when its last sample has been spoken, as a real
telephone does, so a handle's times are acoustic: exact, and known as soon as the speech is queued.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np

from toolbox.phone.heard import FRAME, frame_powers
from toolbox.phone.knobs import MULAW_SILENCE, SAMPLE_RATE_HZ
from toolbox.phone.line import room_noise
from toolbox.phone.track import Track


@dataclass(eq=False)
class Spoken:
    """A handle on queued speech. Times are monotonic seconds of the phone's clock."""

    start: int
    end: int
    speech_start: int
    speech_end: int
    microphone: Microphone
    cut: bool = False
    _done: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def first_sample_at(self) -> float:
        """When the first sample is spoken."""
        return self.microphone.time_of(self.start)

    @property
    def last_sample_at(self) -> float:
        """When the last sample has been spoken."""
        return self.microphone.time_of(self.end)

    @property
    def speech_started_at(self) -> float:
        """When the first audible 20 ms begin: the true start of speech."""
        return self.microphone.time_of(self.speech_start)

    @property
    def speech_ended_at(self) -> float:
        """When the last audible 20 ms end: the true end of speech, from which latency counts."""
        return self.microphone.time_of(self.speech_end)

    @property
    def seconds(self) -> float:
        """Length of what was queued."""
        return (self.end - self.start) / SAMPLE_RATE_HZ

    async def finished(self) -> Spoken:
        """Wait until the last frame has been sent, or the speech was cut."""
        await self._done.wait()
        return self

    def end_at(self, position: int) -> None:
        """Cut the speech short at a position (a no-op where it ended before)."""
        if position < self.end:
            self.cut = True
            self.end = position
            self.start, self.speech_start, self.speech_end = (
                min(at, position) for at in (self.start, self.speech_start, self.speech_end)
            )

    def finish(self) -> None:
        """Wake those who wait."""
        self._done.set()


class Microphone:
    """A queue of speech with explicit positions; sans-IO: the handset asks it for one frame after another."""

    def __init__(self, track: Track, frame_bytes: int) -> None:
        self.track = track
        self.origin = 0.0
        self.position = 0
        self._frame_bytes = frame_bytes
        self._pending: list[Spoken] = []
        self._background = bytes([MULAW_SILENCE]) * SAMPLE_RATE_HZ

    def set_background(self, level_dbfs: float | None, seed: int = 0) -> None:
        """Fill pauses with band-limited noise at a level, or with digital silence (None)."""
        silence = bytes([MULAW_SILENCE]) * SAMPLE_RATE_HZ
        self._background = silence if level_dbfs is None else room_noise(4.0, level_dbfs, seed=seed)

    def queue(self, mulaw: bytes, *, floor_dbfs: float = -45.0) -> Spoken:
        """Queue speech behind what is queued already, from the next frame on."""
        start = max(len(self.track), self.position)
        start += -start % self._frame_bytes
        self._fill(start)
        self.track.write(start, mulaw)
        end = start + len(mulaw)
        # Relative to the speech's own loudest frame, so that quiet speech has an end too.
        powers = frame_powers(mulaw)
        floor = min(10 ** (floor_dbfs / 10), float(powers.max()) / 1e3) if powers.size else 0.0
        loud = np.flatnonzero(powers > floor)
        first, last = (int(loud[0]), int(loud[-1]) + 1) if loud.size else (0, 0)
        spoken = Spoken(start, end, start + first * FRAME, min(end, start + last * FRAME), self)
        self._pending.append(spoken)
        return spoken

    def stay_silent(self, seconds: float) -> None:
        """Queue a pause: speech queued later starts so much later."""
        self._fill(max(len(self.track), self.position) + round(seconds * SAMPLE_RATE_HZ))

    def next_frame(self) -> bytes:
        """The next frame of the schedule."""
        end = self.position + self._frame_bytes
        self._fill(end)
        frame = self.track.read(self.position, end)
        self.position = end
        if self._pending:
            self._settle()
        return frame

    def stop_speaking(self) -> None:
        """Fall silent with the next frame; what was queued is forgotten."""
        self.track.truncate(self.position)
        for spoken in self._pending:
            spoken.end_at(self.position)
        self._settle()

    @property
    def speaking_until(self) -> int:
        """The position at which everything queued will have been spoken."""
        return max((spoken.end for spoken in self._pending), default=self.position)

    def time_of(self, position: int) -> float:
        """The monotonic time of a sample position."""
        return self.origin + position / SAMPLE_RATE_HZ

    def _settle(self) -> None:
        for spoken in self._pending:
            if spoken.end <= self.position:
                spoken.finish()
        self._pending = [spoken for spoken in self._pending if spoken.end > self.position]

    def _fill(self, end: int) -> None:
        missing = end - len(self.track)
        while missing > 0:
            offset = len(self.track) % len(self._background)
            piece = self._background[offset : offset + missing]
            self.track.write(len(self.track), piece)
            missing -= len(piece)
