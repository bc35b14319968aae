"""The corpus on disk: clean speech, the words in it, and when each was said.

``speech.i16`` holds the samples of all utterances one behind another, ``index.npz`` where each begins and what it says.
Most are at 8 kHz, some at 16 kHz, for callers that come in wide band. Levels are even (louder frames at -20 dBFS);
noise, level and line are put on while training, anew each time.
"""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scripts.embedded_whisper.sentences import Sentence, SentenceSource, words_of
from scripts.embedded_whisper.vocabulary import Vocabulary, build_vocabulary
from scripts.embedded_whisper.voices import Manner, some_manner
from servicekit.audio import resample, to_int16
from toolbox.phone.line import at_level, band_limit
from tts_service.espeak import SAMPLE_RATE_HZ, EspeakChunk, speak
from tts_service.espeak.words import WordTrack
from tts_service.speech import WordSpan

NARROW_HZ, WIDE_HZ = 8000, 16_000
LEVEL_DBFS: Final = -20.0
_WIDE_SHARE = 0.12
_BATCH = 200
_AUDIBLE = 10 ** (-42 / 20)

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class SaidWord:
    """A word as it is written down, and when it was said, in seconds."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Utterance:
    """Clean speech."""

    samples: Samples
    rate_hz: int
    language: str
    words: tuple[SaidWord, ...]


def say(sentence: Sentence, manner: Manner, *, rate_hz: int = NARROW_HZ, banded: bool = True) -> Utterance:
    """Speak a sentence; ``banded`` limits it to the telephone's band (8 kHz only). Silence at the ends is cut off."""
    chunks: list[Samples] = [np.zeros(0, np.float32)]
    spans: list[WordSpan] = []
    track = WordTrack(sentence.text)

    def collect(chunk: EspeakChunk) -> bool:
        chunks.append(chunk.samples)
        spans.extend(track.add(chunk.words))
        return True

    speak(sentence.text, collect, voice=manner.voice, rate_wpm=manner.rate_wpm, pitch=manner.pitch)
    spoken = np.concatenate(chunks)
    spans.extend(track.finish(len(spoken)))
    samples = resample(spoken, SAMPLE_RATE_HZ, rate_hz)
    if banded and rate_hz == NARROW_HZ:
        samples = band_limit(samples)
    samples = at_level(samples, LEVEL_DBFS)
    loud = np.flatnonzero(np.abs(samples) > _AUDIBLE)
    first, last = (int(loud[0]), int(loud[-1]) + 1) if loud.size else (0, 0)
    words = _timed(sentence.text, spans, offset_s=first / rate_hz, end_s=(last - first) / rate_hz)
    return Utterance(np.asarray(samples[first:last], np.float32), rate_hz, sentence.language, words)


def _timed(text: str, spans: list[WordSpan], *, offset_s: float, end_s: float) -> tuple[SaidWord, ...]:
    """The words of each span; several in one span share its time by their length."""
    timed: list[SaidWord] = []
    for span in spans:
        words = words_of(text[span.text_start : span.text_end])
        start, end = (sample / SAMPLE_RATE_HZ - offset_s for sample in (span.start_sample, span.end_sample))
        share = max(0.0, end - start) / max(1, sum(map(len, words)))
        for word in words:
            stop = start + share * len(word)
            timed.append(SaidWord(word, min(max(start, 0.0), end_s), min(max(stop, 0.0), end_s)))
            start = stop
    return tuple(timed)


def build_corpus(folder: Path, *, utterances: int, seed: int, processes: int, show: Callable[[int], None]) -> None:
    """Speak ``utterances`` training sentences into ``folder``, the same for the same seed; ``show`` is told how many.

    An utterance whose words the voice did not report as written is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = {word: number for number, word in enumerate(all_words(build_vocabulary()))}
    lengths: list[int] = []
    rates: list[int] = []
    german: list[bool] = []
    counts: list[int] = []
    numbers: list[int] = []
    times: list[tuple[float, float]] = []
    seeds = [(seed, number) for number in range(-(-utterances // _BATCH))]
    with (folder / "speech.i16").open("wb") as file, multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, batch in enumerate(pool.imap(_speak_batch, seeds), start=1):
            for utterance in batch:
                file.write(to_int16(utterance.samples).tobytes())
                lengths.append(len(utterance.samples))
                rates.append(utterance.rate_hz)
                german.append(utterance.language == "de")
                counts.append(len(utterance.words))
                numbers += [table[word.text] for word in utterance.words]
                times += [(word.start_s, word.end_s) for word in utterance.words]
            show(done * _BATCH)
    np.savez(
        folder / "index.npz",
        lengths=np.array(lengths, np.int64),
        rates=np.array(rates, np.int32),
        german=np.array(german),
        counts=np.array(counts, np.int32),
        words=np.array(numbers, np.int32),
        times=np.array(times, np.float32),
    )


def all_words(vocabulary: Vocabulary) -> list[str]:
    """Known and strange words, in the order of the corpus's word numbers."""
    return [*vocabulary.words, *vocabulary.strange]


def training_source(vocabulary: Vocabulary, *, held_out: bool) -> SentenceSource:
    """Sentences to train on, or held-out ones; of the strange words each has its half."""
    strange = list(vocabulary.strange[int(held_out) :: 2])
    return SentenceSource(list(vocabulary.loose), list(vocabulary.german), strange, held_out=held_out)


def _speak_batch(seed: tuple[int, int]) -> list[Utterance]:
    chance = random.Random(f"{seed[0]}/{seed[1]}")
    vocabulary = build_vocabulary()
    source = training_source(vocabulary, held_out=False)
    known = set(all_words(vocabulary))
    return list(_utterances(source, known, chance))


def _utterances(source: SentenceSource, known: set[str], chance: random.Random) -> Iterator[Utterance]:
    manner = some_manner("en", chance)
    for number in range(_BATCH):
        sentence = source.any(chance)
        # The library takes a moment to load another voice: each says five sentences in a row.
        if number % 5 == 0 or sentence.language == "de" or manner.voice.startswith("de"):
            manner = some_manner(sentence.language, chance)
        pace = Manner(manner.voice, *_varied(manner, chance))
        rate_hz = WIDE_HZ if chance.random() < _WIDE_SHARE else NARROW_HZ
        utterance = say(sentence, pace, rate_hz=rate_hz, banded=chance.random() < 0.6)
        words = [word.text for word in utterance.words]
        if words == words_of(sentence.text) and known.issuperset(words):
            yield utterance


def _varied(manner: Manner, chance: random.Random) -> tuple[int, int]:
    return manner.rate_wpm + chance.randint(-15, 15), max(0, min(99, manner.pitch + chance.randint(-8, 8)))


class Corpus:
    """A corpus on disk, open for reading."""

    def __init__(self, folder: Path) -> None:
        """Open; FileNotFoundError when it was not built."""
        with np.load(folder / "index.npz") as index:
            self.lengths = index["lengths"]
            self.rates = index["rates"]
            self.german = index["german"]
            self.words = index["words"]
            self.times = index["times"]
            self._word_ends = np.cumsum(index["counts"])
        self._ends = np.cumsum(self.lengths)
        self._speech = np.memmap(folder / "speech.i16", np.int16, "r")

    def __len__(self) -> int:
        return len(self.lengths)

    def samples(self, number: int) -> Samples:
        """Samples ``[n]`` of an utterance."""
        end = self._ends[number]
        return self._speech[end - self.lengths[number] : end].astype(np.float32) / np.float32(32768)

    def words_of(self, number: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Word numbers ``[w]`` and their times ``[w, 2]`` in seconds."""
        end = int(self._word_ends[number])
        start = int(self._word_ends[number - 1]) if number else 0
        return self.words[start:end], self.times[start:end]
