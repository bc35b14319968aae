"""One utterance: when to decode it, what to make of the outcome, and when an outcome that is here will do."""

from __future__ import annotations

import asyncio
import dataclasses
from functools import partial

import numpy as np
from numpy.typing import NDArray

from servicekit.logs import get_logger
from stt_service.engines.interface import EngineError, OnPartial, Partial, Request, Transcript
from stt_service.engines.languages import primary
from stt_service.engines.whisper.activity import Activity
from stt_service.engines.whisper.buffer import SampleBuffer
from stt_service.engines.whisper.decoding import Decoded, Passage
from stt_service.engines.whisper.hypothesis import Hypothesis, joined, shifted
from stt_service.engines.whisper.runs import Decoding, Latest, Run
from stt_service.engines.whisper.scheduling import DroppedError, Outcome, Urgency
from stt_service.engines.whisper.windows import WHISPER_HZ, window_s
from stt_service.engines.whisper.words import words_of

_log = get_logger(__name__)

_CONSIDER_SAMPLES = WHISPER_HZ // 20
"""How often it is considered whether to begin a partial."""
_SILENT_INTERVAL_SAMPLES = 2 * WHISPER_HZ
"""Between decodes of a long utterance whose partials nobody wants: they only find out where to cut."""
_FORCED_AFTER_S = 10.0
"""So long after audio should have been cut it is cut without an agreement, before it outgrows the window."""


class WhisperUtterance:
    """One utterance; see `engines.interface.Utterance`.

    At most one partial is waiting or at work, and one decode for whoever asks; an older question's is dropped.
    """

    def __init__(self, engine: Decoding, request: Request, on_partial: OnPartial) -> None:
        """Made by `WhisperEngine.begin` only."""
        self._engine = engine
        self._request = request
        self._on_partial = on_partial
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._audio = SampleBuffer()
        self._activity = Activity(engine.silence_dbfs)
        self._hypothesis = Hypothesis()
        self._runs: set[Run] = set()
        self._latest: Latest | None = None
        self._considered_at = self._tried_at = 0
        self._speech_known = self._cancelled = False
        self._language = self._agreed_language = ""
        self._language_confidence = 0.0

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done once no thread works for it any more."""
        return self._ended

    def feed(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples ``[n]`` at 16 kHz."""
        if self._cancelled or not len(samples):
            return
        self._audio.append(samples)
        self._activity.hear(samples)
        if self._audio.end - self._considered_at >= _CONSIDER_SAMPLES:
            self._considered_at = self._audio.end
            self._consider_partial()

    def transcribe(self) -> asyncio.Future[Transcript]:
        """Ask for the text of all audio fed before this call.

        Nothing is decoded when nothing that may be speech came since the newest outcome, or since a decode that is on
        its way: then the answer is that one.
        """
        answer: asyncio.Future[Transcript] = self._loop.create_future()
        if not self._activity.speech_end:
            answer.set_result(
                Transcript("", next(iter(self._request.languages), ""), 0.0, self._audio.end / WHISPER_HZ)
            )
            return answer
        latest = self._latest
        if latest is not None and not latest.doubtful and self._activity.is_covered(latest.end, asked=latest.asked):
            end_s = self._audio.end / WHISPER_HZ
            answer.set_result(dataclasses.replace(latest.transcript, audio_end_s=end_s, inference_s=0.0, queue_s=0.0))
            return answer
        on_its_way = next(filter(self._is_covered_by, self._wanted()), None)
        if on_its_way is None:
            for run in self._wanted():
                if not run.answers:
                    self._drop(run)
            on_its_way = self._start(is_partial=False)
        elif on_its_way.job is not None and not self._request.patient:
            on_its_way.job.hasten()
        self._await(on_its_way, answer)
        return answer

    def cancel(self) -> None:
        """Drop all work: what waits leaves the queue at once, what runs stops at its next step."""
        if not self._cancelled:
            self._cancelled = True
            for run in list(self._runs):
                self._drop(run)
            self._audio.clear()
            self._end_if_idle()

    def _consider_partial(self) -> None:
        end, interval = self._audio.end, self._engine.partial_samples
        if not self._request.partials:
            if end - self._audio.start < self._engine.trim_samples:
                return
            interval = max(interval, _SILENT_INTERVAL_SAMPLES)
        # None while a final is being made: a worker's time is better spent on that.
        if self._request.patient or any(run.answers for run in self._runs) or not self._activity.speech_end:
            return
        if window_s(end - self._audio.start, 0) is None:
            return
        running = next(iter(self._wanted()), None)
        latest = self._latest
        if (running is not None and self._is_covered_by(running)) or (
            running is None and latest is not None and self._activity.is_covered(latest.end, asked=latest.asked)
        ):
            return
        # Speech has just paused: whoever waits for its end is about to ask.
        paused = self._request.partials and self._activity.is_covered(end)
        tried_at = running.end if running is not None else self._tried_at
        if end - tried_at < interval and not paused:
            return
        if running is not None:
            self._renew(running)
        else:
            self._start(is_partial=True)

    def _wanted(self) -> list[Run]:
        return [run for run in self._runs if run.is_wanted]

    def _is_covered_by(self, run: Run) -> bool:
        return self._activity.is_covered(run.end, asked=not run.is_partial)

    def _start(self, *, is_partial: bool) -> Run:
        run = Run(self._passage(careful=not is_partial), self._audio.start, self._audio.end, (), is_partial)
        run.settled = self._hypothesis.settled
        self._tried_at = run.end
        return self._submit(run)

    def _submit(self, run: Run) -> Run:
        urgency = Urgency.PARTIAL if run.is_partial else Urgency.FINAL
        if self._request.patient:
            urgency = Urgency.RECORDING
        run.job = self._engine.submit(urgency, run.passage, partial(self._tell_loop, run))
        self._runs.add(run)
        return run

    def _renew(self, run: Run) -> None:
        """Let a partial that has waited too long hear what came meanwhile."""
        passage = self._passage(careful=False)
        if run.job is not None and self._engine.renew(run.job, passage):
            run.passage, run.end, self._tried_at = passage, self._audio.end, self._audio.end

    def _passage(self, *, careful: bool) -> Passage:
        trimmed = self._audio.start > 0
        return Passage(
            audio=self._audio.view(),
            request=self._request,
            settled=joined(self._hypothesis.settled),
            # What a whole utterance's final says of the language is asked again.
            language=self._agreed_language if trimmed or not careful else "",
            careful=careful,
            timed=self._request.word_times
            or (not self._request.patient and self._audio.end - self._audio.start > self._engine.trim_samples),
            speech_known=self._speech_known,
        )

    def _await(self, run: Run, answer: asyncio.Future[Transcript]) -> None:
        run.answers.append(answer)

        def given_up(answer: asyncio.Future[Transcript]) -> None:
            if answer.cancelled() and answer in run.answers:
                run.answers.remove(answer)
                if not run.answers and not run.is_partial:
                    self._drop(run)

        answer.add_done_callback(given_up)

    def _drop(self, run: Run) -> None:
        if run.job is not None and run.job.drop():
            self._runs.discard(run)

    def _tell_loop(self, run: Run, outcome: Outcome[Decoded]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._done, run, outcome)
        except RuntimeError:
            # The loop is closed: the process is going down and nobody listens any more.
            _log.debug("an outcome came after the end")

    def _done(self, run: Run, outcome: Outcome[Decoded]) -> None:
        self._runs.discard(run)
        answers = [answer for answer in run.answers if not answer.done()]
        if self._cancelled:
            self._end_if_idle()
        elif outcome.result is not None:
            self._take(run, outcome.result, outcome, answers)
            self._consider_partial()
        elif answers and isinstance(outcome.error, DroppedError):
            # It was pre-empted in the moment in which it became a final.
            self._again(run, answers)
        else:
            failure = EngineError(f"faster-whisper failed with {type(outcome.error).__name__}")
            failure.__cause__ = outcome.error
            for answer in answers:
                answer.set_exception(failure)

    def _take(
        self, run: Run, decoded: Decoded, outcome: Outcome[Decoded], answers: list[asyncio.Future[Transcript]]
    ) -> None:
        doubtful = decoded.doubtful and run.is_partial
        if doubtful and answers:
            self._again(run, answers)
            return
        self._speech_known = self._speech_known or decoded.speech
        transcript = self._transcript(run, decoded, outcome)
        if self._latest is None or run.end >= self._latest.end:
            self._latest = Latest(run.end, transcript, doubtful, asked=not run.is_partial)
        for answer in answers:
            answer.set_result(transcript)
        if not decoded.doubtful and run.start == self._audio.start:
            self._note_language(decoded)
            stable, unstable = self._hypothesis.add(decoded.pieces)
            if self._request.partials and not answers and (stable or unstable):
                self._on_partial(Partial(stable, unstable, run.end / WHISPER_HZ, transcript.words))
            self._trim(run, decoded)

    def _again(self, run: Run, answers: list[asyncio.Future[Transcript]]) -> None:
        """Decode the same audio as a final, with the care that a partial was not given."""
        careful = dataclasses.replace(run.passage, careful=True)
        again = self._submit(Run(careful, run.start, run.end, run.settled, is_partial=False))
        for answer in answers:
            self._await(again, answer)

    def _trim(self, run: Run, decoded: Decoded) -> None:
        """Settle a beginning once there is too much to decode over and over."""
        length, bound = run.end - run.start, self._engine.trim_samples
        if self._request.patient or not run.passage.timed or length <= bound:
            return
        cut_s = self._hypothesis.settle(
            decoded.pieces,
            start_s=run.start / WHISPER_HZ,
            length_s=length / WHISPER_HZ,
            unagreed=length > bound + _FORCED_AFTER_S * WHISPER_HZ,
        )
        if cut_s is not None:
            self._audio.let_go(run.start + round(cut_s * WHISPER_HZ))

    def _note_language(self, decoded: Decoded) -> None:
        """Two decodes that agree settle the language for the partials to come."""
        if decoded.language_confidence:
            self._agreed_language = decoded.language if decoded.language == self._language else ""
            self._language, self._language_confidence = decoded.language, decoded.language_confidence

    def _transcript(self, run: Run, decoded: Decoded, outcome: Outcome[Decoded]) -> Transcript:
        pieces = [*run.settled, *shifted(decoded.pieces, run.start / WHISPER_HZ)]
        known = self._language_confidence if decoded.language == self._language else 0.0
        return Transcript(
            text=joined(pieces).strip(),
            language=self._tag(decoded.language),
            confidence=decoded.confidence,
            audio_end_s=run.end / WHISPER_HZ,
            words=words_of(pieces) if self._request.word_times else (),
            language_confidence=decoded.language_confidence or known,
            inference_s=outcome.inference_s,
            queue_s=outcome.queue_s,
        )

    def _tag(self, language: str) -> str:
        """The language as the client names it, region and all, where it named it."""
        return next((tag for tag in self._request.languages if primary(tag) == primary(language)), language)

    def _end_if_idle(self) -> None:
        if self._cancelled and not self._runs and not self._ended.done():
            self._engine.forget(self)
            self._ended.set_result(None)
