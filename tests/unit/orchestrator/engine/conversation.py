"""A call in virtual time: the turn engine with a caller, a recogniser, a brain and a line that a test directs.

Speech and silence advance the clock; what the engine asks for is collected, and the recogniser may answer by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from orchestrator.engine import (
    Action,
    CallEnded,
    CallStarted,
    EngineSettings,
    Event,
    FinalHeard,
    Finalize,
    Outcome,
    PartialHeard,
    PlayoutFinished,
    PlayoutProgress,
    PlayoutStarted,
    Prompt,
    ReplyContent,
    ReplyWritten,
    ReportTurn,
    Say,
    SpeechWindow,
    StartReply,
    Tick,
    TurnEngine,
    TurnState,
    load_cues,
)
from orchestrator.engine.events import SILENCE_DBFS
from orchestrator.languages import LanguageChoice

WINDOW_MS = 32.0
LOUD_DBFS, QUIET_DBFS = -20.0, -60.0
A = TypeVar("A")


@dataclass
class VirtualCall:
    """One call. ``hears`` is what the recogniser answers each finalize with; None answers nothing."""

    settings: EngineSettings = field(default_factory=EngineSettings)
    speculate: bool = False
    hears: str | None = "what time is it"
    stt_ms: float = 0.0
    """How long after a finalize its final comes."""
    language: str = ""
    """What language the recogniser says it was."""
    languages: tuple[str, ...] = ()
    """Languages that the call may be held in; none, and it never switches."""
    agent_dbfs: float = SILENCE_DBFS
    """How loud the agent's own sound is while it plays."""
    now_ms: float = 0.0
    behind_ms: float = 0.0
    """How far the caller's media time lies behind the clock."""
    done: list[tuple[float, Action]] = field(default_factory=list)
    _answers: list[tuple[float, FinalHeard]] = field(default_factory=list)
    _at_once: bool = False

    def __post_init__(self) -> None:
        choice = LanguageChoice(self.languages) if self.languages else None
        self.engine = TurnEngine(self.settings, load_cues("en"), speculate=self.speculate, languages=choice)

    # ------------------------------------------------------------------------------------------------ what happens

    def begin(self, *, greet: bool = False, **line: bool) -> None:
        """The call is answered; 320 ms of silence pass, so that nothing is deaf any more."""
        self.tell(CallStarted(self.now_ms, greet=greet, **line))
        self.silence(320)

    def tell(self, event: Event) -> list[Action]:
        """Give the engine an event now."""
        actions = self.engine.handle(event)
        self.done.extend((self.now_ms, action) for action in actions)
        for action in actions:
            if isinstance(action, Finalize) and self.hears is not None:
                answer = FinalHeard(
                    self.now_ms + self.stt_ms, action.turn_id, action.finalize_id, self.hears, self.language, 0.9
                )
                self._answers.append((self.now_ms + self.stt_ms, answer))
        return actions

    def speech(self, ms: float, level_dbfs: float = LOUD_DBFS) -> None:
        """The caller speaks."""
        self._windows(ms, 0.95, level_dbfs)

    def silence(self, ms: float) -> None:
        """The caller is silent."""
        self._windows(ms, 0.02, QUIET_DBFS)

    def lingering(self, ms: float) -> None:
        """Nothing sounds any more, but the model still takes it for speech."""
        self._windows(ms, 0.6, QUIET_DBFS)

    def unnoticed(self, ms: float) -> None:
        """The caller speaks, and the model does not take it for speech."""
        self._windows(ms, 0.3, LOUD_DBFS)

    def _windows(self, ms: float, probability: float, level_dbfs: float) -> None:
        for _ in range(round(ms / WINDOW_MS)):
            if self._at_once:
                self.behind_ms -= WINDOW_MS
            else:
                self.pass_until(self.now_ms + WINDOW_MS)
            ended_ms = self.now_ms - self.behind_ms
            self.tell(SpeechWindow(self.now_ms, ended_ms, probability, level_dbfs, self.agent_dbfs))
            self._answer()

    def wait(self, ms: float) -> None:
        """Time passes without any window, and none comes later: what was said meanwhile is lost or there was none."""
        self.pass_until(self.now_ms + ms)

    def stall(self, ms: float) -> None:
        """Time passes without any window; the caller's media time stands still with it."""
        self.pass_until(self.now_ms + ms)
        self.behind_ms += ms

    @contextmanager
    def late(self, ms: float) -> Iterator[None]:
        """What the caller does within the block reaches us all at once, after so long without anything."""
        self.pass_until(self.now_ms + ms)
        self.behind_ms += ms
        self._at_once = True
        yield
        self._at_once = False

    def pass_until(self, until_ms: float) -> None:
        """Let timers and recogniser do their work up to a moment."""
        while True:
            deadline = self.engine.next_deadline()
            answer_ms = min((at for at, _ in self._answers), default=None)
            following = min((at for at in (deadline, answer_ms) if at is not None), default=None)
            if following is None or following > until_ms:
                break
            self.now_ms = max(self.now_ms, following)
            if answer_ms is not None and answer_ms <= self.now_ms:
                self._answer()
            else:
                self.tell(Tick(self.now_ms))
                assert self.engine.next_deadline() != deadline, "a tick must settle its deadline"
        self.now_ms = until_ms

    def _answer(self) -> None:
        due = [answer for at, answer in self._answers if at <= self.now_ms]
        self._answers = [(at, answer) for at, answer in self._answers if at > self.now_ms]
        for answer in due:
            self.tell(replace(answer, at_ms=self.now_ms))

    def partial(self, text: str) -> None:
        """The recogniser understands so much of the newest utterance."""
        self.tell(PartialHeard(self.now_ms, self.engine.ids.turn, text))

    def reply_sounds(self, heard_ms: float = 0.0, said: str = "", coming: str = "") -> None:
        """The newest candidate is written, its playout begins and is heard for so long."""
        candidate, playout = self.engine.ids.candidate, self.engine.ids.playout
        self.tell(ReplyContent(self.now_ms, candidate))
        self.tell(ReplyWritten(self.now_ms, candidate))
        self.tell(PlayoutStarted(self.now_ms, playout))
        if heard_ms:
            self.silence(heard_ms)
            self.tell(PlayoutProgress(self.now_ms, playout, heard_ms, said, coming))

    def playout_ends(self, said: str = "") -> None:
        """The newest playout was heard to its end."""
        self.tell(PlayoutFinished(self.now_ms, self.engine.ids.playout, said=said))

    def ask(self) -> None:
        """The caller asks something and is answered as soon as may be; the reply is committed."""
        self.speech(960)
        self.silence(512)

    def end(self) -> None:
        """The call ends."""
        self.tell(CallEnded(self.now_ms))

    # ------------------------------------------------------------------------------------------------ what was done

    def all_of(self, kind: type[A]) -> list[A]:
        """Every action of a kind."""
        return [action for _, action in self.done if isinstance(action, kind)]

    def when(self, kind: type[A]) -> float:
        """When the last action of a kind was asked for."""
        return max(at for at, action in self.done if isinstance(action, kind))

    def outcomes(self) -> dict[int, Outcome]:
        """How each turn ended; fails if one ended twice."""
        ended: dict[int, Outcome] = {}
        for report in self.all_of(ReportTurn):
            if report.state is TurnState.ENDED:
                assert report.turn_id not in ended, "a turn ends once"
                assert report.outcome is not None
                ended[report.turn_id] = report.outcome
        return ended

    def said(self) -> list[Prompt]:
        """The agent's own prompts."""
        return [say.prompt for say in self.all_of(Say)]

    def reports(self) -> list[ReportTurn]:
        """What was told of every turn."""
        return self.all_of(ReportTurn)

    def asked(self) -> list[str]:
        """What the brain was asked."""
        return [reply.text for reply in self.all_of(StartReply)]
