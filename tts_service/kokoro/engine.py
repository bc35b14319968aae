"""The neural engine: Kokoro behind the engine seam."""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servicekit.logs import get_logger
from servicekit.startup import StartupError
from tts_service.blending import Blend, blend_of
from tts_service.content import content_of
from tts_service.edges import fade_edges, trim_pauses
from tts_service.kokoro.languages import ENGLISH_MODEL, LANGUAGES, gender_of, letter_of, unavailable
from tts_service.kokoro.loading import load_model, load_voice
from tts_service.kokoro.pronunciation import Phonemes, Pronouncer, word_spans
from tts_service.settings import KokoroSettings, TtsSettings
from tts_service.speech import EngineInfo, Passage, SpeechChunk, WordSpan
from tts_service.text import Piece, SpeakableText, pieces, speakable
from tts_service.threaded import Outlet, Step, ThreadedSpeech
from tts_service.voices import Voice, VoiceCatalogue, VoiceUnknownError

SAMPLE_RATE_HZ = 24_000

# The voices that Kokoro's authors grade best in each language, before the others in alphabetical order.
_BEST = ("af_heart", "bf_emma", "ef_dora", "ff_siwis", "hf_alpha", "if_sara", "jf_alpha", "pf_dora", "zf_xiaoxiao")

_PAUSE_BEFORE_MS = 40
_PAUSE_AFTER_CLAUSE_MS = 220
_PAUSE_INSIDE_CLAUSE_MS = 20


_CPU_PIECE, _CUDA_PIECE = 60, 200
"""Characters of one inference: on CPU cancelling would otherwise wait for seconds."""
_BLENDS_KEPT = 32

_log = get_logger(__name__)


class KokoroCatalogue(VoiceCatalogue):
    """Kokoro's voices, and blends of them: "af_heart:0.7+af_bella:0.3"."""

    def named(self, name: str) -> Voice:
        """The voice, or the blend, which speaks as its first voice is pronounced; raises VoiceUnknownError."""
        try:
            return super().named(name)
        except VoiceUnknownError:
            blend = blend_of(name)
            if blend is None:
                raise
        voices = [super(KokoroCatalogue, self).named(part) for part, _ in blend.parts]
        spelled = Blend(tuple((voice.name, share) for voice, (_, share) in zip(voices, blend.parts, strict=True)))
        genders = {voice.gender for voice in voices}
        return Voice(
            spelled.name,
            voices[0].languages,
            " + ".join(
                f"{voice.display_name} {share:.0%}" for voice, (_, share) in zip(voices, blend.parts, strict=True)
            ),
            genders.pop() if len(genders) == 1 else "neutral",
            content=" ".join(voice.content for voice in voices),
        )


class KokoroEngine:
    """Speaks with Kokoro: clauses go through the model one by one in a small pool of threads."""

    def __init__(self, settings: TtsSettings) -> None:
        """Load the model, every voice and the pronunciation of their languages; blocks for seconds.

        Raises StartupError for files that are no Kokoro model or voice, VoiceUnknownError or LanguageUnsupportedError
        when the settings name a voice or language that the voices on disk have not.
        """
        own = settings.kokoro
        self._speed = settings.speed
        self._lookahead_samples = SAMPLE_RATE_HZ * settings.lookahead_ms // 1000
        letters = _voice_letters(own)
        self.voices = KokoroCatalogue(
            [_voice(name, letter, own.voices / f"{name}.pt") for name, letter in letters.items()],
            default_language=settings.language,
            default_voice=settings.voice,
        )
        device = _device(own)
        self._piece_characters = own.piece_characters or (_CUDA_PIECE if device == "cuda" else _CPU_PIECE)
        self._model = load_model(own, device)
        self._packs = {name: load_voice(own.voices / f"{name}.pt") for name in letters}
        self._blended = functools.lru_cache(maxsize=_BLENDS_KEPT)(self._blend)
        self._known = set(self._model.vocab)
        self._pronouncers = {letter: Pronouncer(letter, self._model) for letter in sorted(set(letters.values()))}
        self._letters = letters
        workers, threads = _parallelism(own, device)
        self._workers = workers
        self._executor = _pool(workers, threads)
        self.info = EngineInfo(
            name="kokoro",
            version=importlib.metadata.version("kokoro"),
            model=f"Kokoro {own.model.stem} on {device}",
            sample_rate_hz=SAMPLE_RATE_HZ,
            capacity=workers,
            alignments=True,
            limitations=self._limitations(device, workers),
            content=content_of(own.model, own.config),
        )

    def speak(self, passage: Passage) -> ThreadedSpeech:
        """Begin to speak a passage."""
        return ThreadedSpeech(self._steps(passage), self._executor, lookahead_samples=self._lookahead_samples)

    async def open(self) -> None:
        """Nothing to learn: all of it is on this machine."""

    async def warm_up(self) -> None:
        """Say a word to nobody in every thread: a thread's first inference is several times slower than its others.

        StartupError when what comes out is no sound: weights that are damaged, or overflow on this device.
        """
        passage = Passage("One moment.", self.voices.default, self.voices.default.tags[0], 1.0)
        # One at once for each thread: that many are started, and none takes a second while others wait.
        speeches = [self.speak(passage) for _ in range(self._workers)]
        if not all(await asyncio.gather(*(_is_sound(speech) for speech in speeches))):
            raise StartupError(
                f"tts.kokoro.model: {self.info.model} gives no sound but numbers that are none (NaN). Fetch model "
                "and voices again and compare their checksums; where they are right, try tts.kokoro.device=cpu"
            )

    async def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _steps(self, passage: Passage) -> Iterator[Step]:
        text = speakable(passage.text)
        progress = _Progress()
        speed = self._speed * passage.speed
        for piece in pieces(text.text, self._piece_characters):
            yield _PieceStep(self, text, piece, progress, voice=passage.voice.name, speed=speed)

    def pack(self, voice: str) -> Any:
        """The tensor of a voice or a blend, [510, 1, 256] or longer."""
        own = self._packs.get(voice)
        return self._blended(voice) if own is None else own

    def pronounce(self, voice: str, text: str) -> Iterator[Phonemes]:
        """The phonemes of a piece in a voice's language."""
        return self._pronouncers[self._letters[_first(voice)]].phonemes(text)

    def infer(self, phonemes: Phonemes, voice: str, speed: float) -> tuple[NDArray[np.float32], list[WordSpan]]:
        """One inference: samples [n] at 24 kHz and the words in them. Blocks; any thread may call."""
        reference = self.pack(voice)[len(phonemes.text) - 1]
        output = self._model(phonemes.text, reference, speed, return_output=True)
        samples = np.ascontiguousarray(output.audio.numpy().reshape(-1), dtype=np.float32)
        durations = [] if output.pred_dur is None else [int(frames) for frames in output.pred_dur.reshape(-1)]
        return samples, word_spans(phonemes, durations, self._known, len(samples))

    def _blend(self, voice: str) -> Any:
        """The tensor of a blend: the mean of its voices', by weight."""
        blend = blend_of(voice)
        assert blend is not None, "the catalogue names voices and blends only"
        return sum(self._packs[part] * share for part, share in blend.parts)

    def _limitations(self, device: str, workers: int) -> tuple[str, ...]:
        said = ["Kokoro speaks English, Spanish, French, Hindi, Italian, Portuguese, Japanese and Chinese; no German."]
        if device == "cpu":
            said.append(f"On CPU a reply takes about two cores; this server runs {workers} at once.")
        said.append("Speech comes clause by clause: a reply that is cancelled holds its slot until the clause is done.")
        if any(pronouncer.by_rule for pronouncer in self._pronouncers.values()):
            said.append(
                f"English is pronounced by rule, since the spaCy model {ENGLISH_MODEL} is not installed; "
                "names and homographs suffer."
            )
        return tuple(said)


class _Progress:
    """How many samples the passage's earlier pieces took; written by the one step that runs."""

    samples = 0


class _PieceStep:
    """Speaks one piece: phonemes, inference, pauses made fit, edges faded, alignments in the passage's positions."""

    def __init__(
        self, engine: KokoroEngine, text: SpeakableText, piece: Piece, progress: _Progress, *, voice: str, speed: float
    ) -> None:
        self._engine = engine
        self._text = text
        self._piece = piece
        self._progress = progress
        self._voice = voice
        self._speed = speed

    def __call__(self, outlet: Outlet) -> None:
        for phonemes in self._engine.pronounce(self._voice, self._piece.text):
            if not outlet.wanted:
                return
            samples, words = self._engine.infer(phonemes, self._voice, self._speed)
            heard, cut = trim_pauses(
                samples,
                SAMPLE_RATE_HZ,
                before_ms=_PAUSE_BEFORE_MS,
                after_ms=_PAUSE_AFTER_CLAUSE_MS if self._piece.pauses else _PAUSE_INSIDE_CLAUSE_MS,
            )
            spans = tuple(placed for word in words if (placed := self._in_passage(word, cut, len(heard))) is not None)
            self._progress.samples += len(heard)
            outlet.put(SpeechChunk(fade_edges(heard, SAMPLE_RATE_HZ), spans))

    def _in_passage(self, word: WordSpan, cut: int, length: int) -> WordSpan | None:
        start, end = max(0, word.start_sample - cut), min(length, word.end_sample - cut)
        if end <= start:
            return None
        place = self._text.original_range(self._piece.start + word.text_start, self._piece.start + word.text_end)
        return WordSpan(*place, self._progress.samples + start, self._progress.samples + end)


def _voice_letters(settings: KokoroSettings) -> dict[str, str]:
    """The voices on disk and their languages, best first, without those that cannot be pronounced here."""
    names = sorted(path.stem for path in settings.voices.glob("*.pt"))
    names.sort(key=lambda name: (name not in _BEST, name))
    unknown = sorted(set(settings.voice_languages) - set(names))
    if unknown:
        raise StartupError(f"tts.kokoro.voice_languages names {unknown[0]!r}, but there is no {unknown[0]}.pt")
    letters: dict[str, str] = {}
    refused: dict[str, str] = {}
    for name in names:
        letter = letter_of(name, settings.voice_languages)
        if not letter:
            raise StartupError(f"tts.kokoro.voice_languages: Kokoro does not speak {settings.voice_languages[name]!r}")
        reason = refused[letter] if letter in refused else unavailable(letter)
        if reason:
            refused[letter] = reason
        else:
            letters[name] = letter
    for letter, reason in refused.items():
        _log.warning(f"Kokoro's voices for {LANGUAGES[letter][0][0]} are left out: {reason}")
    if not letters:
        raise StartupError(f"tts.kokoro.voices: no voice in {settings.voices} can be used")
    return letters


def _first(voice: str) -> str:
    """The voice itself, or the first of a blend."""
    return voice.partition("+")[0].partition(":")[0]


async def _is_sound(speech: ThreadedSpeech) -> bool:
    """Hear a speech to its end; whether all of it was numbers."""
    return all([bool(np.isfinite(chunk.samples).all()) async for chunk in speech])


def _voice(name: str, letter: str, path: Path) -> Voice:
    return Voice(name, LANGUAGES[letter], _display_name(name), gender_of(name), content=content_of(path))


def _display_name(name: str) -> str:
    _, _, given = name.partition("_")
    return f"Kokoro {(given or name).replace('_', ' ').title()}"


def _device(settings: KokoroSettings) -> str:
    import torch  # noqa: PLC0415 - heavy, only for whom it was chosen

    has_cuda = bool(torch.cuda.is_available())
    if settings.device == "cuda" and not has_cuda:
        raise StartupError('tts.kokoro.device is "cuda", but torch sees no CUDA device; set it to "auto" or "cpu"')
    return "cuda" if has_cuda and settings.device != "cpu" else "cpu"


def _parallelism(settings: KokoroSettings, device: str) -> tuple[int, int]:
    """Inferences at once, and torch's threads for each."""
    cores = _cores()
    # Two cores sustain about one stream in real time (measured real-time factor 0.40 to 0.47 on two cores).
    workers = settings.workers or (2 if device == "cuda" else max(1, cores // 2))
    return workers, settings.threads or max(1, cores // workers)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        return os.cpu_count() or 1


def _pool(workers: int, threads: int) -> ThreadPoolExecutor:
    import torch  # noqa: PLC0415

    # OpenMP keeps the number of threads per calling thread, hence the initializer.
    return ThreadPoolExecutor(
        max_workers=workers, thread_name_prefix="kokoro", initializer=_set_threads, initargs=(torch, threads)
    )


def _set_threads(torch: Any, threads: int) -> None:
    torch.set_num_threads(threads)
