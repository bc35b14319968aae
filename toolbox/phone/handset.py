"""The caller's end of a call: one microphone on an absolute schedule, one playout buffer, one record of what was heard.

A single timer per call drives the caller's side: outgoing frames and queued digits.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Callable
from typing import Protocol

from toolbox.phone.changes import Changes
from toolbox.phone.heard import Heard, MediaArrival
from toolbox.phone.knobs import SAMPLE_RATE_HZ, Knobs
from toolbox.phone.microphone import Microphone
from toolbox.phone.playout import MarkEcho, Playout
from toolbox.phone.track import Track


class Outlet(Protocol):
    """Where the caller's audio and digits go just now: a stream, a recording, another leg."""

    def frame(self, audio: bytes, position: int) -> None:
        """One frame of the schedule that starts at a sample position."""

    def digit(self, digit: str) -> None:
        """One key was pressed."""


class Handset:
    """Both directions of one call's audio on one clock."""

    def __init__(self, knobs: Knobs, clock: Callable[[], float]) -> None:
        kept = round(knobs.kept_audio_s * SAMPLE_RATE_HZ)
        self._clock = clock
        self._frame_bytes = knobs.frame_bytes
        self._frame_s = knobs.frame_bytes / SAMPLE_RATE_HZ
        self.microphone = Microphone(Track(kept), knobs.frame_bytes)
        self.playout = Playout(Track(kept), round(knobs.playout_cap_s * SAMPLE_RATE_HZ))
        self.heard = Heard(
            self.playout.track,
            underrun_limit_s=knobs.underrun_limit_s,
            kept_messages=max(1000, round(knobs.kept_audio_s * 50)),
        )
        self.lateness = array("d")
        self._kept_frames = round(knobs.kept_audio_s * 50)
        self.origin: float | None = None
        self._outlets: list[Outlet] = []
        self._digits: deque[tuple[int, str]] = deque()
        self._sent = 0
        self._timer: asyncio.TimerHandle | None = None
        self.changes = Changes()
        self.dropped_samples = 0

    # Life.

    def start(self) -> None:
        """The call was answered: position 0 is now."""
        self.origin = self.heard.origin = self.microphone.origin = self._clock()
        self._arm()

    def stop(self) -> None:
        """The call is over: nothing is spoken or heard any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.microphone.stop_speaking()
        self.hush()
        self._outlets.clear()
        self.changes.touch()

    def release_audio(self) -> None:
        """Forget the audio of both directions; times, marks and clears stay."""
        self.microphone.track.truncate(0)
        self.heard.release_audio()

    @property
    def running(self) -> bool:
        """Whether the call has been answered and is not over."""
        return self._timer is not None

    def attach(self, outlet: Outlet) -> None:
        """Send the caller's audio to an outlet from the next frame on."""
        self._outlets.append(outlet)

    def detach(self, outlet: Outlet) -> None:
        """Send nothing there any more."""
        if outlet in self._outlets:
            self._outlets.remove(outlet)

    def press(self, keys: str, gap_s: float) -> None:
        """Queue key presses, one every `gap_s`, from the next frame on; `w` waits half a second."""
        at = self._digits[-1][0] + round(gap_s * SAMPLE_RATE_HZ) if self._digits else self.microphone.position
        for key in keys:
            if key == "w":
                at += SAMPLE_RATE_HZ // 2
                continue
            self._digits.append((at, key))
            at += round(gap_s * SAMPLE_RATE_HZ)

    # The far end.

    def position(self, at: float | None = None) -> int:
        """The sample position of a time; now, when none is given."""
        now = self._clock() if at is None else at
        return 0 if self.origin is None else max(0, int((now - self.origin) * SAMPLE_RATE_HZ))

    def hear(self, audio: bytes, at: float) -> MediaArrival:
        """Agent audio arrived."""
        placed = self.playout.receive(self.position(at), audio)
        self.dropped_samples += placed.dropped
        arrival = self.heard.note_media(at, audio, placed)
        self.changes.touch()
        return arrival

    def clear(self, at: float) -> tuple[MarkEcho, ...]:
        """A `clear` arrived; returns the echoes it owes."""
        cleared = self.playout.clear(self.position(at))
        self.heard.note_clear(at, self.position(at), cleared.dropped)
        self.changes.touch()
        return cleared.echoes

    def play(self, audio: bytes) -> int:
        """The exchange itself plays audio (`<Play>`, `<Say>`, a beep); returns the position at which it ends."""
        end = self.playout.receive(self.position(), audio).end
        self.heard.cut_at(end)
        self.changes.touch()
        return end

    def hush(self) -> None:
        """What is buffered is not played: its stream or its verb is gone. No echo."""
        position = self.position()
        self.playout.forget_marks()
        cleared = self.playout.clear(position)
        if cleared.dropped:
            self.heard.cut_at(position)
        self.changes.touch()

    # The schedule.

    def _arm(self) -> None:
        assert self.origin is not None
        due = self.origin + (self._sent + 1) * self._frame_s
        self._timer = asyncio.get_running_loop().call_later(max(0.0, due - self._clock()), self._tick)

    def _tick(self) -> None:
        assert self.origin is not None
        now = self._clock()
        # Absolute: frame n leaves at origin + (n + 1) · 20 ms; after a stall all that is due leaves at once.
        while self._timer is not None and (due := self.origin + (self._sent + 1) * self._frame_s) <= now:
            position = self.microphone.position
            frame = self.microphone.next_frame()
            self._sent += 1
            if len(self.lateness) < self._kept_frames:
                self.lateness.append(now - due)
            digits = self._due_digits(position)
            for outlet in tuple(self._outlets):
                outlet.frame(frame, position)
                for digit in digits:
                    outlet.digit(digit)
        if self._timer is not None:
            self._arm()

    def _due_digits(self, position: int) -> list[str]:
        due: list[str] = []
        while self._digits and self._digits[0][0] <= position:
            due.append(self._digits.popleft()[1])
        return due
