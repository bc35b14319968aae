"""Recorded calls for replays: one with a bit of everything."""

from __future__ import annotations

from pathlib import Path

from orchestrator.engine import PlayoutProgress, PlayoutStarted, ReplyContent, ReplyWritten
from orchestrator.event_log import RecordedCall
from tests.unit.orchestrator.event_log.logged_call import LoggedCall

STEP_MS = 192.0


class TalkingCall(LoggedCall):
    """A call whose agent answers and is heard."""

    def brain_answers(self) -> None:
        """Content after 300 ms, the whole after 500."""
        candidate = self.engine.ids.candidate
        self.silence(288)
        self.tell(ReplyContent(self.now_ms, candidate))
        self.silence(192)
        self.tell(ReplyWritten(self.now_ms, candidate))

    def plays(self, ms: float) -> None:
        """The newest playout begins and is heard for so long."""
        playout = self.engine.ids.playout
        self.tell(PlayoutStarted(self.now_ms, playout))
        for step in range(int(ms // STEP_MS)):
            self.silence(STEP_MS)
            self.tell(PlayoutProgress(self.now_ms, playout, (step + 1) * STEP_MS))


def a_call(folder: Path, *, transcripts: bool = False) -> RecordedCall:
    """A greeting, a question, a thinking pause that was cut off, a sign of listening, an interruption."""
    call = TalkingCall(folder=folder, transcripts=transcripts, speculate=True, stt_ms=80)
    call.begin(greet=True)
    call.plays(1500)
    call.playout_ends()
    call.silence(608)
    call.hears = "what time is it"
    call.speech(320)
    call.partial("what time")
    call.speech(640)
    call.silence(320)
    call.brain_answers()
    call.plays(2000)
    call.playout_ends()
    call.silence(704)
    call.hears = "the account of my daughter"
    call.speech(960)
    call.silence(448)
    call.hears = "needs a new password"
    call.speech(768)
    call.silence(512)
    call.brain_answers()
    call.plays(1500)
    call.hears = "uh-huh"
    call.speech(256)
    call.silence(416)
    call.plays(1200)
    call.playout_ends()
    call.silence(800)
    call.hears = "tell me a story"
    call.speech(992)
    call.silence(416)
    call.brain_answers()
    call.plays(3000)
    call.hears = "stop"
    call.speech(512)
    call.partial("stop")
    call.silence(512)
    call.brain_answers()
    call.plays(900)
    call.playout_ends()
    call.silence(896)
    call.end()
    return call.recorded()
