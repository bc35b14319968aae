"""Piper behind the engine seam: sentences go through a voice's model in a small pool of threads."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import resample
from tts_service.content import content_of
from tts_service.edges import fade_edges, trim_pauses
from tts_service.piper.files import VoiceFile, find_voices
from tts_service.piper.loading import load_voice
from tts_service.piper.words import SpokenWord, spoken_words, word_spans
from tts_service.settings import PiperSettings, TtsSettings
from tts_service.speech import EngineInfo, Passage, SpeechChunk, WordSpan
from tts_service.text import Piece, SpeakableText, pieces, speakable
from tts_service.threaded import Outlet, Step, ThreadedSpeech
from tts_service.voices import Voice, VoiceCatalogue, VoiceUnknownError

RATE_HZ = 22_050
"""Of Piper's medium and high voices; others are resampled, so that a reply may switch between them."""

_REPLIES_PER_WORKER = 4
"""A voice speaks several times faster than it is listened to."""
_PAUSE_BEFORE_MS = 40
_PAUSE_AFTER_CLAUSE_MS = 220
_PAUSE_INSIDE_CLAUSE_MS = 20
_QUIETEST_PEAK = 1e-4
_PEAK = 0.9


@dataclass(frozen=True)
class _Loaded:
    """A voice in memory."""

    file: VoiceFile
    voice: Any
    tells_durations: bool


class PiperCatalogue(VoiceCatalogue):
    """Piper's voices; one of several speakers takes a speaker's name or number after a plus sign."""

    def __init__(self, files: list[VoiceFile], *, default_language: str, default_voice: str) -> None:
        """Raises VoiceUnknownError or LanguageUnsupportedError when the defaults name what there is not."""
        self._files = {file.name: file for file in files}
        super().__init__(
            [_voice(file) for file in files], default_language=default_language, default_voice=default_voice
        )

    def named(self, name: str) -> Voice:
        """The voice, or the voice with its speaker; raises VoiceUnknownError."""
        base, plus, speaker = name.partition("+")
        voice = super().named(base)
        if not plus:
            return voice
        speakers = self._files[voice.name].speakers
        if speaker not in speakers:
            raise VoiceUnknownError(f"voice {voice.name[:60]!r} has no speaker {speaker[:60]!r}")
        return Voice(
            f"{voice.name}+{speaker}", voice.languages, f"{voice.display_name}, {speaker}", content=voice.content
        )


class PiperEngine:
    """Speaks with Piper's voices; see `speech.Engine`."""

    def __init__(self, settings: TtsSettings) -> None:
        """Load every voice; blocks for about a second each.

        Raises StartupError for files that are no Piper voice, VoiceUnknownError or LanguageUnsupportedError when the
        settings name a voice or language that the voices on disk have not.
        """
        own: PiperSettings = settings.piper
        self._own = own
        self._speed = settings.speed
        self._lookahead_samples = RATE_HZ * settings.lookahead_ms // 1000
        files = find_voices(own)
        self.voices = PiperCatalogue(files, default_language=settings.language, default_voice=settings.voice)
        self._loaded = {file.name: _Loaded(file, *load_voice(file, own)) for file in files}
        workers = own.workers or _cores()
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="piper")
        self.info = EngineInfo(
            name="piper",
            version=importlib.metadata.version("piper-tts"),
            model=", ".join(self._loaded)[:200],
            sample_rate_hz=RATE_HZ,
            capacity=_REPLIES_PER_WORKER * workers,
            alignments=all(loaded.tells_durations for loaded in self._loaded.values()),
            limitations=tuple(_limitations(workers, list(self._loaded.values()))),
        )

    def speak(self, passage: Passage) -> ThreadedSpeech:
        """Begin to speak a passage."""
        return ThreadedSpeech(self._steps(passage), self._executor, lookahead_samples=self._lookahead_samples)

    async def open(self) -> None:
        """Nothing to learn: all of it is on this machine."""

    async def warm_up(self) -> None:
        """Each voice has spoken when it was loaded."""

    async def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _steps(self, passage: Passage) -> Iterator[Step]:
        text = speakable(passage.text)
        progress = _Progress()
        base, _, speaker = passage.voice.name.partition("+")
        loaded = self._loaded[base]
        how = _manner(loaded, self._speed * passage.speed, speaker)
        for piece in pieces(text.text, self._own.piece_characters):
            yield _PieceStep(loaded, how, text, piece, progress)


class _Progress:
    """How many samples the passage's earlier pieces took; written by the one step that runs."""

    samples = 0


class _PieceStep:
    """Speaks one piece, sentence by sentence: pauses made fit, edges faded, words in the passage's positions."""

    def __init__(self, loaded: _Loaded, how: Any, text: SpeakableText, piece: Piece, progress: _Progress) -> None:
        self._loaded = loaded
        self._how = how
        self._text = text
        self._piece = piece
        self._progress = progress

    def __call__(self, outlet: Outlet) -> None:
        parts: list[NDArray[np.float32]] = []
        words: list[SpokenWord] = []
        length = 0
        # Piper takes [[…]] for phonemes; in a text of ours they are brackets.
        for phonemes in self._loaded.voice.phonemize(self._piece.text.replace("[[", "[").replace("]]", "]")):
            if not outlet.wanted:
                return
            samples, spoken = self._infer(phonemes, length)
            parts.append(samples)
            words += spoken
            length += len(samples)
        if not length:
            return
        self._put(outlet, np.concatenate(parts), words)

    def _infer(self, phonemes: list[str], origin: int) -> tuple[NDArray[np.float32], list[SpokenWord]]:
        voice = self._loaded.voice
        ids = voice.phonemes_to_ids(phonemes)
        sound, durations = voice.phoneme_ids_to_audio(ids, self._how, include_alignments=True)
        samples = np.asarray(sound, dtype=np.float32).reshape(-1)
        # Sentences come at levels of their own; Piper itself brings each to full scale.
        peak = float(np.abs(samples).max(initial=0.0))
        if peak > _QUIETEST_PEAK:
            samples = samples * np.float32(_PEAK / peak)
        if not self._loaded.tells_durations or durations is None:
            return samples, []
        return samples, spoken_words(phonemes, [int(one) for one in durations], voice.config.phoneme_id_map, origin)

    def _put(self, outlet: Outlet, samples: NDArray[np.float32], words: list[SpokenWord]) -> None:
        rate_hz = self._loaded.voice.config.sample_rate
        heard, cut = trim_pauses(
            samples,
            rate_hz,
            before_ms=_PAUSE_BEFORE_MS,
            after_ms=_PAUSE_AFTER_CLAUSE_MS if self._piece.pauses else _PAUSE_INSIDE_CLAUSE_MS,
        )
        ours = fade_edges(resample(heard, rate_hz, RATE_HZ), RATE_HZ)
        ratio = RATE_HZ / rate_hz
        spans = tuple(
            placed
            for word in word_spans(self._piece.text, words)
            if (placed := self._in_passage(word, cut, ratio, len(ours))) is not None
        )
        self._progress.samples += len(ours)
        outlet.put(SpeechChunk(ours, spans))

    def _in_passage(self, word: WordSpan, cut: int, ratio: float, length: int) -> WordSpan | None:
        start = max(0, round((word.start_sample - cut) * ratio))
        end = min(length, round((word.end_sample - cut) * ratio))
        if end <= start:
            return None
        place = self._text.original_range(self._piece.start + word.text_start, self._piece.start + word.text_end)
        return WordSpan(*place, self._progress.samples + start, self._progress.samples + end)


def _manner(loaded: _Loaded, speed: float, speaker: str) -> Any:
    from piper.config import SynthesisConfig  # noqa: PLC0415

    return SynthesisConfig(
        speaker_id=loaded.file.speakers[speaker] if speaker else None,
        length_scale=loaded.voice.config.length_scale / speed,
    )


def _voice(file: VoiceFile) -> Voice:
    tags = dict.fromkeys((file.language, file.language.partition("-")[0]))
    called = f"Piper {file.title.replace('_', ' ').title()}"
    return Voice(
        file.name, tuple((tag, 1) for tag in tags), called, content=content_of(file.model, Path(f"{file.model}.json"))
    )


def _limitations(workers: int, loaded: list[_Loaded]) -> Iterator[str]:
    yield f"Runs on the CPU, {workers} inferences at once; more replies take turns piece by piece."
    yield "Speech comes piece by piece: a reply that is cancelled holds its slot until the sentence is done."
    if silent := [one.file.name for one in loaded if not one.tells_durations]:
        yield f"No alignments, since {', '.join(silent)[:200]} cannot tell how long its phonemes last here."
    yield "Piper is under GPLv3, and so is a process that runs it."


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        return os.cpu_count() or 1
