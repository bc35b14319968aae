"""One utterance on its way through a Moonshine transcriber. Everything here blocks and runs in one thread at a time.

The library cuts speech into lines where its voice detection hears a pause, and works on a line as it grows. It keeps
back the last frames until the line is over, so a final answer means ending the stream. Where the caller goes on after
one, a new stream begins with the last line's own audio again: no word is cut in two, and never more than one line (at
most 15 s) is heard twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import level_dbfs
from stt_service.engines.interface import Word

MOONSHINE_HZ = 16_000
_BITE = MOONSHINE_HZ // 10
"""The library's Python face takes lists: long ones would hold the interpreter too long at once."""
_NEVER_S = 1e9
_FORCE_UPDATE = 1
"""The library's flag: look at all audio now, however little it is."""
_TAIL = np.zeros(512, np.float32)
"""A stream that ends with nothing new to look at forgets the frames that it kept back."""
_LEVEL_WINDOW = MOONSHINE_HZ // 50
_LOOK_BACK = MOONSHINE_HZ
"""Audio before the first line that is heard again, so that no onset is lost."""


class MoonshineFailedError(Exception):
    """The library failed; the message names no speech."""


@dataclass(frozen=True, slots=True)
class Line:
    """A stretch of speech between two pauses; seconds count from the utterance's start."""

    text: str
    start_s: float
    words: tuple[Word, ...]


class Listening:
    """Hears one utterance with a transcriber that serves nobody else meanwhile.

    A transcriber keeps one model state for all its streams: two utterances in turns would make it begin again and
    again, two threads would corrupt it.
    """

    def __init__(self, transcriber: Any, hotwords: Sequence[str], *, silence_dbfs: float) -> None:
        """``transcriber`` is a `moonshine_voice.Transcriber`."""
        self._transcriber = transcriber
        self._hotwords = [term for word in hotwords if (term := word.replace(",", " ").strip())]
        self._silence_dbfs = silence_dbfs
        self._stream: Any = None
        self._began = False
        self._origin = 0  # the sample at which the stream began
        self._before: list[Line] = []  # of earlier streams
        self._lines: list[Line] = []  # of this stream
        self._audio: list[NDArray[np.float32]] = []  # since self._kept_from
        self._kept_from = 0
        self._heard = 0

    @property
    def lines(self) -> list[Line]:
        """All that is understood so far."""
        return [*self._before, *self._lines]

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Take samples ``[n]``. Silence after an answer is only kept. Raises MoonshineFailedError."""
        if not len(samples):
            return
        self._audio.append(samples)
        self._heard += len(samples)
        if self._stream is not None:
            self._give(samples)
        elif not self._began or not self._is_quiet(samples):
            self._begin()

    def update(self) -> None:
        """Understand what was heard so far, as far as it can be told yet. Raises MoonshineFailedError."""
        if self._stream is not None:
            self._take(self._call(lambda: self._stream.update_transcription(_FORCE_UPDATE)))

    def finish(self) -> None:
        """Understand all that was heard, to its end; more may follow. Raises MoonshineFailedError."""
        if self._stream is None:
            return
        self._give(_TAIL)
        # It swallows its own failure, and answers None then.
        transcript = self._call(self._stream.stop)
        if transcript is None:
            raise MoonshineFailedError("it ended without a transcript")
        self._take(transcript)
        self.close()

    def close(self) -> None:
        """Let go of the stream; again does nothing."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _begin(self) -> None:
        """Begin a stream with the audio that may still belong to words to come."""
        if self._began:
            start = round(self._lines[-1].start_s * MOONSHINE_HZ) if self._lines else self._heard - _LOOK_BACK
            self._before += self._lines[:-1]
            self._lines = []
        else:
            self._call(lambda: self._transcriber.set_keyterms(self._hotwords))
            start = 0
        self._began = True
        kept = np.concatenate(self._audio)
        start = min(max(start, self._kept_from), self._heard)
        kept = kept[start - self._kept_from :]
        self._audio, self._kept_from, self._origin = [kept], start, start
        self._stream = self._call(lambda: self._transcriber.create_stream(update_interval=_NEVER_S))
        self._call(self._stream.start)
        self._give(kept)

    def _give(self, samples: NDArray[np.float32]) -> None:
        for start in range(0, len(samples), _BITE):
            bite = samples[start : start + _BITE].tolist()
            self._call(lambda bite=bite: self._stream.add_audio(bite, MOONSHINE_HZ))

    def _take(self, transcript: Any) -> None:
        origin_s = self._origin / MOONSHINE_HZ
        self._lines = [
            Line(
                line.text.strip(),
                origin_s + line.start_time,
                tuple(
                    Word(
                        word.word.strip(),
                        origin_s + word.start,
                        origin_s + word.end,
                        min(1.0, max(0.0, word.confidence)),
                    )
                    for word in line.words or ()
                ),
            )
            for line in transcript.lines
        ]
        if self._lines:
            self._forget_before(round(self._lines[-1].start_s * MOONSHINE_HZ))
        else:
            self._forget_before(self._heard - _LOOK_BACK)

    def _forget_before(self, sample: int) -> None:
        """Drop whole pieces of audio that no new stream would begin with."""
        while self._audio and self._kept_from + len(self._audio[0]) <= sample:
            self._kept_from += len(self._audio.pop(0))

    def _is_quiet(self, samples: NDArray[np.float32]) -> bool:
        starts = range(0, len(samples), _LEVEL_WINDOW)
        return all(level_dbfs(samples[at : at + _LEVEL_WINDOW]) < self._silence_dbfs for at in starts)

    def _call(self, call: Any) -> Any:
        try:
            return call()
        except Exception as error:
            raise MoonshineFailedError(type(error).__name__) from error
