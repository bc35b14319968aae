"""Moonshine as an engine: a transcriber for each utterance at once, steps in a few threads, finals before partials."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from moonshine_voice.moonshine_api import ModelArch
from moonshine_voice.transcriber import Transcriber
from numpy.typing import NDArray

from servicekit.logs import get_logger
from servicekit.startup import StartupError
from stt_service.engines.agreement import LocalAgreement
from stt_service.engines.interface import EngineError, EngineInfo, OnPartial, Partial, Request, Transcript
from stt_service.engines.languages import primary, understood
from stt_service.engines.moonshine.files import (
    find_model,
    has_word_times,
    how_to_fetch,
    missing_files,
    moonshine_missing,
    spells_everything,
)
from stt_service.engines.moonshine.listening import MOONSHINE_HZ, Listening, MoonshineFailedError
from stt_service.settings import SttSettings

_log = get_logger(__name__)

_UTTERANCES_PER_WORKER = 2
_OPTIONS = {
    # Else every line comes back with its audio as a Python list, for the whole utterance, at every look.
    "return_audio_data": "false",
    "identify_speakers": "false",
    "log_output_text": "false",
    "save_input_wav_path": "",
}


@dataclass(frozen=True, slots=True)
class _Question:
    answer: asyncio.Future[Transcript]
    samples: int
    asked_at: float


class MoonshineUtterance:
    """One utterance; see `engines.interface.Utterance`. One step of it at a time is in a thread."""

    def __init__(
        self, engine: MoonshineEngine, transcriber: Any, listening: Listening, request: Request, on_partial: OnPartial
    ) -> None:
        """Made by `MoonshineEngine.begin` only; the transcriber is given back when the utterance has ended."""
        self._engine = engine
        self._transcriber = transcriber
        self._listening = listening
        self._request = request
        self._on_partial = on_partial
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._incoming: deque[NDArray[np.float32] | _Question] = deque()
        self._samples = 0
        self._looked_at = 0
        self._running = False
        self._cancelled = False
        self._agreement = LocalAgreement()
        self._said = ("", "")
        self._inference_s = 0.0
        self._waited_s = 0.0

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done once the transcriber is free."""
        return self._ended

    def feed(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples ``[n]`` at 16 kHz."""
        if not self._cancelled and len(samples):
            self._incoming.append(samples)
            self._samples += len(samples)
            self._advance()

    def transcribe(self) -> asyncio.Future[Transcript]:
        """Ask for the text of all audio fed before this call."""
        answer: asyncio.Future[Transcript] = self._loop.create_future()
        self._incoming.append(_Question(answer, self._samples, time.monotonic()))
        self._advance()
        return answer

    def cancel(self) -> None:
        """End the utterance after the step that runs."""
        if not self._cancelled:
            self._cancelled = True
            self._incoming.clear()
            self._advance()

    def _advance(self) -> None:
        """Begin the next step, if one is due and none runs."""
        if self._running or self._ended.done():
            return
        if self._cancelled:
            self._run(self._listening.close, lambda _: self._let_go())
            return
        asked = any(isinstance(item, _Question) for item in self._incoming)
        fresh = self._samples - self._looked_at
        # Looking early spares the final work, but only where a thread would otherwise do nothing.
        if not asked and (fresh < self._engine.step_samples or not self._engine.has_idle_worker):
            return
        pieces, question = self._next_items()
        if question is not None or pieces:
            self._looked_at = question.samples if question is not None else self._samples
            self._run(partial(self._look, pieces, final=question is not None), partial(self._take, question))

    def _next_items(self) -> tuple[list[NDArray[np.float32]], _Question | None]:
        """Audio up to the next question that somebody still wants answered."""
        pieces: list[NDArray[np.float32]] = []
        while self._incoming:
            item = self._incoming.popleft()
            if not isinstance(item, _Question):
                pieces.append(item)
            elif not item.answer.cancelled():
                return pieces, item
        return pieces, None

    def _look(self, pieces: list[NDArray[np.float32]], *, final: bool) -> None:
        for piece in pieces:
            self._listening.hear(piece)
        if final:
            self._listening.finish()
        else:
            self._listening.update()

    def _run(self, step: Callable[[], None], done: Callable[[Exception | None], None]) -> None:
        self._running = True
        submitted = time.monotonic()

        def work() -> None:
            began = time.monotonic()
            failure: Exception | None = None
            try:
                step()
            except Exception as error:
                failure = error
            now = time.monotonic()
            try:
                self._loop.call_soon_threadsafe(self._stepped, done, failure, now - began, began - submitted)
            except RuntimeError:
                _log.debug("a step ended after the end")  # the loop is closed and nobody listens any more

        self._engine.submit(work)

    def _stepped(
        self, done: Callable[[Exception | None], None], failure: Exception | None, took_s: float, waited_s: float
    ) -> None:
        self._running = False
        self._engine.stepped()
        self._inference_s += took_s
        self._waited_s = waited_s
        done(failure)
        self._advance()

    def _take(self, question: _Question | None, failure: Exception | None) -> None:
        if self._cancelled:
            return
        if failure is not None:
            self._fail(question, failure)
            return
        lines = self._listening.lines
        text = " ".join(line.text for line in lines if line.text)
        if question is None:
            self._offer_partial(text)
        elif not question.answer.done():
            words = tuple(word for line in lines for word in line.words)
            inference_s, self._inference_s = self._inference_s, 0.0
            question.answer.set_result(
                Transcript(
                    text=text,
                    language=self._language,
                    confidence=sum(word.confidence for word in words) / len(words) if words else 0.0,
                    audio_end_s=question.samples / MOONSHINE_HZ,
                    words=words if self._request.word_times else (),
                    inference_s=inference_s,
                    queue_s=self._waited_s,
                )
            )

    def _fail(self, question: _Question | None, failure: Exception) -> None:
        _log.error("moonshine failed", cause=str(failure) or type(failure).__name__)
        error = EngineError("moonshine failed at this utterance")
        error.__cause__ = failure
        waiting = [item for item in self._incoming if isinstance(item, _Question)]
        for asked in ([question] if question is not None else []) + waiting:
            if not asked.answer.done():
                asked.answer.set_exception(error)
        self._incoming.clear()

    def _offer_partial(self, text: str) -> None:
        if not self._request.partials:
            return
        said = self._agreement.add(text.split())
        if said != self._said:
            self._said = said
            self._on_partial(Partial(*said, audio_end_s=self._looked_at / MOONSHINE_HZ))

    @property
    def _language(self) -> str:
        """The model's language, as the client names it."""
        own = self._engine.language
        return next((tag for tag in self._request.languages if primary(tag) == primary(own)), own)

    def _let_go(self) -> None:
        self._engine.give_back(self, self._transcriber)
        if not self._ended.done():
            self._ended.set_result(None)


class MoonshineEngine:
    """Moonshine's streaming models; see `engines.interface.Engine`."""

    def __init__(self, settings: SttSettings) -> None:
        """Prepare; `open` loads."""
        own = settings.moonshine
        self._settings = own
        self._workers = own.workers or max(1, os.cpu_count() or 1)
        self._capacity = settings.capacity or _UTTERANCES_PER_WORKER * self._workers
        self._executor = ThreadPoolExecutor(self._workers, thread_name_prefix="moonshine")
        self._busy = 0
        self._free: list[Any] = []
        self._live: set[MoonshineUtterance] = set()
        self._word_times = False
        self._hotwords = False
        self.language = own.language
        self.step_samples = settings.partial_interval_ms * MOONSHINE_HZ // 1000

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        said = [f"It understands one language: its model's ({self.language}).", "The prompt is ignored."]
        if not self._word_times:
            said.append("Word times are not given: the model's decoder for them is not on disk.")
        if not self._hotwords:
            said.append("Hotwords are ignored: the model's vocabulary cannot spell every word.")
        said.append("Texts carry no confidence." if not self._word_times else "The confidence is the words' mean.")
        return EngineInfo(
            name="moonshine",
            version=importlib.metadata.version("moonshine-voice"),
            model=f"streaming {Path(self._settings.model).name}",
            sample_rate_hz=MOONSHINE_HZ,
            languages=(self.language,),
            capacity=self._capacity,
            partials=True,
            word_times=self._word_times,
            language_detection=False,
            punctuation=True,
            limitations=tuple(said),
        )

    @property
    def has_idle_worker(self) -> bool:
        """Whether a step would begin at once."""
        return self._busy < self._workers

    async def open(self) -> None:
        """Load a transcriber for each utterance of the capacity and try one out. Raises StartupError."""
        started = time.monotonic()
        self._free = await asyncio.to_thread(self._load)
        _log.info("transcribers loaded", transcribers=len(self._free), seconds=round(time.monotonic() - started, 2))

    async def close(self) -> None:
        """Cancel what runs, stop the threads and let the models go."""
        live = list(self._live)
        for utterance in live:
            utterance.cancel()
        for utterance in live:
            await utterance.ended
        await asyncio.to_thread(self._executor.shutdown)
        while self._free:
            await asyncio.to_thread(self._free.pop().close)

    def begin(self, request: Request, on_partial: OnPartial) -> MoonshineUtterance:
        """Begin an utterance. Raises LanguageUnsupportedError."""
        understood(request.languages, (self.language,), detect=request.detect_language)
        transcriber = self._free.pop()
        hotwords = request.hotwords if self._hotwords else ()
        listening = Listening(transcriber, hotwords, silence_dbfs=self._settings.silence_dbfs)
        utterance = MoonshineUtterance(self, transcriber, listening, request, on_partial)
        self._live.add(utterance)
        return utterance

    def submit(self, work: Callable[[], None]) -> None:
        """Run a step in a thread; `stepped` must follow."""
        self._busy += 1
        self._executor.submit(work)

    def stepped(self) -> None:
        """A step has ended."""
        self._busy -= 1

    def give_back(self, utterance: MoonshineUtterance, transcriber: Any) -> None:
        """Take back the transcriber of an utterance that has ended."""
        self._live.discard(utterance)
        self._free.append(transcriber)

    def _load(self) -> list[Any]:
        own = self._settings
        folder = find_model(own)
        if folder is None:
            raise StartupError(moonshine_missing(own))
        missing = missing_files(folder)
        if missing:
            raise StartupError(
                f"the Moonshine model in {folder} lacks {', '.join(missing)}: {how_to_fetch(own)}, or set "
                "stt.moonshine.model to another (only streaming models will do)"
            )
        self._word_times = has_word_times(folder)
        # Each session would else bring a thread for every core, and they spin.
        os.environ.setdefault("MOONSHINE_ORT_SINGLE_THREAD", "1")
        options = _OPTIONS | ({"word_timestamps": "true"} if self._word_times else {})
        try:
            self._hotwords = spells_everything(folder / "tokenizer.bin")
            _try_out(folder, options)
            return [Transcriber(str(folder), ModelArch.TINY_STREAMING, options=options) for _ in range(self._capacity)]
        except Exception as error:
            cause = error if not isinstance(error, MoonshineFailedError) else error.__cause__ or error
            raise StartupError(
                f"the Moonshine model in {folder} cannot be loaded ({cause}; see above): it is damaged, or no "
                f"streaming model that moonshine-voice {importlib.metadata.version('moonshine-voice')} understands; "
                f"`parley models verify` tells which: {how_to_fetch(own)}, or set stt.moonshine.model to another"
            ) from error


def _try_out(folder: Path, options: dict[str, str]) -> None:
    """Have a second of noise understood, with voice detection off: else no model would get to see it."""
    transcriber = Transcriber(str(folder), ModelArch.TINY_STREAMING, options=options | {"vad_threshold": "0"})
    try:
        listening = Listening(transcriber, (), silence_dbfs=-120)
        noise = np.random.default_rng(0).standard_normal(MOONSHINE_HZ).astype(np.float32) * np.float32(0.1)
        listening.hear(noise)
        listening.finish()
        if not listening.lines:
            raise MoonshineFailedError("it heard nothing at all")
    finally:
        transcriber.close()
