"""The examination: what the model and pocketsphinx write of sentences and voices neither was trained on.

Everything goes through the telephone's band, line noise and 8 kHz μ-law. pocketsphinx is given a grammar that holds
every sentence it is asked, which is the most it can be given; the model is given nothing.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import faster_whisper
import numpy as np
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

from scripts.embedded_whisper.corpus import Utterance, say, training_source
from scripts.embedded_whisper.sentences import Kind, Sentence, is_in_demo_grammar, words_of
from scripts.embedded_whisper.vocabulary import Vocabulary
from scripts.embedded_whisper.voices import HELD_OUT_ACCENT, HELD_OUT_TIMBRES, KNOWN, Manner
from servicekit.audio import LiveResampler, decode_mulaw, encode_mulaw, to_float, to_int16
from stt_service.engines.pocketsphinx.acoustics import TelephoneModel
from stt_service.engines.pocketsphinx.decoder import SentenceDecoder
from stt_service.engines.pocketsphinx.sentences import read_sentences, write_dictionary
from toolbox.bench.edits import edits
from toolbox.bench.turn_taking.corpus.noises import NOISES, noise_of
from toolbox.phone.line import at_level, noise

Samples = NDArray[np.float32]
Engine = Callable[[Samples], str]
"""Takes 16 kHz samples, gives the text."""

_LEVEL_DBFS = -20.0
_DEMO_GRAMMAR: Final = Path("stt_service/engines/pocketsphinx/demo.gram")
_SETS: Final[tuple[tuple[str, Kind, Sequence[str], float], ...]] = (
    ("demo, known voices, 25 dB", "demo", KNOWN, 25),
    ("demo, unknown timbres, 25 dB", "demo", HELD_OUT_TIMBRES, 25),
    ("demo, unknown accent, 25 dB", "demo", HELD_OUT_ACCENT, 25),
    ("demo, unknown timbres, 15 dB", "demo", HELD_OUT_TIMBRES, 15),
    ("demo, unknown timbres, 10 dB", "demo", HELD_OUT_TIMBRES, 10),
    ("bench, known voices, 25 dB", "bench", KNOWN, 25),
    ("bench, unknown timbres, 25 dB", "bench", HELD_OUT_TIMBRES, 25),
    ("bench, unknown timbres, 15 dB", "bench", HELD_OUT_TIMBRES, 15),
    ("loose words, unknown timbres, 25 dB", "loose", HELD_OUT_TIMBRES, 25),
)


@dataclass(frozen=True)
class Question:
    """Something said on a line."""

    words: tuple[str, ...]
    samples: Samples
    """At 16 kHz, as an engine is fed."""


@dataclass(frozen=True)
class Result:
    """How an engine did on a set."""

    name: str
    errors: int
    words: int
    whole: float
    """Share of the sentences without an error."""
    wrong: tuple[tuple[str, str], ...]
    """What was said and what was written, where they differ."""

    @property
    def error_rate(self) -> float:
        """Word error rate."""
        return self.errors / max(1, self.words)


def examine(engine_of: Callable[[str, Sequence[Question]], Engine], vocabulary: Vocabulary, size: int) -> list[Result]:
    """Ask every set; ``engine_of`` gives the engine for a set's kind and questions."""
    results = []
    for name, kind, voices, snr_db in _SETS:
        questions = list(_questions(kind, voices, snr_db, vocabulary, size))
        results.append(_asked(name, engine_of(kind, questions), questions))
    for name, questions in (
        ("noises", list(_noises(size // 2))),
        ("strange words", list(_questions("strange", HELD_OUT_TIMBRES, 25, vocabulary, size // 2))),
    ):
        silent = [Question((), question.samples) for question in questions]
        results.append(_asked(name, engine_of("demo", silent), silent))
    return results


def _asked(name: str, engine: Engine, questions: Sequence[Question]) -> Result:
    errors = words = whole = 0
    wrong = []
    for question in questions:
        heard = words_of(engine(question.samples))
        missed = edits(question.words, heard)
        errors, words, whole = errors + missed, words + len(question.words), whole + (missed == 0)
        if missed:
            wrong.append((" ".join(question.words), " ".join(heard)))
    return Result(name, errors, words, whole / len(questions), tuple(wrong))


def _questions(
    kind: Kind, voices: Sequence[str], snr_db: float, vocabulary: Vocabulary, size: int
) -> Iterator[Question]:
    """Held-out sentences, of the demo's those that its grammar holds; short ones cannot be held out."""
    chance = random.Random(f"{kind}/{snr_db}/{voices[0]}")
    held_out = training_source(vocabulary, held_out=True)
    short = training_source(vocabulary, held_out=False)
    made = 0
    while made < size:
        sentence = held_out.draw(kind, chance)
        if kind in {"demo", "strange"} and chance.random() < 0.35:
            sentence = short.draw(kind, chance)
            if len(words_of(sentence.text)) > 3:
                continue
        if kind == "demo" and not is_in_demo_grammar(sentence.text):
            continue
        manner = Manner(voices[made % len(voices)], chance.randint(140, 195), chance.randint(35, 65))
        utterance = say(Sentence(" ".join(words_of(sentence.text)), kind), manner, banded=chance.random() < 0.5)
        yield Question(tuple(words_of(sentence.text)), over_line(utterance, snr_db, chance))
        made += 1


def over_line(utterance: Utterance, snr_db: float, chance: random.Random) -> Samples:
    """What an engine is fed of an utterance at 8 kHz: silence around it, noise, μ-law, 16 kHz."""
    silence = [np.zeros(round(8000 * chance.uniform(0.1, 0.4)), np.float32) for _ in range(2)]
    line = np.concatenate([silence[0], at_level(utterance.samples, _LEVEL_DBFS), silence[1]])
    return _wired(line + noise(line.size, _LEVEL_DBFS - snr_db, seed=chance.randrange(2**31)))


def _noises(size: int) -> Iterator[Question]:
    chance = random.Random(9)
    for number in range(size):
        burst = noise_of(NOISES[number % len(NOISES)], chance.uniform(-35, -18), chance)
        line = np.concatenate([np.zeros(2400, np.float32), burst, np.zeros(2400, np.float32)])
        yield Question((), _wired(line + noise(line.size, -50, seed=number)))


def _wired(line: Samples) -> Samples:
    heard = to_float(decode_mulaw(encode_mulaw(to_int16(line.astype(np.float32)))))
    resampler = LiveResampler(8000, 16_000)
    return np.concatenate([resampler.process(heard), resampler.flush()])


class Whisper:
    """The model as the service decodes it: greedily, in the shortest window of 5 s buckets with 2 s to spare."""

    def __init__(self, folder: Path, *, margin_s: float = 2.0, compute_type: str = "int8") -> None:
        self._model = faster_whisper.WhisperModel(
            str(folder), device="cpu", compute_type=compute_type, cpu_threads=1, local_files_only=True
        )
        self._tokenizer = Tokenizer(self._model.hf_tokenizer, multilingual=True, task="transcribe", language="en")
        self._margin_s = margin_s

    def __call__(self, samples: Samples) -> str:
        seconds = 5 * int(-(-(len(samples) / 16_000 + self._margin_s) // 5))
        features = pad_or_trim(self._model.feature_extractor(samples)[..., :-1], 100 * seconds)
        encoded = self._model.encode(features)
        prompt = [*self._tokenizer.sot_sequence, self._tokenizer.no_timestamps]
        result = self._model.model.generate(encoded, [prompt], beam_size=1, max_length=200)[0]
        return str(self._tokenizer.decode(result.sequences_ids[0]))


class Pocketsphinx:
    """The embedded recogniser on a grammar, fed as the service does."""

    def __init__(self, grammar: Path) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            graph = read_sentences(grammar, rejection=0.5)
            model = TelephoneModel(folder)
            write_dictionary(folder / "words.dict", graph.vocabulary, model.dictionary, _own_words(folder))
            self._decoder = SentenceDecoder(model, folder / "words.dict", graph)
        self.waits_s: list[float] = []
        """How long the text took once all audio was there, its last 20 ms included."""

    def __call__(self, samples: Samples) -> str:
        pcm = to_int16(samples).tobytes()
        self._decoder.begin()
        for start in range(0, len(pcm), 640):
            began = time.perf_counter()
            self._decoder.hear(pcm[start : start + 640])
        text = self._decoder.best().text
        self.waits_s.append(time.perf_counter() - began)
        self._decoder.end()
        return text


def pocketsphinx_for(kind: str, questions: Sequence[Question]) -> Pocketsphinx:
    """pocketsphinx with the demo's grammar, with one of the very sentences asked, or with all words in a loop."""
    if kind == "demo":
        return Pocketsphinx(_DEMO_GRAMMAR)
    sentences = sorted({" ".join(question.words) for question in questions})
    words = sorted({word for question in questions for word in question.words})
    said = " | ".join(sentences) if kind == "bench" else f"( {' | '.join(words)} )+"
    with tempfile.TemporaryDirectory() as folder:
        grammar = Path(folder, "asked.gram")
        grammar.write_text(f"#JSGF V1.0;\ngrammar asked;\npublic <said> = {said};\n", encoding="utf-8")
        return Pocketsphinx(grammar)


def final_ms(engine: Engine, seconds: float = 3.0) -> float:
    """Milliseconds (median of 30) from the end of so much speech to its text, for an engine that hears it at once."""
    speech = say(
        Sentence("how much is twenty one plus thirty four please tell me now", "demo"), Manner("en-us+m3", 165, 50)
    )
    line = over_line(speech, 25, random.Random(1))[: round(16_000 * seconds)]
    waits = []
    for _ in range(30):
        began = time.perf_counter()
        engine(line)
        waits.append(1000 * (time.perf_counter() - began))
    return statistics.median(waits)


def _own_words(folder: Path) -> Path:
    """Pronunciations that CMU's dictionary lacks."""
    file = folder / "own.dict"
    file.write_text("mm-hmm M HH M\nmm M\nhm HH M\num AH M\nuh AH\ner ER\nah AA\ntheorise TH IY ER AY Z\n")
    return file
