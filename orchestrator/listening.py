"""The caller's side of a call's work: utterances through speech to text, transcripts to the engine and the gateway."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from opentelemetry.context import Context

from orchestrator.call_context import CallContext
from orchestrator.caller_audio import CallerAudio
from orchestrator.end_of_turn import EndOfTurnJudge
from orchestrator.engine import EndOfTurnJudged, FinalHeard, PartialHeard, RecognitionFailed
from orchestrator.playout import ms_of
from orchestrator.recognition import Recognition, RecognitionError
from parley.conversation.v1 import conversation_pb2 as conv
from parley.stt.v1 import stt_pb2
from servicekit import semconv
from servicekit.logs import get_logger

log = get_logger(__name__)

# What the recogniser is told of the agent's last words.
PROMPT_CHARACTERS = 200


@dataclass(slots=True)
class _OpenUtterance:
    turn_id: int
    from_ms: float
    recognition: Recognition
    task: asyncio.Task[None] | None = None
    told: str = ""
    finalize_id: int = 0
    """The last transcript that was asked for."""


class Listening:
    """At most one utterance is open; those that ended may still be finishing."""

    def __init__(self, call: CallContext, audio: CallerAudio, judge: EndOfTurnJudge | None = None) -> None:
        """``judge`` is asked at each finalize whether the caller has finished, where there is such a model."""
        self._call = call
        self._audio = audio
        self._judge = judge
        self._open: _OpenUtterance | None = None

    def hear(self, payload: bytes) -> None:
        """Pass the caller's next sound to the open utterance, if there is one."""
        if self._open is not None and not self._open.recognition.log.feed(payload):
            self._call.notice("UTTERANCE_TOO_LONG", "The utterance was longer than is kept.", self._open.turn_id)

    @property
    def heard_ms(self) -> float:
        """Media time up to which the caller's sound has come."""
        return self._audio.media_ms

    def covered_ms(self, answered_ms: float) -> float:
        """Media time before which the caller's sound needs no second hearing; ``answered_ms`` is where it was answered.

        Speech may have begun that is not known as such yet, so the last moments count as unheard.
        """
        if self._open is not None:
            return self._open.from_ms
        return max(answered_ms, self._audio.media_ms - self._call.services.settings.speech.pre_roll_ms)

    def begin(self, turn_id: int, from_ms: float, parent: Context) -> None:
        """Open recognition for a turn, with the sound from ``from_ms`` on."""
        call = self._call
        recognition = Recognition(
            stub=call.services.stt,
            options=call.recognition,
            telemetry=call.services.telemetry,
            parent=parent,
            on_response=lambda response: self._take(turn_id, from_ms, response),
            prompt=self._prompt(),
            attributes={semconv.VOICE_CALL_ID: call.call_id, semconv.VOICE_TURN_ID: turn_id},
        )
        for payload in self._audio.since(from_ms):
            recognition.log.feed(payload)
        self._open = _OpenUtterance(turn_id, from_ms, recognition)
        self._open.task = call.spawn(self._recognise(self._open), f"recognition {turn_id}")

    def finalize(self, turn_id: int, finalize_id: int) -> None:
        """Ask for a transcript of the open utterance."""
        if self._open is not None and self._open.turn_id == turn_id:
            self._open.finalize_id = finalize_id
            self._open.recognition.log.finalize(finalize_id)
            if self._judge is not None:
                self._judge.ask(turn_id, self._open.from_ms)

    def end(self, turn_id: int, *, discard: bool, text: str = "") -> None:
        """Close the open utterance: let its recognition finish, or throw it away."""
        utterance = self._open
        if utterance is None or utterance.turn_id != turn_id:
            return
        self._open = None
        if self._judge is not None:
            self._judge.withdraw()
        utterance.recognition.log.finish()
        if discard and utterance.task is not None:
            utterance.task.cancel()
        if text:
            self._tell(utterance, text, final=True)

    async def _recognise(self, utterance: _OpenUtterance) -> None:
        try:
            await utterance.recognition.run()
        except RecognitionError as error:
            if self._open is not utterance:
                return  # nobody waits for it any more
            self._call.notice("RECOGNITION_FAILED", str(error), utterance.turn_id)
            self._call.post(RecognitionFailed(self._call.now_ms(), utterance.turn_id))

    def _take(self, turn_id: int, from_ms: float, response: stt_pb2.RecognizeResponse) -> None:
        utterance = self._open
        if utterance is None or utterance.turn_id != turn_id:
            return  # a transcript after its utterance ended means nothing
        now_ms = self._call.now_ms()
        kind = response.WhichOneof("message")
        if kind == "partial":
            text = response.partial.stable_text + response.partial.unstable_text
            covers_ms = from_ms + ms_of(response.partial.audio_end) if response.partial.HasField("audio_end") else 0.0
            self._tell(utterance, text, final=False)
            self._call.post(PartialHeard(now_ms, turn_id, text, covers_ms))
        elif kind == "final" and 0 < response.final.finalize_id <= utterance.finalize_id:
            # One that was never asked for is no transcript of anything.
            self._tell(utterance, response.final.text, final=False)
            final = response.final
            heard = FinalHeard(
                now_ms, turn_id, final.finalize_id, final.text, final.language, final.language_confidence
            )
            self._call.post(heard)
        elif kind == "end_of_turn":
            judged = response.end_of_turn
            covers_ms = from_ms + ms_of(judged.offset) if judged.HasField("offset") else 0.0
            self._call.post(EndOfTurnJudged(now_ms, turn_id, judged.probability, covers_ms))

    def _tell(self, utterance: _OpenUtterance, text: str, *, final: bool) -> None:
        if (text == utterance.told and not final) or not text.strip():
            return
        utterance.told = text
        transcript = conv.Transcript(
            turn_id=utterance.turn_id,
            speaker=conv.SPEAKER_CALLER,
            text=text,
            final=final,
            language=self._call.language,
        )
        self._call.send(conv.AgentEvent(transcript=transcript))

    def _prompt(self) -> str:
        exchanges = self._call.history.exchanges
        return exchanges[-1].said[-PROMPT_CHARACTERS:] if exchanges else ""
