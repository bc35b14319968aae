"""faster-whisper as an engine: one model that many utterances share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from servicekit.logs import get_logger
from servicekit.telemetry import Telemetry
from stt_service.engines.interface import EngineInfo, OnPartial, Request, Utterance
from stt_service.engines.languages import understood
from stt_service.engines.whisper.decoding import Decoded, Passage
from stt_service.engines.whisper.edition import LIMITATIONS, Edition
from stt_service.engines.whisper.loading import Loaded, Means, load
from stt_service.engines.whisper.measures import Measures
from stt_service.engines.whisper.runs import DecodeJob
from stt_service.engines.whisper.scheduling import DroppedError, Outcome, Scheduler, Urgency
from stt_service.engines.whisper.speed import capacity
from stt_service.engines.whisper.utterance import WhisperUtterance
from stt_service.engines.whisper.windows import WHISPER_HZ
from stt_service.settings import SttSettings

_log = get_logger(__name__)

_MOST_UTTERANCES = 1000
"""However fast the machine is."""


class WhisperEngine:
    """The real recogniser; see `engines.interface.Engine`."""

    def __init__(
        self, settings: SttSettings, telemetry: Telemetry | None = None, *, edition: Edition | None = None
    ) -> None:
        """Prepare; `open` loads. The model is that of the settings, and ``edition`` what is known of it."""
        own = settings.whisper
        self._edition = edition or Edition.of(own)
        self._settings = settings
        self._means = Means.of(own)
        self._measures = Measures(telemetry or Telemetry("parley-stt"))
        self._loaded: Loaded | None = None
        self._info: EngineInfo | None = None
        self._live: set[Utterance] = set()
        self._scheduler: Scheduler[Passage, Decoded] = Scheduler(
            self._infer,
            workers=self._means.workers,
            batch=self._means.batch,
            partial_batch=self._means.partial_batch,
            on_batch=self._measures.record_batch,
        )
        self.partial_samples = settings.partial_interval_ms * WHISPER_HZ // 1000
        self.trim_samples = round(own.trim_after_s * WHISPER_HZ)
        self.silence_dbfs = own.silence_dbfs

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        assert self._info is not None, "the engine has not been opened"
        return self._info

    @property
    def waiting(self) -> int:
        """Decodes in the queue."""
        return self._scheduler.waiting

    async def open(self) -> None:
        """Load the model, decode noise with it and see how long that takes. Raises StartupError."""
        started = time.monotonic()
        self._loaded = await asyncio.to_thread(load, self._settings.whisper, self._means, self._edition)
        self._info = self._describe(self._loaded)
        self._scheduler.start()
        _log.info(
            "model loaded",
            device=self._means.device,
            workers=self._means.workers,
            batch=self._means.batch,
            final_ms=round(1000 * self._loaded.batch_s),
            seconds=round(time.monotonic() - started, 2),
        )

    async def close(self) -> None:
        """Drop what runs and stop the threads."""
        for utterance in list(self._live):
            utterance.cancel()
        await asyncio.to_thread(self._scheduler.close)

    def begin(self, request: Request, on_partial: OnPartial) -> WhisperUtterance:
        """Begin an utterance. Raises LanguageUnsupportedError."""
        if request.languages:
            understood(request.languages, self._opened.decoder.languages, detect=request.detect_language)
        utterance = WhisperUtterance(self, request, on_partial)
        self._live.add(utterance)
        return utterance

    def submit(self, urgency: Urgency, passage: Passage, done: Callable[[Outcome[Decoded]], None]) -> DecodeJob:
        """Queue a passage; ``done`` is called in a worker's thread."""
        return self._scheduler.submit(urgency, self._window_s(passage), passage, done)

    def renew(self, job: DecodeJob, passage: Passage) -> bool:
        """Put a newer passage in a waiting job's place; False when it waits no longer."""
        return job.renew(self._window_s(passage), passage)

    def forget(self, utterance: Utterance) -> None:
        """Let go of an utterance that has ended."""
        self._live.discard(utterance)

    @property
    def _opened(self) -> Loaded:
        assert self._loaded is not None, "the engine has not been opened"
        return self._loaded

    def _window_s(self, passage: Passage) -> int | None:
        """By which passages are alike; None for what needs several windows."""
        return None if passage.request.patient else self._opened.decoder.window_s(len(passage.audio))

    def _describe(self, loaded: Loaded) -> EngineInfo:
        decoder, edition = loaded.decoder, self._edition
        return EngineInfo(
            name=edition.name,
            version=edition.version,
            model=edition.model,
            sample_rate_hz=WHISPER_HZ,
            languages=decoder.languages,
            capacity=self._settings.capacity or self._measured_capacity(loaded),
            partials=True,
            word_times=True,
            language_detection=decoder.multilingual,
            punctuation=edition.punctuation,
            limitations=(*edition.limitations, *LIMITATIONS),
        )

    def _measured_capacity(self, loaded: Loaded) -> int:
        means = self._means
        return min(
            _MOST_UTTERANCES,
            capacity(
                loaded.batch_s,
                workers=means.workers,
                batch=means.batch,
                answer_within_s=self._settings.whisper.answer_within_s,
            ),
        )

    def _infer(self, passages: Sequence[Passage], useless: Callable[[], bool]) -> Sequence[Decoded | Exception]:
        """Do one batch's work in a worker's thread."""
        began_at = time.monotonic()
        answers: Sequence[Decoded | Exception]
        if self._window_s(passages[0]) is None:
            answers = [self._opened.recordings.decode(passages[0], useless)]
        else:
            answers = self._decode(passages, useless)
        self._measures.record_speed(
            time.monotonic() - began_at, sum(len(passage.audio) for passage in passages) / WHISPER_HZ
        )
        return answers

    def _decode(self, passages: Sequence[Passage], useless: Callable[[], bool]) -> Sequence[Decoded | Exception]:
        decoder = self._opened.decoder
        try:
            return decoder.decode(passages, useless)
        except DroppedError:
            raise
        except Exception:
            if len(passages) == 1:
                raise
        # One of them is at fault and the others shall not pay for it.
        answers: list[Decoded | Exception] = []
        for passage in passages:
            try:
                answers += decoder.decode([passage], useless)
            except Exception as error:  # told to the one whose passage it was
                answers.append(error)
        return answers
