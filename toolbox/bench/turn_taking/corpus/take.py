"""A take: sound as it leaves the caller's telephone, and what is true of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import encode_mulaw, to_int16
from toolbox.bench.turn_taking.corpus.places import Piece
from toolbox.bench.turn_taking.corpus.speakers import Speaker
from toolbox.bench.turn_taking.corpus.voice import RATE_HZ, Voiced, Word, say
from toolbox.phone.line import noise

# So much of the line before and after it belongs to a take: a detector has settled when it ends.
LEAD_MS = 320.0
TAIL_MS = 640.0
_NOISE_PERIOD_S = 16


@dataclass(frozen=True)
class Take:
    """Sound of a caller. All times are ms from the take's first sample.

    ``speech_start_ms`` and ``speech_end_ms`` are those of the sound, by energy; ``pauses`` lie between them, each from
    the end of sound to its return. ``words`` is empty for a noise.
    """

    mulaw: bytes
    words: tuple[Word, ...]
    speech_start_ms: float
    speech_end_ms: float
    pauses: tuple[tuple[float, float], ...] = ()

    @property
    def length_ms(self) -> float:
        """How long it is, with the line before and after."""
        return len(self.mulaw) * 1000.0 / RATE_HZ


def written(words: Sequence[Word]) -> str:
    """What a recogniser with punctuation writes for these words, if nothing follows them."""
    text = " ".join(word.text for word in words if word.text)
    if not words:
        return ""
    closing = words[-1].closing
    return (text.rstrip(",.?!") if closing else text.rstrip(",")) + closing


def spoken_take(pieces: Sequence[Piece], gaps_ms: Sequence[float], speaker: Speaker, seed: int) -> Take:
    """Pieces as a caller says them, with exact silences between: one gap fewer than pieces."""
    voiced = [say(piece, speaker) for piece in pieces]
    sounds: list[NDArray[np.float32]] = [_silence(LEAD_MS)]
    words: list[Word] = []
    pauses: list[tuple[float, float]] = []
    at = LEAD_MS
    for index, part in enumerate(voiced):
        if index:
            gap = _silence(gaps_ms[index - 1])
            sounds.append(gap)
            after = at + gap.size * 1000.0 / RATE_HZ
            pauses.append((at, after))
            at = after
        sounds.append(part.samples)
        words.extend(moved(part, at))
        at += part.length_ms
    sounds.append(_silence(TAIL_MS))
    return Take(on_the_line(np.concatenate(sounds), speaker, seed), tuple(words), LEAD_MS, at, tuple(pauses))


def noise_take(samples: NDArray[np.float32], words: tuple[Word, ...], speaker: Speaker, seed: int) -> Take:
    """A noise in place of speech."""
    sound = np.concatenate([_silence(LEAD_MS), samples, _silence(TAIL_MS)])
    end = LEAD_MS + samples.size * 1000.0 / RATE_HZ
    return Take(on_the_line(sound, speaker, seed), words, LEAD_MS, end)


def moved(voiced: Voiced, by_ms: float) -> list[Word]:
    """The words of a piece that begins later."""
    return [Word(word.text, word.start_ms + by_ms, word.end_ms + by_ms, word.closing) for word in voiced.words]


def on_the_line(samples: NDArray[np.float32], speaker: Speaker, seed: int) -> bytes:
    """Add the line's noise and send it as μ-law."""
    bed = line_noise(speaker, seed)
    offset = random.Random(seed).randrange(bed.size)
    bed = np.resize(np.roll(bed, -offset), samples.size)
    return encode_mulaw(to_int16(np.asarray(samples + bed, np.float32)))


def line_noise(speaker: Speaker, seed: int) -> NDArray[np.float32]:
    """The noise of one call's line, a period of it: float32 ``[128000]`` at 8 kHz."""
    return noise(_NOISE_PERIOD_S * RATE_HZ, speaker.noise_dbfs, seed=seed % 64)


def _silence(ms: float) -> NDArray[np.float32]:
    return np.zeros(round(ms * RATE_HZ / 1000.0), np.float32)
