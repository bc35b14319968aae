"""faster-whisper as an engine: one model, a few threads, utterances decoded again as they grow."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import ctranslate2
import faster_whisper
import numpy as np
from numpy.typing import NDArray

from servicekit.logs import get_logger
from servicekit.startup import StartupError
from stt_service.engines.agreement import LocalAgreement
from stt_service.engines.interface import (
    EngineError,
    EngineInfo,
    OnPartial,
    Partial,
    Request,
    Transcript,
)
from stt_service.engines.languages import primary, understood
from stt_service.engines.whisper.decoding import WHISPER_HZ, DroppedError, WhisperDecoder
from stt_service.engines.whisper.files import find_model, missing_files, whisper_missing
from stt_service.engines.whisper.workers import Job, Urgency, Workers
from stt_service.settings import SttSettings, WhisperSettings

_log = get_logger(__name__)

_UTTERANCES_PER_WORKER = 4
"""People speak most of the time that an utterance lasts; a worker decodes one in a fraction of that."""
_LIMITATIONS = (
    "Partials come from decoding the utterance again as it grows: on a slow machine they come late or not at all.",
    "Word times are not given.",
)


class WhisperUtterance:
    """One utterance; see `engines.interface.Utterance`."""

    def __init__(self, engine: WhisperEngine, request: Request, on_partial: OnPartial) -> None:
        """Made by `WhisperEngine.begin` only."""
        self._engine = engine
        self._request = request
        self._on_partial = on_partial
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._chunks: list[NDArray[np.float32]] = []
        self._samples = 0
        self._jobs: set[Job] = set()
        self._partial: Job | None = None
        self._partial_at = 0
        self._agreement = LocalAgreement()
        self._cancelled = False

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done once no thread works for it any more."""
        return self._ended

    def feed(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples ``[n]`` at 16 kHz."""
        if self._cancelled or not len(samples):
            return
        self._chunks.append(samples)
        self._samples += len(samples)
        fresh = self._samples - self._partial_at
        # One at a time, and none while a final is being made: a worker's time is better spent on that.
        if self._request.partials and not self._jobs and fresh >= self._engine.partial_samples:
            self._partial_at = self._samples
            self._partial = self._submit(Urgency.PARTIAL, self._take_partial, lambda _: None)

    def transcribe(self) -> asyncio.Future[Transcript]:
        """Ask for the text of all audio fed before this call."""
        answer: asyncio.Future[Transcript] = self._loop.create_future()
        if self._partial is not None:
            self._partial.drop()

        def take(transcript: Transcript) -> None:
            if not answer.done():
                answer.set_result(transcript)

        def fail(error: EngineError) -> None:
            if not answer.done():
                answer.set_exception(error)

        job = self._submit(Urgency.RECORDING if self._request.patient else Urgency.FINAL, take, fail)
        answer.add_done_callback(lambda _: job.drop())
        return answer

    def cancel(self) -> None:
        """Drop all work; the step that runs is the last."""
        if not self._cancelled:
            self._cancelled = True
            for job in self._jobs:
                job.drop()
            self._chunks.clear()
            self._end_if_idle()

    def _submit(
        self,
        urgency: Urgency,
        take: Callable[[Transcript], None],
        fail: Callable[[EngineError], None],
    ) -> Job:
        chunks, samples, asked_at = list(self._chunks), self._samples, time.monotonic()

        def work(job: Job) -> None:
            began_at = time.monotonic()
            try:
                audio = np.concatenate([np.zeros(0, np.float32), *chunks])
                decoded = self._engine.decoder.decode(audio, self._request, lambda: job.unwanted)
            except DroppedError:
                self._tell_loop(job, _nothing)
                return
            except Exception as error:
                failure = EngineError(f"faster-whisper failed with {type(error).__name__}")
                failure.__cause__ = error
                self._tell_loop(job, partial(fail, failure))
                return
            transcript = Transcript(
                text=decoded.text,
                language=self._tag(decoded.language),
                confidence=decoded.confidence,
                audio_end_s=samples / WHISPER_HZ,
                language_confidence=decoded.language_confidence,
                inference_s=time.monotonic() - began_at,
                queue_s=began_at - asked_at,
            )
            self._tell_loop(job, partial(take, transcript))

        job = self._engine.workers.submit(urgency, work)
        self._jobs.add(job)
        return job

    def _tell_loop(self, job: Job, outcome: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._done, job, outcome)
        except RuntimeError:
            # The loop is closed: the process is going down and nobody listens any more.
            _log.debug("an outcome came after the end")

    def _done(self, job: Job, outcome: Callable[[], None]) -> None:
        self._jobs.discard(job)
        if self._partial is job:
            self._partial = None
        if not self._cancelled:
            outcome()
        self._end_if_idle()

    def _take_partial(self, transcript: Transcript) -> None:
        stable, unstable = self._agreement.add(transcript.text.split())
        if stable or unstable:
            self._on_partial(Partial(stable, unstable, transcript.audio_end_s))

    def _tag(self, language: str) -> str:
        """The language as the client names it, region and all, where it named it."""
        return next((tag for tag in self._request.languages if primary(tag) == primary(language)), language)

    def _end_if_idle(self) -> None:
        if self._cancelled and not self._jobs and not self._ended.done():
            self._engine.forget(self)
            self._ended.set_result(None)


class WhisperEngine:
    """The real recogniser; see `engines.interface.Engine`."""

    decoder: WhisperDecoder
    """Set by `open`."""

    def __init__(self, settings: SttSettings) -> None:
        """Prepare; `open` loads."""
        own = settings.whisper
        self._settings = own
        self._device = _device(own)
        on_cpu = self._device == "cpu"
        self._worker_count = own.workers or (max(1, os.cpu_count() or 1) if on_cpu else 1)
        self._capacity = settings.capacity or _UTTERANCES_PER_WORKER * self._worker_count * (1 if on_cpu else 4)
        self._live: set[WhisperUtterance] = set()
        self.workers = Workers(self._worker_count)
        self.partial_samples = settings.partial_interval_ms * WHISPER_HZ // 1000

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        return EngineInfo(
            name="faster-whisper",
            version=importlib.metadata.version("faster-whisper"),
            model=Path(self._settings.model).name,
            sample_rate_hz=WHISPER_HZ,
            languages=self.decoder.languages,
            capacity=self._capacity,
            partials=True,
            word_times=False,
            language_detection=self.decoder.multilingual,
            punctuation=True,
            limitations=_LIMITATIONS,
        )

    async def open(self) -> None:
        """Load the model and decode a second of noise with it. Raises StartupError."""
        started = time.monotonic()
        self.decoder = await asyncio.to_thread(self._load)
        self.workers.start()
        _log.info(
            "model loaded",
            device=self._device,
            workers=self._worker_count,
            seconds=round(time.monotonic() - started, 2),
        )

    async def close(self) -> None:
        """Drop what runs and stop the threads."""
        for utterance in list(self._live):
            utterance.cancel()
        await asyncio.to_thread(self.workers.close)

    def begin(self, request: Request, on_partial: OnPartial) -> WhisperUtterance:
        """Begin an utterance. Raises LanguageUnsupportedError."""
        if request.languages:
            understood(request.languages, self.decoder.languages, detect=request.detect_language)
        utterance = WhisperUtterance(self, request, on_partial)
        self._live.add(utterance)
        return utterance

    def forget(self, utterance: WhisperUtterance) -> None:
        """Let go of an utterance that has ended."""
        self._live.discard(utterance)

    def _load(self) -> WhisperDecoder:
        own = self._settings
        folder = find_model(own)
        if folder is None:
            raise StartupError(whisper_missing(own))
        missing = missing_files(folder)
        if missing:
            # Without its tokenizer faster-whisper would go and download one.
            raise StartupError(
                f"the Whisper model in {folder} lacks {', '.join(missing)}: copy the whole model there, or set "
                "stt.whisper.model to another"
            )
        compute_type = own.compute_type
        if compute_type == "auto":
            compute_type = "int8" if self._device == "cpu" else "float16"
        try:
            model = faster_whisper.WhisperModel(
                str(folder),
                device=self._device,
                compute_type=compute_type,
                cpu_threads=own.threads or 1,
                num_workers=self._worker_count,
                local_files_only=True,
            )
            decoder = WhisperDecoder(model, own)
            noise = np.random.default_rng(0).standard_normal(WHISPER_HZ).astype(np.float32) * np.float32(0.1)
            decoder.decode(noise, Request(), lambda: False)
        except Exception as error:
            raise StartupError(
                f"the Whisper model in {folder} cannot be loaded on {self._device} as {compute_type} ({error}): it is "
                "damaged, no CTranslate2 conversion of Whisper, or this machine lacks what stt.whisper.device and "
                "stt.whisper.compute_type ask for; fetch it again or set stt.whisper.model to another"
            ) from error
        return decoder


def _device(settings: WhisperSettings) -> str:
    if settings.device != "auto":
        return settings.device
    return "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"


def _nothing() -> None:
    pass
