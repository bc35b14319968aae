"""A recorded call again, in virtual time and under other settings.

The caller does as they did. Everything else answers what the engine asks for now, out of what it answered then
(`transcripts`, `replies`); where the recorded call holds no answer, the turn is noted as uncertain. What no replay can
know is that a person who had been answered earlier, or not been interrupted, would have spoken differently.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.engine import (
    Action,
    BeginUtterance,
    CallEnded,
    Clear,
    DiscardReply,
    EndUtterance,
    EngineSettings,
    Event,
    Finalize,
    HangUp,
    Pause,
    PlayoutProgress,
    PlayoutStarted,
    StartReply,
    Tick,
)
from orchestrator.event_log import RecordedCall
from toolbox.replay.exact import comparable, engine_for
from toolbox.replay.recording import Recording, take_apart
from toolbox.replay.replies import Replies
from toolbox.replay.story import Moment, Story, playout_of, tell
from toolbox.replay.transcripts import Transcripts

# A tick that settles nothing is sent again this much later: virtual time must pass.
_NUDGE_MS = 1.0
_ENDS_AFTER_HANG_UP_MS = 500.0
# How much longer than in the recorded call the agent may take to end it.
_HANGS_UP_WITHIN_MS = 5000.0
_Sounds = (PlayoutStarted, PlayoutProgress)


@dataclass(order=True)
class _Due:
    at: float
    order: int
    event: Event = field(compare=False)
    recorded: bool = field(compare=False, default=False)
    """Whether it is about an utterance of the recorded call, to be mapped when it is due."""


class VirtualCall:
    """One replay."""

    def __init__(self, call: RecordedCall, settings: EngineSettings) -> None:
        """Prepare to replay ``call`` with ``settings``."""
        self._entries = call.entries[: comparable(call)]
        self._recording: Recording = take_apart(self._entries)
        self._engine = engine_for(call, settings)
        self._notes: dict[int, list[str]] = defaultdict(list)
        self._transcripts = Transcripts(self._recording, self._note)
        self._replies = Replies(self._recording, self._note)
        self._due: list[_Due] = []
        self._order = itertools.count()
        self._discarded: set[int] = set()
        self._moments: list[Moment] = []
        self._last_report: dict[int, float] = {}
        """Playout → when the last report comes that the recorded call holds; later ones are made up."""

    def run(self) -> tuple[list[Moment], Story]:
        """Replay to the end of the recorded call; the story's turns carry notes where they are uncertain."""
        recording = self._recording
        hangs_up = any(isinstance(action, HangUp) for _, action in recording.story.decisions)
        # A call that the agent ended ends when it does so now.
        self._push(one for one in recording.outside if not (hangs_up and isinstance(one, CallEnded)))
        self._push(recording.about_utterances, recorded=True)
        ends_at = self._entries[-1].event.at_ms if self._entries else 0.0
        ends_at += _HANGS_UP_WITHIN_MS if hangs_up else 0.0
        ticked_at = float("-inf")
        while self._due or self._engine.next_deadline() is not None:
            deadline = self._engine.next_deadline()
            if deadline is not None and (not self._due or deadline < self._due[0].at):
                ticked_at = max(deadline, ticked_at + _NUDGE_MS)
                if ticked_at > ends_at:
                    break
                self._tell(Tick(ticked_at))
                continue
            due = heapq.heappop(self._due)
            if due.at > ends_at:
                break
            event = self._transcripts.map(due.event) if due.recorded else due.event
            if event is None or self._void(event):
                continue
            self._tell(event)
            if isinstance(event, CallEnded):
                break
        last = self._moments[-1][0] if self._moments else None
        if last is not None and not isinstance(last, CallEnded) and recording.ended:
            self._tell(CallEnded(last.at_ms))
        story = tell(self._moments)
        for turn_id, notes in self._notes.items():
            if turn_id in story.turns:
                story.turns[turn_id].notes = list(dict.fromkeys(notes))
        return self._moments, story

    def _tell(self, event: Event) -> None:
        actions = self._engine.handle(event)
        self._moments.append((event, tuple(actions)))
        for action in actions:
            self._do(action, event.at_ms)
        if isinstance(event, _Sounds) and self._last_report.get(event.playout_id, 0.0) <= event.at_ms:
            following = self._replies.report_after(event.playout_id, event.at_ms)
            if following is not None:
                self._push([following])

    def _do(self, action: Action, at: float) -> None:
        match action:
            case BeginUtterance(turn_id=turn_id):
                self._transcripts.begin(turn_id, at)
            case EndUtterance():
                self._transcripts.end(at)
            case Finalize(turn_id=turn_id, finalize_id=finalize_id):
                final = self._transcripts.finalize(turn_id, finalize_id, at)
                self._push([] if final is None else [final])
            case StartReply():
                self._push(self._replies.start(action, at))
            case DiscardReply(candidate_id=candidate_id):
                self._discarded.add(candidate_id)
            case Clear(through_playout_id=through) | Pause(through_playout_id=through):
                self._replies.silence(through, at)
            case HangUp():
                self._push([CallEnded(at + self._hang_up_ms())])
        ordered = playout_of(action, at, {one: each.playout for one, each in self._replies.sounding.items()})
        if ordered is not None:
            reports = list(self._replies.play(ordered, at))
            self._push(reports)
            sounds = [report.at_ms for report in reports if isinstance(report, _Sounds)]
            self._last_report[ordered.playout_id] = max(sounds, default=at)

    def _void(self, event: Event) -> bool:
        """Whether what an event tells of was discarded or silenced before."""
        if getattr(event, "candidate_id", 0) in self._discarded:
            return True
        sounding = self._replies.sounding.get(getattr(event, "playout_id", 0))
        return sounding is not None and event.at_ms >= sounding.stopped_at

    def _hang_up_ms(self) -> float:
        hung_up = [at for at, action in self._recording.story.decisions if isinstance(action, HangUp)]
        return max(0.0, self._recording.story.ended_at - hung_up[0]) if hung_up else _ENDS_AFTER_HANG_UP_MS

    def _push(self, events: Iterable[Event], *, recorded: bool = False) -> None:
        for event in events:
            heapq.heappush(self._due, _Due(event.at_ms, next(self._order), event, recorded))

    def _note(self, turn_id: int, why: str) -> None:
        self._notes[turn_id].append(why)


def replay(call: RecordedCall, settings: EngineSettings) -> tuple[list[Moment], Story]:
    """Replay a recorded call with ``settings``; the moments as they came, and the story they tell."""
    return VirtualCall(call, settings).run()
