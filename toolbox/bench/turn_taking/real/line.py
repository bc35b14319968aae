"""One caller's line in real time: its noise never stops, it may have an echo, and it keeps what it sent."""

from __future__ import annotations

import numpy as np

from servicekit.audio import decode_mulaw, encode_mulaw, to_float, to_int16
from toolbox.bench.turn_taking.corpus import CallPlan, Take, Word, line_noise
from toolbox.bench.turn_taking.replies import GREETING, SpokenReply
from toolbox.bench.turn_taking.truth import SpokenWords
from toolbox.phone import Heard, Spoken
from toolbox.phone.handset import Handset
from toolbox.phone.microphone import Microphone
from toolbox.phone.track import Track

_RATE_KHZ = 8.0
_KEPT_SAMPLES = 8000 * 3600


class LineMicrophone(Microphone):
    """A microphone that also picks up what its own earpiece plays."""

    def __init__(self, frame_bytes: int, heard: Heard, plan: CallPlan) -> None:
        super().__init__(Track(_KEPT_SAMPLES), frame_bytes)
        self.sent = Track(_KEPT_SAMPLES)
        """What went into the network, sample for sample."""
        self._heard = heard
        self._echo = plan.echo
        self._gain = np.float32(10 ** (plan.echo.gain_db / 20)) if plan.echo is not None else np.float32(0)
        self._background = encode_mulaw(to_int16(line_noise(plan.speaker, plan.seed)))

    def next_frame(self) -> bytes:
        """The next frame of the schedule, echo and all."""
        start = self.position
        frame = super().next_frame()
        if self._echo is not None:
            # The echo is later than a frame is long: what it is of has been played and cannot be cleared any more.
            back = start - round(self._echo.delay_ms * _RATE_KHZ)
            played = self._heard.track.read(max(0, back), max(0, back) + len(frame)) if back >= 0 else b""
            if played:
                mixed = to_float(decode_mulaw(frame)) + self._gain * to_float(decode_mulaw(played))
                frame = encode_mulaw(to_int16(np.asarray(mixed, np.float32)))
        self.sent.write(start, frame)
        return frame


class CallerLine:
    """What the bench knows of one call's line; times are ms since the call was answered."""

    def __init__(self, handset: Handset, plan: CallPlan, reply: SpokenReply, frame_bytes: int = 160) -> None:
        """Put a `LineMicrophone` into a handset that has not started yet."""
        self.microphone = LineMicrophone(frame_bytes, handset.heard, plan)
        handset.microphone = self.microphone
        self.handset = handset
        self.words = SpokenWords(echo=self._echo_words)
        self._plan = plan
        self.reply = reply

    @property
    def now_ms(self) -> float:
        """Up to where sound was sent."""
        return self.microphone.position / _RATE_KHZ

    def ms_of(self, at: float) -> float:
        """A monotonic time in ms of the call."""
        return (at - self.handset.heard.origin) * 1000.0

    def play(self, take: Take) -> tuple[Spoken, float]:
        """Play a take behind what is queued; returns its handle and where it begins, in ms of the call."""
        spoken = self.microphone.queue(take.mulaw)
        begins = spoken.start / _RATE_KHZ
        self.words.add(take.words, begins)
        return spoken, begins

    def find(self, sound: bytes, *, within_ms: float) -> float | None:
        """Where a stretch of sound was sent on this line lately, in ms of the call; None where it was not."""
        sent = self.microphone.sent
        start = max(sent.base, len(sent) - round(within_ms * _RATE_KHZ))
        place = sent.read(start, len(sent)).rfind(sound)
        return None if place < 0 else (start + place) / _RATE_KHZ

    def _echo_words(self, from_ms: float, to_ms: float) -> list[Word]:
        """Words of the reply that the line gave back, timed by when each stretch of the agent's sound began."""
        echo = self._plan.echo
        if echo is None:
            return []
        words: list[Word] = []
        texts, starts = self.reply.text.split(), (*self.reply.word_starts_ms, self.reply.length_ms)
        for number, (begin_ms, end_ms, offset_ms) in enumerate(self._agent_runs(to_ms - echo.delay_ms)):
            if number == 0:
                # The greeting, which is one word.
                begin, end = begin_ms + echo.delay_ms, end_ms + echo.delay_ms
                if begin >= from_ms and end <= to_ms:
                    words.append(Word(GREETING, begin, end, ""))
                continue
            for index, text in enumerate(texts):
                begin = begin_ms + starts[index] - offset_ms + echo.delay_ms
                end = begin_ms + starts[index + 1] - offset_ms + echo.delay_ms
                audible = starts[index] >= offset_ms and end <= end_ms + echo.delay_ms
                if audible and begin >= from_ms and end <= to_ms:
                    words.append(Word(text, begin, end, ""))
        return words

    def _agent_runs(self, until_ms: float) -> list[tuple[float, float, float]]:
        """Stretches of the agent's sound: begin, end, and the place in the reply where each begins."""
        heard = self.handset.heard
        clears = [clear.position / _RATE_KHZ for clear in heard.clears]
        runs: list[tuple[float, float, float]] = []
        for arrival in heard.media:
            begin, end = arrival.start / _RATE_KHZ, min(arrival.end / _RATE_KHZ, until_ms)
            # A `clear` that came after it took back what had not been played by then, be it all of it.
            emptied = next((clear.position for clear in heard.clears if clear.at >= arrival.at), None)
            if emptied is not None:
                end = min(end, emptied / _RATE_KHZ)
            if end <= begin:
                continue
            if runs and 0 <= arrival.gap < 8000 and arrival.gap / _RATE_KHZ + runs[-1][1] >= begin - 1.0:
                runs[-1] = (runs[-1][0], end, runs[-1][2])
                continue
            offset = 0.0
            if runs and any(runs[-1][1] - 1.0 <= at <= begin for at in clears) and begin - runs[-1][1] < 1500.0:
                offset = self.reply.resume_ms(runs[-1][2] + runs[-1][1] - runs[-1][0])
            runs.append((begin, end, offset))
        return runs
