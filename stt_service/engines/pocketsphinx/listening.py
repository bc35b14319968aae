"""The thread that decodes: many utterances, one step of one of them at a time.

pocketsphinx keeps Python's interpreter lock while it works (seen: a second thread stood still for all of a 215 ms
call), so a second thread would win nothing, and a long step would stall the event loop. Steps are therefore short, and
utterances take turns. One thread serves about forty utterances at once.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from servicekit.logs import get_logger
from stt_service.engines.agreement import LocalAgreement
from stt_service.engines.interface import EngineError, OnPartial, Partial, Transcript
from stt_service.engines.pocketsphinx.acoustics import MODEL_HZ
from stt_service.engines.pocketsphinx.decoder import NOTHING, Heard, SentenceDecoder

_log = get_logger(__name__)

STEP_BYTES = 2 * MODEL_HZ * 40 // 1000
"""Audio of one step: 40 ms, decoded in about a millisecond."""
_BYTES_PER_S = 2 * MODEL_HZ


@dataclass(frozen=True, slots=True)
class _Question:
    """Asks for the text of the audio before ``end``, a place in the utterance's bytes."""

    end: int
    answer: asyncio.Future[Transcript]
    asked_at: float


class Listening:
    """One utterance on its way through a decoder.

    What comes in is put down on the event loop, by `hear`, `ask` and `stop`; `step` and `finish` belong to the thread.
    A deque's ends are safe to use from two threads.
    """

    def __init__(
        self,
        decoder: SentenceDecoder,
        loop: asyncio.AbstractEventLoop,
        *,
        language: str,
        on_partial: OnPartial | None,
        partial_bytes: int,
        on_ended: Callable[[], None],
    ) -> None:
        """``on_partial`` is called on the loop each ``partial_bytes`` of audio, ``on_ended`` there in the end."""
        self.stopped = False
        self._decoder = decoder
        self._loop = loop
        self._language = language
        self._on_partial = on_partial
        self._partial_bytes = partial_bytes
        self._on_ended = on_ended
        self._incoming: deque[bytes | _Question] = deque()
        # The thread's own:
        self._audio = bytearray()  # not yet decoded
        self._questions: deque[_Question] = deque()
        self._place = 0  # bytes decoded
        self._finished = False
        self._partial_at = 0
        self._agreement = LocalAgreement()
        self._said: tuple[str, str] = ("", "")
        self._inference_s = 0.0
        self._failed = False

    # On the event loop.

    def hear(self, pcm: bytes) -> None:
        """Take audio: 16-bit samples at the model's rate."""
        self._incoming.append(pcm)

    def ask(self, end: int) -> asyncio.Future[Transcript]:
        """Ask for the text of the first ``end`` bytes."""
        answer: asyncio.Future[Transcript] = self._loop.create_future()
        self._incoming.append(_Question(end, answer, time.monotonic()))
        return answer

    # In the thread.

    def step(self) -> bool:
        """Decode a little, answer what can be answered; whether there is more to do at once."""
        while self._incoming:
            item = self._incoming.popleft()
            if isinstance(item, _Question):
                self._questions.append(item)
            else:
                self._audio += item
        started = time.perf_counter()
        try:
            self._decode()
            self._answer()
        except Exception as error:
            _log.error("pocketsphinx failed", error=type(error).__name__)
            self._failed = True
            self._answer()
        self._inference_s += time.perf_counter() - started
        return not self._failed and bool(self._audio)

    def finish(self) -> None:
        """Let go of the decoder and tell the loop; again does nothing."""
        if not self._finished:
            self._finished = True
            self._decoder.end()
            self._tell_loop(self._on_ended)

    def _decode(self) -> None:
        # Not beyond the place of a question: it is about the audio before it and none after.
        until = STEP_BYTES if not self._questions else min(STEP_BYTES, self._questions[0].end - self._place)
        step = bytes(self._audio[:until])
        del self._audio[:until]
        if self._failed or not step:
            return
        if self._place == 0:
            self._decoder.begin()
        self._place += len(step)
        self._decoder.hear(step)
        if self._on_partial is not None and self._place - self._partial_at >= self._partial_bytes:
            self._partial_at = self._place
            self._offer_partial(self._on_partial)

    def _offer_partial(self, on_partial: OnPartial) -> None:
        heard = self._decoder.best()
        said = self._agreement.add([word.text for word in heard.words])
        if said != self._said:
            self._said = said
            self._tell_loop(on_partial, Partial(*said, audio_end_s=self._place / _BYTES_PER_S))

    def _answer(self) -> None:
        while self._questions and (self._failed or self._place >= self._questions[0].end):
            question = self._questions.popleft()
            if question.answer.cancelled():
                continue
            if self._failed:
                self._tell_loop(_fail, question.answer, EngineError("pocketsphinx failed at this utterance"))
            else:
                heard = self._decoder.best() if self._place > 0 else NOTHING
                self._tell_loop(_settle, question.answer, self._transcript(question, heard))

    def _transcript(self, question: _Question, heard: Heard) -> Transcript:
        inference_s, self._inference_s = self._inference_s, 0.0
        return Transcript(
            text=heard.text,
            language=self._language,
            confidence=heard.confidence,
            audio_end_s=question.end / _BYTES_PER_S,
            words=heard.words,
            inference_s=inference_s,
            queue_s=max(0.0, time.monotonic() - question.asked_at - inference_s),
        )

    def _tell_loop(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:  # the loop is closed: the process is going down and nobody listens any more
            self.stopped = True


class ListeningThread:
    """Gives every utterance its turns."""

    def __init__(self) -> None:
        """Prepare; `start` begins."""
        self._ready: deque[Listening] = deque()
        self._queued: set[Listening] = set()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="pocketsphinx", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Stop and wait for the thread. What is attended to must be stopped before; it is let go of."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    def attend(self, listening: Listening) -> None:
        """Say that an utterance has something new: audio, a question, or that it is stopped."""
        with self._wake:
            if listening not in self._queued:
                self._queued.add(listening)
                self._ready.append(listening)
                self._wake.notify()

    def _run(self) -> None:
        while (listening := self._next()) is not None:
            if listening.stopped:
                listening.finish()
            elif listening.step():
                self.attend(listening)
                # Lets the event loop have the interpreter between two steps, which it would else ask for in vain.
                time.sleep(0)

    def _next(self) -> Listening | None:
        with self._wake:
            while not self._ready:
                if self._closing:
                    return None
                self._wake.wait()
            listening = self._ready.popleft()
            self._queued.discard(listening)
            return listening


def _settle(answer: asyncio.Future[Transcript], transcript: Transcript) -> None:
    if not answer.done():
        answer.set_result(transcript)


def _fail(answer: asyncio.Future[Transcript], failure: EngineError) -> None:
    if not answer.done():
        answer.set_exception(failure)
