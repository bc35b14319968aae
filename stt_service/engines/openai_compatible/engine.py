"""A transcription server as an engine: utterances are kept here and asked about whole; there are no partials."""

from __future__ import annotations

import asyncio
import importlib.metadata
import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import level_dbfs, to_int16
from servicekit.logs import get_logger
from servicekit.startup import StartupError
from stt_service.engines.interface import EngineError, EngineInfo, OnPartial, Request, Transcript
from stt_service.engines.languages import primary
from stt_service.engines.openai_compatible.answer import Answer
from stt_service.engines.openai_compatible.client import Question, StatusError, TranscriptionClient
from stt_service.engines.openai_compatible.languages import to_whisper
from stt_service.engines.openai_compatible.trial import try_out
from stt_service.engines.openai_compatible.wav import wav_of
from stt_service.settings import SttSettings

_log = get_logger(__name__)

RATE_HZ = 16_000
"""What every such server's model works at; whisper.cpp takes nothing else."""
_UTTERANCES_PER_REQUEST = 4
"""People speak most of the time that an utterance lasts; a request takes a fraction of that."""
_LEVEL_WINDOW = RATE_HZ // 10
_LONGEST_HOTWORDS, _LONGEST_PROMPT = 300, 500
"""Characters: together less than the 223 tokens that Whisper reads of a prompt, of which it drops the beginning."""
_LIMITATIONS = (
    "No partials: the server is asked when the utterance is finalized or finished.",
    "The server chooses among all its languages when more than one is possible, and may choose another.",
    "Hotwords are given to it as a part of the prompt.",
)


@dataclass(eq=False)
class _Asked:
    """A request under way or answered, and the audio that it covers."""

    samples: int
    task: asyncio.Task[Transcript]
    waiting: set[asyncio.Future[Transcript]] = field(default_factory=set)


class RemoteUtterance:
    """One utterance; see `engines.interface.Utterance`."""

    def __init__(self, engine: OpenAiCompatibleEngine, request: Request) -> None:
        """Made by `OpenAiCompatibleEngine.begin` only."""
        self._engine = engine
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._pieces: list[bytes] = []
        self._samples = 0
        self._spoken_until = 0
        """Where the last sound above the silence level ends: beyond it there is nothing to understand."""
        self._asked: _Asked | None = None
        self._tasks: set[asyncio.Task[Transcript]] = set()
        self._cancelled = False

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done once no request of it is under way."""
        return self._ended

    def feed(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples ``[n]`` at 16 kHz."""
        if self._cancelled or not len(samples):
            return
        for start in range(0, len(samples), _LEVEL_WINDOW):
            window = samples[start : start + _LEVEL_WINDOW]
            if level_dbfs(window) >= self._engine.silence_dbfs:
                self._spoken_until = self._samples + start + len(window)
        self._pieces.append(to_int16(samples).tobytes())
        self._samples += len(samples)

    def transcribe(self) -> asyncio.Future[Transcript]:
        """Ask for the text of all audio fed before this call; what is known already is not asked again."""
        answer: asyncio.Future[Transcript] = self._loop.create_future()
        audio_end_s = self._samples / RATE_HZ
        if self._spoken_until == 0:
            language = self._request.languages[0] if self._request.languages else ""
            answer.set_result(Transcript("", language, 0.0, audio_end_s))
            return answer
        asked = self._asked
        if asked is None or asked.samples < self._spoken_until or asked.task.cancelled() or _failed(asked.task):
            asked = self._asked = _Asked(self._samples, self._begin())
        asked.waiting.add(answer)
        answer.add_done_callback(lambda done: self._given_up(asked, done))
        asked.task.add_done_callback(lambda task: _settle(answer, task, audio_end_s))
        return answer

    def cancel(self) -> None:
        """Break off what is under way."""
        if not self._cancelled:
            self._cancelled = True
            self._pieces.clear()
            for task in self._tasks:
                task.cancel()
            self._end_if_idle()

    def _begin(self) -> asyncio.Task[Transcript]:
        wav = wav_of(self._pieces, RATE_HZ)
        task = self._loop.create_task(self._engine.recognise(wav, self._request), name="transcription request")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _given_up(self, asked: _Asked, answer: asyncio.Future[Transcript]) -> None:
        asked.waiting.discard(answer)
        if answer.cancelled() and not asked.waiting and not asked.task.done():
            # Whoever asks next in this same turn of the loop joins it; else nobody wants it.
            self._loop.call_soon(self._drop_if_unwanted, asked)

    def _drop_if_unwanted(self, asked: _Asked) -> None:
        if not asked.waiting:
            asked.task.cancel()

    def _done(self, task: asyncio.Task[Transcript]) -> None:
        self._tasks.discard(task)
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._cancelled and not self._tasks and not self._ended.done():
            self._engine.forget(self)
            self._ended.set_result(None)


class OpenAiCompatibleEngine:
    """Any server with OpenAI's `/v1/audio/transcriptions`; see `engines.interface.Engine`."""

    def __init__(self, settings: SttSettings) -> None:
        """Prepare; `open` asks the server."""
        own = settings.openai
        self._settings = own
        self._capacity = settings.capacity or _UTTERANCES_PER_REQUEST * own.max_requests
        self._client = TranscriptionClient(own)
        self._turns = asyncio.Semaphore(own.max_requests)
        self._live: set[RemoteUtterance] = set()
        self._verbose = False
        self._word_times = False
        self.silence_dbfs = own.silence_dbfs

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        limitations = list(_LIMITATIONS)
        if not self._verbose:
            limitations.append(
                "This server answers with the text alone: no language, no confidence, no scores to tell invented "
                "words by."
            )
        if self._word_times:
            limitations.append("Word times are the server's own; not every server gives them for every text.")
        return EngineInfo(
            name="openai",
            version=f"httpx {importlib.metadata.version('httpx')}",
            model=f"{self._client.model or 'the model'} at {self._settings.where}",
            sample_rate_hz=RATE_HZ,
            languages=(),
            capacity=self._capacity,
            partials=False,
            word_times=self._word_times,
            language_detection=self._verbose,
            punctuation=True,
            limitations=tuple(limitations),
        )

    async def open(self) -> None:
        """Have the server transcribe a second of noise. Raises StartupError."""
        started = time.monotonic()
        try:
            self._verbose, self._word_times = await try_out(self._client, self._settings, rate_hz=RATE_HZ)
        except StartupError:
            await self._client.close()
            raise
        _log.info(
            "the transcription server answers",
            server=self._settings.where,
            model=self._client.model,
            verbose=self._verbose,
            word_times=self._word_times,
            seconds=round(time.monotonic() - started, 2),
        )

    async def close(self) -> None:
        """Break off every request and close the connections."""
        live = list(self._live)
        for utterance in live:
            utterance.cancel()
        for utterance in live:
            await utterance.ended
        await self._client.close()

    def begin(self, request: Request, on_partial: OnPartial) -> RemoteUtterance:
        """Begin an utterance; no language is refused, since the server does not say which ones it knows."""
        utterance = RemoteUtterance(self, request)
        self._live.add(utterance)
        return utterance

    def forget(self, utterance: RemoteUtterance) -> None:
        """Let go of an utterance that has ended."""
        self._live.discard(utterance)

    async def recognise(self, wav: bytes, request: Request) -> Transcript:
        """Ask the server once, in turn. Raises EngineError."""
        asked_at = time.monotonic()
        own = self._settings
        certain = request.languages[:1] if not request.detect_language or len(request.languages) == 1 else ()
        question = Question(
            wav,
            language=to_whisper(primary(certain[0])) if certain else "",
            prompt=_prompt(request),
            verbose=self._verbose,
            word_times=request.word_times and self._word_times,
            timeout_s=own.recording_timeout_s if request.patient else own.timeout_s,
        )
        async with self._turns:
            began_at = time.monotonic()
            try:
                answer = await self._client.ask(question)
            except StatusError as error:
                if error.status in {401, 403}:
                    _log.error("the transcription server no longer takes the key; set stt.openai.api_key")
                raise
        return _transcript(
            answer, request, certain, inference_s=time.monotonic() - began_at, queue_s=began_at - asked_at
        )


def _transcript(
    answer: Answer, request: Request, certain: tuple[str, ...], *, inference_s: float, queue_s: float
) -> Transcript:
    language = certain[0] if certain else answer.language
    # As the client names it, region and all, where it named it.
    tag = next((tag for tag in request.languages if primary(tag) == primary(language)), language)
    return Transcript(
        text=answer.text,
        language=tag,
        confidence=answer.confidence,
        audio_end_s=0.0,
        words=answer.words if request.word_times else (),
        inference_s=inference_s,
        queue_s=queue_s,
    )


def _prompt(request: Request) -> str:
    hotwords = ", ".join(request.hotwords)
    if len(hotwords) > _LONGEST_HOTWORDS:
        hotwords = hotwords[:_LONGEST_HOTWORDS].rpartition(",")[0]
    before = request.prompt.strip()[-_LONGEST_PROMPT:]
    return " ".join(part for part in (f"{hotwords}." if hotwords else "", before) if part)


def _failed(task: asyncio.Task[Transcript]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None


def _settle(answer: asyncio.Future[Transcript], task: asyncio.Task[Transcript], audio_end_s: float) -> None:
    if task.cancelled():
        answer.cancel()
        return
    error = task.exception()  # looked at even when nobody waits, so that asyncio does not complain
    if answer.done():
        return
    if error is None:
        answer.set_result(replace(task.result(), audio_end_s=audio_end_s))
    elif isinstance(error, EngineError):
        answer.set_exception(error)
    else:
        failure = EngineError(f"asking the transcription server failed with {type(error).__name__}")
        failure.__cause__ = error
        answer.set_exception(failure)
