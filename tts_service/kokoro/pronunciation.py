"""From text to phonemes with Kokoro's own pipelines, and from a model's durations to word positions."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tts_service.kokoro.languages import ESPEAK_ENGLISH, has_english_model
from tts_service.kokoro.loading import REPO_ID, import_kokoro
from tts_service.speech import WordSpan
from tts_service.text import is_pronounceable

MAX_PHONEMES = 510
SAMPLES_PER_FRAME = 600
"""One frame of the model's durations at 24 kHz."""

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class WrittenWord:
    """A written word as code points of the piece's text, and where its phonemes lie in the string; ends exclusive."""

    text_start: int
    text_end: int
    phoneme_start: int
    phoneme_end: int


@dataclass(frozen=True)
class Phonemes:
    """What the model is given: at most 510 phonemes, and which words they say. `words` covers what could be matched."""

    text: str
    words: tuple[WrittenWord, ...]


class Pronouncer:
    """One language's pronunciation; any thread may ask, one is answered at a time (eSpeak NG is not reentrant)."""

    def __init__(self, letter: str, model: Any) -> None:
        """Build Kokoro's pipeline for a language without letting it download anything."""
        kokoro = import_kokoro()
        self._lock = threading.Lock()
        self.by_rule = letter in ESPEAK_ENGLISH and not has_english_model()
        """Whether English is pronounced by eSpeak NG's rules, for want of the spaCy model."""
        if self.by_rule:
            from misaki.espeak import EspeakG2P  # noqa: PLC0415

            self._pipeline = kokoro.KPipeline("e", repo_id=REPO_ID, model=model)
            self._pipeline.g2p = EspeakG2P(ESPEAK_ENGLISH[letter])
        else:
            self._pipeline = kokoro.KPipeline(letter, repo_id=REPO_ID, model=model)
        self._tokenizes = letter in ESPEAK_ENGLISH and not self.by_rule

    def phonemes(self, text: str) -> Iterator[Phonemes]:
        """The phonemes of a piece, in parts of at most 510; none for what has no pronunciation."""
        with self._lock:
            said = list(self._by_tokens(text) if self._tokenizes else self._by_string(text))
        for part in said:
            yield from _within_limit(part)

    def _by_tokens(self, text: str) -> Iterator[Phonemes]:
        _, tokens = self._pipeline.g2p(text)
        cursor = 0
        for _, phonemes, part in self._pipeline.en_tokenize(tokens):
            words: list[WrittenWord] = []
            place = 0
            joined = False
            for token in part:
                start = text.find(token.text, cursor)
                length = len(token.phonemes or "")
                if start >= 0:
                    cursor = start + len(token.text)
                    if length and joined and words:
                        first = words.pop()
                        words.append(WrittenWord(first.text_start, cursor, first.phoneme_start, place + length))
                    elif length:
                        words.append(WrittenWord(start, cursor, place, place + length))
                joined = not token.whitespace
                place += length + (1 if token.whitespace else 0)
            if phonemes:
                yield Phonemes(phonemes, tuple(words))

    def _by_string(self, text: str) -> Iterator[Phonemes]:
        answer = self._pipeline.g2p(text)
        phonemes = answer[0] if isinstance(answer, tuple) else answer
        if phonemes:
            yield Phonemes(phonemes, _match(text, phonemes))


def word_spans(phonemes: Phonemes, durations: list[int], known: set[str], total_samples: int) -> list[WordSpan]:
    """Where the words lie in the sound.

    `durations` are the model's frames for the start mark, each phoneme of its vocabulary (`known`) and the end mark.
    Empty when they do not fit the phonemes.
    """
    positions = [0] * (len(phonemes.text) + 1)
    frame, index = (durations[0] if durations else 0), 1
    for place, phoneme in enumerate(phonemes.text):
        positions[place] = frame
        if phoneme in known and index < len(durations):
            frame += durations[index]
            index += 1
    positions[-1] = frame
    if index + 1 != len(durations):
        return []
    spans = []
    for word in phonemes.words:
        start = min(positions[word.phoneme_start] * SAMPLES_PER_FRAME, total_samples)
        end = min(positions[min(word.phoneme_end, len(phonemes.text))] * SAMPLES_PER_FRAME, total_samples)
        if end > start:
            spans.append(WordSpan(word.text_start, word.text_end, start, end))
    return spans


def _match(text: str, phonemes: str) -> tuple[WrittenWord, ...]:
    """Pair written and spoken words one to one where their numbers agree; else the whole piece is one "word".

    They disagree where a number is read as several words; a coarse truth is better than a wrong one.
    """
    written = [match.span() for match in _WORD.finditer(text) if is_pronounceable(match.group())]
    spoken = [match.span() for match in _WORD.finditer(phonemes) if any(c.isalpha() for c in match.group())]
    if len(written) == len(spoken):
        return tuple(WrittenWord(*place, *sound) for place, sound in zip(written, spoken, strict=True))
    if not written:
        return ()
    return (WrittenWord(written[0][0], written[-1][1], 0, len(phonemes)),)


def _within_limit(part: Phonemes) -> Iterator[Phonemes]:
    """Cut what the model cannot take at once (long numbers, chiefly) at a space, or anywhere."""
    text, words = part.text, part.words
    while len(text) > MAX_PHONEMES:
        cut = text.rfind(" ", 1, MAX_PHONEMES) + 1 or MAX_PHONEMES
        yield Phonemes(text[:cut], tuple(word for word in words if word.phoneme_end <= cut))
        words = tuple(
            WrittenWord(word.text_start, word.text_end, word.phoneme_start - cut, word.phoneme_end - cut)
            for word in words
            if word.phoneme_start >= cut
        )
        text = text[cut:]
    if text.strip():
        yield Phonemes(text, words)
