"""One call in virtual time: the real engine between a caller of the corpus and models of everything else."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator import engine
from orchestrator.engine import EngineSettings, TurnEngine, events, load_cues
from toolbox.bench.turn_taking.corpus import Word
from toolbox.bench.turn_taking.observation import CallObservations, Observation, SpeculationCount
from toolbox.bench.turn_taking.pure.agent import Agent, Sound
from toolbox.bench.turn_taking.pure.caller import Caller
from toolbox.bench.turn_taking.pure.judged import JudgedCall
from toolbox.bench.turn_taking.pure.models import Models, window_known_ms
from toolbox.bench.turn_taking.pure.seeing import observe
from toolbox.bench.turn_taking.pure.windows import WINDOW_MS, levels_of, together
from toolbox.bench.turn_taking.replies import BRIEF, LONG, spoken_reply
from toolbox.bench.turn_taking.truth import SpokenWords

_SILENT_DBFS = -100.0
_LONGEST_MS = 600_000.0


@dataclass(eq=False)
class OpenUtterance:
    """An utterance that the engine has open."""

    turn_id: int
    from_ms: float


@dataclass
class PureCall:
    """Runs a call to its end; use it once."""

    call: JudgedCall
    settings: EngineSettings
    models: Models = field(default_factory=Models)

    def __post_init__(self) -> None:
        self._now = 0.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._engine = TurnEngine(self.settings, load_cues("en"), speculate=True)
        reply = spoken_reply(BRIEF if self.call.brief else LONG)
        self._agent = Agent(self.models, reply, self._at, self._post, lambda: self._now)
        self._agent_levels = levels_of(reply.samples)
        self._words = SpokenWords(echo=self._echo_words)
        self._utterance: OpenUtterance | None = None
        self._caller = Caller(self.call, self._words)
        self._ended: dict[int, engine.ReportTurn] = {}
        self._speculated: set[int] = set()
        self._pending: list[events.Event] = []
        self._taking_up = False

    def run(self) -> CallObservations:
        """Play all cases and say what was seen of each."""
        self._post(events.CallStarted(0.0, greet=False))
        self._at(window_known_ms(WINDOW_MS, self.models), lambda: self._window(1))
        ticked: float | None = None
        while self._queue and not self._caller.done and self._now < _LONGEST_MS:
            deadline = self._engine.next_deadline()
            if deadline is not None and deadline <= self._queue[0][0] and deadline != ticked:
                self._now = max(self._now, deadline)
                ticked = deadline
                self._post(events.Tick(self._now))
                continue
            self._now, _, do = heapq.heappop(self._queue)
            do()
        self._post(events.CallEnded(self._now))
        left = len(self.call.cases) - len(self._caller.played)
        return CallObservations(cases=self._observations(), speculation=self._speculation(), left=left)

    # ------------------------------------------------------------------------------------------------ the caller's side

    def _window(self, number: int) -> None:
        end_ms = number * WINDOW_MS
        rests = not self._agent.busy and not self._engine.open_turns
        playing = self._agent.sound_at(self._now)
        self._caller.step(
            end_ms, playing.from_ms if playing is not None and playing.candidate_id else None, rests=rests
        )
        probability, level = self._heard_on_line(end_ms)
        agent_dbfs = self._agent_level(playing)
        self._post(events.SpeechWindow(self._now, end_ms, probability, level, agent_dbfs))
        self._at(window_known_ms(end_ms + WINDOW_MS, self.models), lambda: self._window(number + 1))

    def _heard_on_line(self, end_ms: float) -> tuple[float, float]:
        """Probability and level of the window that ends at ``end_ms``: the caller, the echo, or the line alone."""
        probability, levels = 0.01, []
        if (own := self._caller.window(end_ms)) is not None:
            probability, level = own
            levels.append(level)
        echo, windows = self.call.echo, self.call.echo_windows
        if echo is not None and windows is not None:
            heard_ms = end_ms - WINDOW_MS / 2 - echo.delay_ms
            sound = self._agent.sound_at(heard_ms)
            if sound is not None and sound.candidate_id:
                index = int(sound.position_ms(heard_ms) // WINDOW_MS)
                if index < len(windows):
                    probability = max(probability, windows.probabilities[index])
                    levels.append(windows.levels_dbfs[index])
        return probability, together(levels) if levels else self.call.noise_dbfs

    def _agent_level(self, sound: Sound | None) -> float:
        if sound is None or not sound.candidate_id:
            return _SILENT_DBFS
        index = int(sound.position_ms(self._now) // WINDOW_MS)
        return self._agent_levels[index] if index < len(self._agent_levels) else _SILENT_DBFS

    def _echo_words(self, from_ms: float, to_ms: float) -> list[Word]:
        """The agent's own words as the line gives them back."""
        echo = self.call.echo
        if echo is None:
            return []
        words = []
        for sound in self._agent.sounds:
            if not sound.candidate_id or sound.to_ms + echo.delay_ms < from_ms or sound.from_ms + echo.delay_ms > to_ms:
                continue
            texts, starts = sound.reply.text.split(), (*sound.reply.word_starts_ms, sound.reply.length_ms)
            for index, text in enumerate(texts):
                begin = sound.from_ms + starts[index] - sound.offset_ms + echo.delay_ms
                end = sound.from_ms + starts[index + 1] - sound.offset_ms + echo.delay_ms
                audible = starts[index] >= sound.offset_ms and end <= sound.to_ms + echo.delay_ms
                if audible and begin >= from_ms and end <= to_ms:
                    words.append(Word(text, begin, end, ""))
        return words

    # ------------------------------------------------------------------------------------------------ the agent's side

    def _at(self, at_ms: float, do: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (max(at_ms, self._now), self._count, do))

    def _post(self, event: events.Event) -> None:
        self._pending.append(event)
        if self._taking_up:
            return
        self._taking_up = True
        while self._pending:
            for action in self._engine.handle(self._pending.pop(0)):
                self._do(action)
        self._taking_up = False

    def _do(self, action: engine.Action) -> None:
        match action:
            case engine.BeginUtterance(turn_id=turn_id, from_ms=from_ms):
                self._utterance = OpenUtterance(turn_id, from_ms)
                self._partials(self._utterance, from_ms + self.models.partial_every_ms)
            case engine.Finalize(turn_id=turn_id, finalize_id=finalize_id):
                self._finalize(turn_id, finalize_id)
            case engine.EndUtterance():
                self._utterance = None
            case engine.ReportTurn():
                if action.state is engine.TurnState.SPECULATING:
                    self._speculated.add(action.turn_id)
                if action.outcome is not None:
                    self._ended[action.turn_id] = action
            case _:
                self._agent.do(action)

    def _partials(self, utterance: OpenUtterance, covers_ms: float) -> None:
        """A recogniser gives a partial for so much sound, what was kept from before the utterance's begin included."""

        def heard() -> None:
            if self._utterance is utterance:
                text = self._words.text(utterance.from_ms, covers_ms)
                self._post(events.PartialHeard(self._now, utterance.turn_id, text, covers_ms))

        def due() -> None:
            if self._utterance is utterance:
                self._at(self._now + self.models.stt_ms, heard)
                self._partials(utterance, covers_ms + self.models.partial_every_ms)

        self._at(max(self._now, covers_ms), due)

    def _finalize(self, turn_id: int, finalize_id: int) -> None:
        utterance, covers = self._utterance, self._now
        if utterance is None:
            return

        def heard() -> None:
            if self._utterance is utterance:
                text = self._words.text(utterance.from_ms, covers)
                self._post(events.FinalHeard(self._now, turn_id, finalize_id, text))

        self._at(self._now + self.models.stt_ms, heard)

    # -------------------------------------------------------------------------------------------------------- the end

    def _observations(self) -> list[Observation]:
        return [observe(played, self._agent, self._ended, self._words.caller) for played in self._caller.played]

    def _speculation(self) -> SpeculationCount:
        agent = self._agent
        hits = sum(1 for turn in self._ended.values() if turn.speculation is engine.Speculation.HIT)
        return SpeculationCount(
            turns=len(self._speculated),
            hits=hits,
            requests=len(agent.asked),
            # A reply that was spoken and then interrupted is no waste of speculation.
            wasted=len(agent.speculative - {commit.candidate_id for _, commit in agent.commits}),
        )
