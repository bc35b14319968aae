"""The agent's side of a call's work: candidates, playouts, pauses and tails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from opentelemetry.context import Context

from orchestrator.brain import Brain, BrainRequest
from orchestrator.call_context import CallContext
from orchestrator.engine import (
    PlayoutFinished,
    PlayoutProgress,
    PlayoutStarted,
    Prompt,
    ReplyFailed,
)
from orchestrator.engine.events import SILENCE_DBFS
from orchestrator.playout import Playout, ms_of
from orchestrator.reply import Reply
from orchestrator.spoken import SpokenReply
from orchestrator.synthesis import SegmentQueue, Synthesis, SynthesisError
from orchestrator.taking_over import LeftOver
from orchestrator.turn_record import TurnRecord
from orchestrator.wording import wording
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit import semconv
from servicekit.logs import get_logger
from servicekit.telemetry import to_proto

log = get_logger(__name__)

# What the engine is told of the words that were heard, and of those that follow within a second or so.
_SAID_CHARACTERS = 200
_COMING_CHARACTERS = 60

_KINDS = {
    Prompt.GREETING: conv.PLAYOUT_KIND_GREETING,
    Prompt.APOLOGY: conv.PLAYOUT_KIND_APOLOGY,
    Prompt.NOT_UNDERSTOOD: conv.PLAYOUT_KIND_APOLOGY,
    Prompt.OFFER_MESSAGE: conv.PLAYOUT_KIND_APOLOGY,
    Prompt.FILLER: conv.PLAYOUT_KIND_FILLER,
    Prompt.STILL_THERE: conv.PLAYOUT_KIND_PROMPT,
    Prompt.GOODBYE: conv.PLAYOUT_KIND_PROMPT,
    Prompt.ENDING_SOON: conv.PLAYOUT_KIND_PROMPT,
}


@dataclass(slots=True)
class Candidate:
    """A reply in the making, or made."""

    reply: Reply | None
    """None for the rest of one that another process made."""
    task: asyncio.Task[None]
    spoken: SpokenReply


@dataclass(slots=True)
class _Playing:
    playout: Playout
    task: asyncio.Task[None]


class Speaking:
    """Carries out what the engine asks of the agent's voice. At most one playout sounds at a time."""

    def __init__(self, call: CallContext) -> None:
        self._call = call
        self._candidates: dict[int, Candidate] = {}
        self._playing: _Playing | None = None
        self.record: TurnRecord | None = None
        """The turn that the present or last playout belongs to."""
        self._last: Playout | None = None
        """The playout that sounds or sounded last: a tail continues it, late reports concern it."""
        self._continued: list[Playout] = []
        """The playouts that it continues: a report of one may come when the tail has begun."""

    # ---------------------------------------------------------------------------------------------------- candidates

    def start(self, record: TurnRecord, candidate_id: int, text: str, joins: int) -> None:
        """Ask the brain and begin synthesis; nothing can be heard of it yet."""
        call, services = self._call, self._call.services
        spoken = SpokenReply(call.voice.format)
        committed = call.history.find(record.turn_id) is not None
        request = BrainRequest(
            messages=call.history.messages(None if committed else text, joins),
            call_id=call.call_id,
            turn_id=record.turn_id,
            tools=call.tools.specs,
            context_line=call.history.context_line(),
            parent=record.context,
        )
        reply = Reply(
            turn_id=record.turn_id,
            candidate_id=candidate_id,
            brain=services.brain,
            fallback=self._fallback(committed=committed),
            tools=call.tools,
            numbers=services.settings.speech_text.numbers,
            request=request,
            synthesis=self._synthesis(record.context, record.turn_id),
            spoken=spoken,
            language=call.voice.language,
            now_ms=call.now_ms,
            post=call.post,
            milestone=lambda stage: record.reach(stage, call.now_ms(), candidate_id),
            notice=lambda code, message: call.notice(code, message, record.turn_id),
        )
        task = call.spawn(reply.run(), f"reply {candidate_id}")
        self._candidates[candidate_id] = Candidate(reply, task, spoken)

    def take_over(self, record: TurnRecord, rest: LeftOver, playout_id: int) -> SpokenReply:
        """Speak the rest of a reply that another process began."""
        call = self._call
        spoken = SpokenReply(call.voice.format, text_start=rest.text_offset, heard_length=rest.heard_length)
        spoken.written = rest.written
        segments = SegmentQueue()
        for segment in rest.segments:
            segments.put(segment)
        segments.close()
        task = call.spawn(self._speak(rest.candidate_id, segments, spoken, record), f"rest of {rest.candidate_id}")
        self._candidates[rest.candidate_id] = Candidate(None, task, spoken)
        playout = self._playout(playout_id, conv.PLAYOUT_KIND_RESUMED_TAIL, spoken, record, rest.candidate_id)
        playout.continues, playout.text_offset = rest.continues_playout_id, rest.text_offset
        self._play(playout)
        return spoken

    async def _speak(self, candidate_id: int, segments: SegmentQueue, spoken: SpokenReply, record: TurnRecord) -> None:
        try:
            await self._synthesis(record.context, record.turn_id).run(segments, spoken)
        except SynthesisError as error:
            self._call.notice("SYNTHESIS_FAILED", str(error), record.turn_id)
            self._call.post(ReplyFailed(self._call.now_ms(), candidate_id, audible=spoken.samples > 0))
        finally:
            spoken.close()

    def spoken_of(self, candidate_id: int) -> SpokenReply | None:
        """The sound of a candidate that was not discarded."""
        candidate = self._candidates.get(candidate_id)
        return candidate.spoken if candidate is not None else None

    def written(self, spoken: SpokenReply) -> bool:
        """Whether the brain has written all of this reply."""
        return any(c.spoken is spoken and (c.reply is None or c.reply.written) for c in self._candidates.values())

    def discard(self, candidate_id: int) -> None:
        """Cancel a candidate: the brain's request and the synthesis end at once, and so does its playout."""
        self._call.tools.dropped(candidate_id)
        candidate = self._candidates.pop(candidate_id, None)
        if candidate is not None:
            candidate.task.cancel()
        if self._playing is not None and self._playing.playout.candidate_id == candidate_id:
            self._stop()

    def cut_short(self, candidate_id: int) -> None:
        """Close the brain's request; what is whole is spoken."""
        candidate = self._candidates.get(candidate_id)
        if candidate is not None and candidate.reply is not None:
            candidate.reply.cut_short()

    def fall_back(self, candidate_id: int) -> None:
        """The brain gives nothing: ask the other one, unless content has come meanwhile."""
        candidate = self._candidates.get(candidate_id)
        if candidate is not None and candidate.reply is not None:
            candidate.reply.fall_back()

    def _fallback(self, *, committed: bool) -> Brain | None:
        """The brain to ask where the first fails; one that remembers what it is asked is asked nothing in advance."""
        fallback = self._call.services.fallback
        return fallback if fallback is not None and (committed or fallback.speculation_safe) else None

    def _synthesis(self, parent: Context, turn_id: int) -> Synthesis:
        services, settings = self._call.services, self._call.services.settings.tts
        return Synthesis(
            stub=services.tts,
            voice=self._call.voice,
            telemetry=services.telemetry,
            parent=parent,
            ahead_ms=settings.ahead_ms,
            attempts=settings.attempts,
            patience_s=settings.patience_s,
            retry_pause_s=settings.retry_pause_ms / 1000.0,
            attributes={semconv.VOICE_CALL_ID: self._call.call_id, semconv.VOICE_TURN_ID: turn_id},
        )

    # ------------------------------------------------------------------------------------------------------ playouts

    def play(self, record: TurnRecord, candidate_id: int, playout_id: int) -> None:
        """Let a candidate be heard as soon as it has sound."""
        candidate = self._candidates.get(candidate_id)
        if candidate is None:
            self._call.post(ReplyFailed(self._call.now_ms(), candidate_id, audible=False))
            return
        self._play(self._playout(playout_id, conv.PLAYOUT_KIND_REPLY, candidate.spoken, record, candidate_id))

    def say(self, prompt: Prompt, playout_id: int, record: TurnRecord | None, variant: int = 0) -> SpokenReply:
        """Speak a prompt; returns its sound, which comes when it is rendered."""
        call = self._call
        spoken = SpokenReply(call.voice.format)
        text = wording(call.services.settings.prompts, call.language, prompt, variant)
        playout = self._playout(playout_id, _KINDS[prompt], spoken, record, 0)
        kept = call.services.prompts.kept(text, call.voice)
        if kept is not None:
            kept.play_into(spoken)
        else:
            call.spawn(self._render(text, spoken), f"prompt {playout_id}")
        self._play(playout)
        return spoken

    def resume(self, playout_id: int, continues: int, record: TurnRecord | None) -> None:
        """Go on with the last playout from the first word that was not heard."""
        before = self._last
        if before is None or before.playout_id != continues:
            self._call.post(PlayoutFinished(self._call.now_ms(), playout_id, failed=True))
            return
        playout = self._playout(playout_id, before.kind, before.spoken, record, before.candidate_id)
        if before.began:
            playout.kind = conv.PLAYOUT_KIND_RESUMED_TAIL
            playout.continues = continues
            playout.start_sample, playout.text_offset = before.spoken.resume_point()
        else:
            # Nothing of it was sent: it is what it was, under another number.
            playout.continues, playout.start_sample = before.continues, before.start_sample
            playout.text_offset = before.text_offset
        playout.spoken.go_back(playout.start_sample)
        continued = [*self._continued, before]
        self._play(playout)
        self._continued = continued

    def clear(self, through_playout_id: int) -> bool:
        """Silence this playout and lower ones; True when something of it had been sent."""
        playing = self._playing
        if playing is not None and playing.playout.playout_id <= through_playout_id:
            self._stop()
        last = self._last
        sent = last is not None and last.announced and last.playout_id <= through_playout_id
        if sent:
            self._call.outbox.clear(through_playout_id)
        return sent

    def report(self, playback: conv.Playback) -> None:
        """Take up what the gateway says of a playout's progress."""
        last, position_ms = self._last, ms_of(playback.position)
        for playout in self._continued:
            if playout.playout_id == playback.playout_id:
                playout.report(position_ms)
        if last is None or last.playout_id != playback.playout_id:
            return
        call = self._call
        last.report(position_ms, call.now_ms())
        heard = last.spoken.heard_length
        said, coming = _said(last.spoken, heard), last.spoken.written[heard : heard + _COMING_CHARACTERS]
        call.post(PlayoutProgress(call.now_ms(), last.playout_id, last.reported_ms, said, coming))
        if playback.status == conv.Playback.STATUS_PLAYED and last.last_mark and playback.mark == last.last_mark:
            last.report(last.sent_ms)
            self._finished(last)

    def level_dbfs(self) -> float:
        """How loud what the caller hears of us is at this moment, as far as is known."""
        playing = self._playing
        return playing.playout.level_at(self._call.now_ms()) if playing is not None else SILENCE_DBFS

    def playing_reply(self, playout_id: int) -> bool:
        """Whether this playout is the one that sounds, and a reply."""
        last = self._last
        return last is not None and last.playout_id == playout_id and last.kind == conv.PLAYOUT_KIND_REPLY

    def playout_of(self, candidate_id: int) -> int:
        """The playout that spoke a candidate last; 0 where none was sent."""
        last = self._last
        return last.playout_id if last is not None and last.candidate_id == candidate_id and last.announced else 0

    def release(self, candidate_id: int) -> None:
        """A candidate was spoken to its end."""
        candidate = self._candidates.pop(candidate_id, None)
        if candidate is not None:
            candidate.task.cancel()

    def _playout(
        self,
        playout_id: int,
        kind: conv.PlayoutKind.ValueType,
        spoken: SpokenReply,
        record: TurnRecord | None,
        candidate_id: int,
    ) -> Playout:
        call = self._call
        self.record = record
        playout = Playout(
            playout_id=playout_id,
            kind=kind,
            spoken=spoken,
            outbox=call.outbox,
            marks=call.marks,
            ahead_ms=call.ahead_ms,
            turn_id=record.turn_id if record else 0,
            candidate_id=candidate_id,
            language=call.voice.language,
            trace=record.trace if record else to_proto(call.trace),
        )

        def started() -> None:
            now_ms = call.now_ms()
            if record is not None and kind == conv.PLAYOUT_KIND_REPLY:
                record.reach("first_frame_sent", now_ms)
            elif record is not None and kind == conv.PLAYOUT_KIND_FILLER:
                record.filled(now_ms)
            playout.first_sent(now_ms)
            begins = spoken.heard_length
            call.post(PlayoutStarted(now_ms, playout_id, spoken.written[begins : begins + _COMING_CHARACTERS]))

        playout.on_first_sent = started
        return playout

    def _play(self, playout: Playout) -> None:
        self._stop()
        self._last, self._continued = playout, []
        task = self._call.spawn(self._run(playout), f"playout {playout.playout_id}")
        self._playing = _Playing(playout, task)

    async def _render(self, text: str, spoken: SpokenReply) -> None:
        try:
            rendering = await self._call.services.prompts.get(text, self._call.voice)
        except SynthesisError as error:
            self._call.notice("SYNTHESIS_FAILED", str(error))
            spoken.close()
        else:
            rendering.play_into(spoken)

    def _stop(self) -> None:
        playing, self._playing = self._playing, None
        if playing is not None:
            playing.task.cancel()

    async def _run(self, playout: Playout) -> None:
        heard = await playout.run()
        if self._last is playout:
            self._finished(playout, failed=not heard)

    def _finished(self, playout: Playout, *, failed: bool = False) -> None:
        if self._playing is not None and self._playing.playout is playout:
            self._stop()
        said = "" if failed else _said(playout.spoken, playout.spoken.heard_length)
        self._call.post(PlayoutFinished(self._call.now_ms(), playout.playout_id, failed=failed, said=said))


def _said(spoken: SpokenReply, heard: int) -> str:
    """The end of what was heard of a reply."""
    return spoken.written[max(0, heard - _SAID_CHARACTERS) : heard]
