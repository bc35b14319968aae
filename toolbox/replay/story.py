"""What happened in a call, told from its events and actions: the turns, what the agent played, and every decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.engine import (
    Action,
    BeginUtterance,
    CallEnded,
    CommitReply,
    EndUtterance,
    Event,
    Outcome,
    PlayoutFinished,
    PlayoutProgress,
    PlayoutStarted,
    ReportTurn,
    Speculation,
    StartReply,
    TurnState,
)
from orchestrator.engine import Clear as ClearPlayout
from orchestrator.engine import Pause as PausePlayout

Moment = tuple[Event, Sequence[Action]]


@dataclass
class Playout:
    """One stretch of the agent's sound. Times are the call's monotonic ms; None for what did not happen."""

    playout_id: int
    what: str
    """``reply``, ``resumed`` (the rest of what was paused) or the prompt's name."""
    turn_id: int
    candidate_id: int
    ordered_at: float
    continues: int = 0
    started_at: float | None = None
    heard: list[tuple[float, float]] = field(default_factory=list)
    """(when it was reported, ms of it that had been heard)"""
    finished_at: float | None = None
    paused_at: float | None = None
    cleared_at: float | None = None

    @property
    def stopped_at(self) -> float | None:
        """When it was silenced or had ended."""
        stops = [at for at in (self.finished_at, self.paused_at, self.cleared_at) if at is not None]
        return min(stops, default=None)


@dataclass
class TurnStory:
    """One turn."""

    turn_id: int
    began_at: float
    from_ms: float = 0.0
    """Media time of the utterance's first sound; 0 for a turn without one."""
    utterance_ended_at: float | None = None
    text: str = ""
    """What was answered; a stand-in where the log holds no transcripts."""
    committed_at: float | None = None
    eos_at: float | None = None
    """The caller's last speech."""
    joins: int = 0
    outcome: Outcome | None = None
    speculation: Speculation = Speculation.NONE
    rule: str = ""
    """Why the silence was long enough."""
    candidates: int = 0
    first_sound_at: float | None = None
    pauses: int = 0
    ended_at: float | None = None
    notes: list[str] = field(default_factory=list)
    """Why what is told of it is not certain; empty where it is."""

    @property
    def endpoint_ms(self) -> float | None:
        """Commit minus the caller's last speech."""
        if self.committed_at is None or self.eos_at is None:
            return None
        return self.committed_at - self.eos_at

    @property
    def response_ms(self) -> float | None:
        """First sound of the answer minus the caller's last speech, as the engine saw it."""
        if self.first_sound_at is None or self.eos_at is None:
            return None
        return self.first_sound_at - self.eos_at


@dataclass
class Story:
    """A whole call."""

    turns: dict[int, TurnStory] = field(default_factory=dict)
    playouts: dict[int, Playout] = field(default_factory=dict)
    decisions: list[tuple[float, Action]] = field(default_factory=list)
    ended_at: float = 0.0

    @property
    def resumed(self) -> int:
        """How often the agent went on after it had fallen silent for nothing."""
        return sum(playout.what == "resumed" for playout in self.playouts.values())

    @property
    def reopened(self) -> list[TurnStory]:
        """Turns that went on with one that had been committed too early: the caller had been cut off."""
        return [turn for turn in self.turns.values() if turn.joins]

    def with_outcome(self, outcome: Outcome) -> list[TurnStory]:
        """Turns that ended so."""
        return [turn for turn in self.turns.values() if turn.outcome is outcome]


def tell(moments: Iterable[Moment]) -> Story:
    """Tell a call from its events and the actions they led to, in the order of time."""
    story = Story()
    for event, actions in moments:
        story.ended_at = max(story.ended_at, event.at_ms)
        _take(story, event)
        for action in actions:
            _act(story, event.at_ms, action)
        if isinstance(event, CallEnded):
            break
    return story


def _take(story: Story, event: Event) -> None:
    if not isinstance(event, PlayoutStarted | PlayoutProgress | PlayoutFinished):
        return
    playout = story.playouts.get(event.playout_id)
    if playout is None:
        return
    if isinstance(event, PlayoutProgress):
        playout.heard.append((event.at_ms, event.heard_ms))
    elif isinstance(event, PlayoutFinished):
        playout.finished_at = event.at_ms
    elif playout.started_at is None:
        playout.started_at = event.at_ms
        turn = story.turns.get(playout.turn_id)
        if turn is not None and turn.first_sound_at is None and playout.what in ("reply", "resumed"):
            turn.first_sound_at = event.at_ms


def _act(story: Story, at: float, action: Action) -> None:
    story.decisions.append((at, action))
    turns, playouts = story.turns, story.playouts
    if (ordered := playout_of(action, at, playouts)) is not None:
        playouts[ordered.playout_id] = ordered
    match action:
        case BeginUtterance(turn_id=turn_id, from_ms=from_ms):
            turns[turn_id] = TurnStory(turn_id, at, from_ms)
        case EndUtterance(turn_id=turn_id) if turn_id in turns:
            turns[turn_id].utterance_ended_at = at
        case StartReply(turn_id=turn_id) if turn_id in turns:
            turns[turn_id].candidates += 1
        case CommitReply(turn_id=turn_id):
            turn = turns.setdefault(turn_id, TurnStory(turn_id, at))
            turn.committed_at, turn.eos_at, turn.text = at, action.eos_at_ms, action.text
            turn.rule = str(getattr(getattr(action, "rule", None), "value", ""))
        case PausePlayout(through_playout_id=through):
            for playout in _live(playouts.values(), through):
                playout.paused_at = at
                if playout.turn_id in turns:
                    turns[playout.turn_id].pauses += 1
        case ClearPlayout(through_playout_id=through):
            for playout in _live(playouts.values(), through):
                playout.cleared_at = at
        case ReportTurn(turn_id=turn_id):
            turn = turns.setdefault(turn_id, TurnStory(turn_id, at))
            turn.joins, turn.speculation = action.joins or turn.joins, action.speculation
            if action.state is TurnState.ENDED:
                turn.outcome, turn.ended_at = action.outcome, at


def playout_of(action: Action, at: float, before: Mapping[int, Playout]) -> Playout | None:
    """The playout that an action orders: any action does that has a ``playout_id``."""
    playout_id = getattr(action, "playout_id", 0)
    if not playout_id:
        return None
    turn_id, candidate_id = getattr(action, "turn_id", 0), getattr(action, "candidate_id", 0)
    continues = getattr(action, "continues_playout_id", 0)
    prompt = getattr(action, "prompt", None)
    what = "resumed" if continues else "reply" if prompt is None else str(prompt.value)
    if continues and continues in before:
        candidate_id = before[continues].candidate_id
    return Playout(playout_id, what, turn_id, candidate_id, at, continues)


def _live(playouts: Iterable[Playout], through: int) -> list[Playout]:
    return [playout for playout in playouts if playout.playout_id <= through and playout.stopped_at is None]
