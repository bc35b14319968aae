"""The agent's side of a call in virtual time: brain, voice and line as delays, what was audible as a record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator import engine
from orchestrator.engine import events
from toolbox.bench.turn_taking.pure.models import Models
from toolbox.bench.turn_taking.replies import SpokenReply, spoken_reply

_PROMPTS = {"filler": "One moment."}
_OTHER_PROMPT = "I am sorry, could you say that again?"

At = Callable[[float, Callable[[], None]], None]
"""Does something at a time."""
Post = Callable[[events.Event], None]


@dataclass
class Sound:
    """A stretch of the agent's sound at the caller's ear; ``to_ms`` is where it ends unless it is silenced before."""

    playout_id: int
    turn_id: int
    candidate_id: int
    reply: SpokenReply
    offset_ms: float
    from_ms: float
    to_ms: float
    cleared: bool = False
    continues: int = 0

    def position_ms(self, at_ms: float) -> float:
        """Place in the reply that is heard at a time."""
        return self.offset_ms + max(0.0, min(at_ms, self.to_ms) - self.from_ms)


@dataclass
class _Candidate:
    turn_id: int
    ready_ms: float
    speculative: bool


@dataclass
class _Playing:
    playout_id: int
    turn_id: int
    candidate_id: int
    reply: SpokenReply
    offset_ms: float
    sound: Sound | None = None
    stopped: bool = False


@dataclass
class Agent:
    """Carries out what the engine asks for."""

    models: Models
    reply: SpokenReply
    at: At
    post: Post
    now: Callable[[], float]
    sounds: list[Sound] = field(default_factory=list)
    clears: list[float] = field(default_factory=list)
    """When each `clear` or pause reached the caller's end."""
    commits: list[tuple[float, engine.CommitReply]] = field(default_factory=list)
    asked: dict[int, engine.StartReply] = field(default_factory=dict)
    speculative: set[int] = field(default_factory=set)
    discarded: set[int] = field(default_factory=set)
    _candidates: dict[int, _Candidate] = field(default_factory=dict)
    _playing: _Playing | None = None

    @property
    def busy(self) -> bool:
        """Whether anything sounds or is about to."""
        return self._playing is not None and not self._playing.stopped

    def sound_at(self, at_ms: float) -> Sound | None:
        """What is heard at a time that is past."""
        for sound in reversed(self.sounds):
            if sound.from_ms <= at_ms:
                return sound if at_ms < sound.to_ms else None
        return None

    def do(self, action: engine.Action) -> None:
        """Take up an action; those that concern others, or that this world does not know, are left alone."""
        match action:
            case engine.StartReply():
                self._start(action)
            case engine.CommitReply():
                self.commits.append((self.now(), action))
                self._speak(action.playout_id, action.turn_id, action.candidate_id)
            case engine.DiscardReply(candidate_id=candidate_id):
                self.discarded.add(candidate_id)
                self._candidates.pop(candidate_id, None)
                if self._playing is not None and self._playing.candidate_id == candidate_id:
                    self._silence(self._playing.playout_id)
            case engine.Clear(through_playout_id=through) | engine.Pause(through_playout_id=through):
                self._silence(through)
            case engine.ResumeTail(playout_id=playout_id, continues_playout_id=before):
                self._resume(playout_id, before)
            case engine.Say(playout_id=playout_id, turn_id=turn_id):
                text = _PROMPTS.get(action.prompt.value, _OTHER_PROMPT)
                self._play(_Playing(playout_id, turn_id, 0, spoken_reply(text), 0.0), self.now() + 1.0)
            case _ if type(action).__name__ == "SpeakReply":
                self._speak(action.playout_id, action.turn_id, action.candidate_id)  # type: ignore[union-attr]

    def _start(self, action: engine.StartReply) -> None:
        now, models, candidate_id = self.now(), self.models, action.candidate_id
        self.asked[candidate_id] = action
        if action.speculative:
            self.speculative.add(candidate_id)
        content = now + models.brain_ms
        self._candidates[candidate_id] = _Candidate(action.turn_id, content + models.voice_ms, action.speculative)

        def unless_discarded(event: Callable[[float], events.Event]) -> Callable[[], None]:
            return lambda: self.post(event(self.now())) if candidate_id in self._candidates else None

        self.at(content, unless_discarded(lambda at_ms: events.ReplyContent(at_ms, candidate_id)))
        self.at(content + models.writing_ms, unless_discarded(lambda at_ms: events.ReplyWritten(at_ms, candidate_id)))

    def _speak(self, playout_id: int, turn_id: int, candidate_id: int) -> None:
        candidate = self._candidates.get(candidate_id)
        if candidate is not None:
            playing = _Playing(playout_id, turn_id, candidate_id, self.reply, 0.0)
            self._play(playing, max(self.now() + 1.0, candidate.ready_ms))

    def _play(self, playing: _Playing, begin_ms: float) -> None:
        self._playing = playing

        def begin() -> None:
            if playing.stopped or self._playing is not playing:
                return
            heard_from = self.now() + self.models.line_ms
            length = playing.reply.length_ms - playing.offset_ms
            playing.sound = Sound(
                playing.playout_id,
                playing.turn_id,
                playing.candidate_id,
                playing.reply,
                playing.offset_ms,
                heard_from,
                heard_from + length,
            )
            self.sounds.append(playing.sound)
            self.post(
                events.PlayoutStarted(self.now(), playing.playout_id, coming=playing.reply.coming(playing.offset_ms))
            )
            self._mark(playing, min(self.models.mark_every_ms, length))

        self.at(begin_ms, begin)

    def _mark(self, playing: _Playing, heard_ms: float) -> None:
        sound = playing.sound
        assert sound is not None
        length = playing.reply.length_ms - playing.offset_ms

        def marked() -> None:
            if playing.stopped or self._playing is not playing:
                return
            place = playing.offset_ms + heard_ms
            said, coming = playing.reply.said(place), playing.reply.coming(place)
            if heard_ms >= length - 0.01:
                self._playing = None
                self.post(events.PlayoutProgress(self.now(), playing.playout_id, heard_ms, said, coming))
                self.post(events.PlayoutFinished(self.now(), playing.playout_id, said=said))
                return
            self.post(events.PlayoutProgress(self.now(), playing.playout_id, heard_ms, said, coming))
            self._mark(playing, min(heard_ms + self.models.mark_every_ms, length))

        self.at(sound.from_ms + heard_ms + self.models.line_ms, marked)

    def _silence(self, through: int) -> None:
        playing = self._playing
        if playing is None or playing.playout_id > through or playing.stopped:
            return
        playing.stopped = True
        heard_at = self.now() + self.models.line_ms
        if playing.sound is not None:
            self.clears.append(heard_at)
            if heard_at < playing.sound.to_ms:
                playing.sound.to_ms = heard_at
                playing.sound.cleared = True

    def _resume(self, playout_id: int, before_id: int) -> None:
        before = self._playing
        if before is None or before.playout_id != before_id:
            self.at(self.now(), lambda: self.post(events.PlayoutFinished(self.now(), playout_id, failed=True)))
            return
        offset, ready = before.offset_ms, self.now() + 1.0
        if before.sound is not None:
            offset = max(before.offset_ms, before.reply.resume_ms(before.sound.position_ms(before.sound.to_ms)))
        elif before.candidate_id in self._candidates:
            ready = max(ready, self._candidates[before.candidate_id].ready_ms)
        following = _Playing(playout_id, before.turn_id, before.candidate_id, before.reply, offset)
        self._play(following, ready)
