"""Which words a sentence's phonemes say, and where they lie in its sound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tts_service.speech import WordSpan
from tts_service.text import is_pronounceable

_WORD = re.compile(r"\S+")
_PAD, _BEGIN = "_", "^"


@dataclass(frozen=True)
class SpokenWord:
    """A word's samples, from the piece's start."""

    start_sample: int
    end_sample: int


def spoken_words(
    phonemes: Sequence[str], durations: Sequence[int], ids: Mapping[str, Sequence[int]], origin: int
) -> list[SpokenWord]:
    """The words of one sentence, which spaces separate; none where durations and phonemes do not fit.

    Args:
        phonemes: As Piper pronounces the sentence; those without an id are left out by it.
        durations: Samples of each id: the begin mark, every phoneme's, each followed by a pad, and the end mark.
        ids: The voice's own map.
        origin: Samples before the sentence.
    """
    pad = len(ids.get(_PAD, ()))
    index = len(ids.get(_BEGIN, ())) + pad
    position = origin + sum(durations[:index])
    words: list[SpokenWord] = []
    start, voiced = position, False
    for phoneme in phonemes:
        if phoneme not in ids:
            continue
        length = len(ids[phoneme]) + pad
        if phoneme.isspace():
            if voiced:
                words.append(SpokenWord(start, position))
            start, voiced = position + sum(durations[index : index + length]), False
        voiced = voiced or any(character.isalpha() for character in phoneme)
        position += sum(durations[index : index + length])
        index += length
    if voiced:
        words.append(SpokenWord(start, position))
    return words if index < len(durations) else []


def word_spans(text: str, spoken: Sequence[SpokenWord]) -> list[WordSpan]:
    """Pair written and spoken words one to one where their numbers agree; else the whole text is one "word".

    They disagree where eSpeak NG reads a number as several words or joins two; a coarse truth is better than a wrong
    one.
    """
    written = [match.span() for match in _WORD.finditer(text) if is_pronounceable(match.group())]
    if not written or not spoken:
        return []
    if len(written) == len(spoken):
        pairs = zip(written, spoken, strict=True)
        return [WordSpan(*place, sound.start_sample, sound.end_sample) for place, sound in pairs]
    return [WordSpan(written[0][0], written[-1][1], spoken[0].start_sample, spoken[-1].end_sample)]
