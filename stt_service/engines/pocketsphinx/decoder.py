"""One pocketsphinx decoder. Everything here runs in the engine's thread."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from pathlib import Path

import pocketsphinx

from stt_service.engines.interface import Word
from stt_service.engines.pocketsphinx.acoustics import TelephoneModel
from stt_service.engines.pocketsphinx.sentences import SentenceGraph, is_garbage

_FRAME_S = 0.01
_MOST_GARBAGE = 0.5
"""A text is dropped when stray phones take more than this much of the words' own time."""

# By how much a frame of speech falls short of the best state there is, on average, in units of the model's log base:
# sentences that were said lie near the first figure (99 % of them below 70, at 25 dB SNR), those that the graph forced
# upon something else near the second (median 70). A frame of silence costs about as much as the third.
_SURE, _DOUBTFUL, _SILENCE = 30.0, 90.0, 10.0
_LOG_BASE = math.log(1.0001)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a decoder makes of the audio up to a point."""

    words: tuple[Word, ...]
    confidence: float
    """0 to 1; 0 without words."""

    @property
    def text(self) -> str:
        """The words as a sentence."""
        return " ".join(word.text for word in self.words)


NOTHING = Heard((), 0.0)


class SentenceDecoder:
    """Searches a graph as audio comes in; one utterance after another."""

    def __init__(self, model: TelephoneModel, dictionary: Path, graph: SentenceGraph) -> None:
        """Load; about a tenth of a second."""
        self._decoder = pocketsphinx.Decoder(
            dict=str(dictionary),
            lm=None,
            loglevel="FATAL",
            # Tuned on eSpeak voices over the telephone: fewer insertions, and no second pass, which cost time at the
            # end and made more errors than it mended.
            wip=0.1,
            bestpath=False,
            **model.settings,
        )
        fsg = self._decoder.create_fsg("sentences", graph.start, graph.final, list(graph.transitions))
        self._decoder.add_fsg("sentences", fsg)
        self._decoder.activate_search("sentences")
        self._open = False

    def begin(self) -> None:
        """Begin an utterance, with no memory of the one before: it may have been another caller's."""
        # A new front end (0.06 ms): the old one's estimates of noise and of the line would outlive the utterance.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._open = True

    def hear(self, pcm: bytes) -> None:
        """Take the next 16-bit samples at 16 kHz; the time it takes grows with their number."""
        self._decoder.process_raw(pcm)

    def end(self) -> None:
        """End the utterance, if one was begun."""
        if self._open:
            self._open = False
            with contextlib.suppress(RuntimeError):  # of an utterance without a whole frame
                self._decoder.end_utt()

    def best(self) -> Heard:
        """What it understands of the audio so far; the utterance goes on.

        This is also where finals come from. The alternative is to end the search, which insists on a silence after
        the last word (with 60 ms of it one sentence in eight was lost, this way none), and to hear everything again
        when the caller goes on.
        """
        hypothesis = self._decoder.hyp()
        if hypothesis is None or hypothesis.score <= 0:
            return NOTHING
        segments = [segment for segment in self._decoder.seg() if not segment.word.startswith(("<", "[", "("))]
        spoken = sum(_frames(segment) for segment in segments if not is_garbage(segment.word))
        stray = sum(_frames(segment) for segment in segments) - spoken
        if spoken == 0 or stray > _MOST_GARBAGE * spoken:
            return NOTHING
        silent = max(0, self._decoder.n_frames() - spoken - stray)
        shortfall = (-math.log(hypothesis.score) / _LOG_BASE - _SILENCE * silent) / (spoken + stray)
        confidence = min(1.0, max(0.0, (_DOUBTFUL - shortfall) / (_DOUBTFUL - _SURE)))
        if confidence == 0:
            return NOTHING
        return Heard(
            tuple(
                Word(
                    segment.word.partition("(")[0],
                    segment.start_frame * _FRAME_S,
                    (segment.end_frame + 1) * _FRAME_S,
                    confidence,
                )
                for segment in segments
                if not is_garbage(segment.word)
            ),
            confidence,
        )


def _frames(segment: pocketsphinx.Segment) -> int:
    return int(segment.end_frame - segment.start_frame + 1)
