"""What holds of a whole call, in whatever order things happen: session, engine, voice and books, in fake time.

All that is fake stands outside the orchestrator: the line, the speech services, the brain, the model of speech.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.brain import BrainError
from orchestrator.call_context import Services
from orchestrator.checkpoint import CallMemory
from orchestrator.history import History
from orchestrator.server import prompts_for
from orchestrator.session import Session
from orchestrator.settings import OrchestratorSettings
from orchestrator.turn_record import TurnMetrics
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.audio import MULAW_8K
from servicekit.protocol import ConverseOrder
from servicekit.telemetry import Telemetry, TelemetrySettings
from tests.fakes.orchestrator_brain import FakeBrain, Script
from tests.fakes.orchestrator_gateway import FakeSpeechModel, start_of
from tests.fakes.orchestrator_line import FakeLine, LinePlayout
from tests.fakes.orchestrator_stt import FakeStt
from tests.fakes.orchestrator_tts import FakeTts
from tests.fakes.socketless_rpc import FakeStub
from tests.fakes.virtual_time import run_in_fake_time

# Read aloud as they are written, so that the sound tells how far the text was heard.
SCRIPTS: tuple[Script, ...] = (
    ("It is noon.",),
    ("Once upon a time there was a fox. ", "It lived in a wood near the river. ", "Every day it went there to drink."),
    (1.5, "Let me see. ", 0.6, "There is nothing to be had ", 0.2, "before the end of the week."),
    ("Once upon a time there was a fox. It lived in ", 20.0, "a wood."),
    ("Once upon a time there was a fox. It lived in ", BrainError("protocol", "the stream broke")),
    (BrainError("refused", "connection refused"),),
    (20.0,),
)
SAYS = st.sampled_from(["tell me a story", "what time is it", "stop", "uh-huh", "i would like a table and", ""])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from([60, 140, 300, 800])),
        st.tuples(st.just("silence"), st.sampled_from([100, 260, 500, 1200, 3000])),
        st.tuples(st.just("ask"), st.sampled_from([300, 700, 1600])),
        st.tuples(st.just("press"), st.sampled_from([1, 2])),
        st.tuples(st.just("long silence"), st.just(9000)),
    ),
    min_size=1,
    max_size=10,
)
# How long what was given up may take to end: a few rounds of the loop.
AT_ONCE_S = 0.001


@dataclass
class World:
    """What is around a call."""

    steps: list[tuple[str, int]]
    scripts: list[Script] = field(default_factory=lambda: [SCRIPTS[1]])
    says: list[str] = field(default_factory=lambda: ["tell me a story", "stop"])
    speculate: bool = False
    partials: bool = True
    aligns: bool = True
    aligns_first: bool = False
    dies_after: list[int] = field(default_factory=list)
    lags_ms: list[int] = field(default_factory=lambda: [0])
    copies: list[int] = field(default_factory=lambda: [1])
    stalls_ms: list[int] = field(default_factory=lambda: [0])
    hangs_up: bool = True


WORLDS = st.builds(
    World,
    steps=STEPS,
    scripts=st.lists(st.sampled_from(SCRIPTS), min_size=1, max_size=3),
    says=st.lists(SAYS, min_size=1, max_size=5),
    speculate=st.booleans(),
    partials=st.booleans(),
    aligns=st.booleans(),
    aligns_first=st.booleans(),
    dies_after=st.lists(st.sampled_from([0, 900, 9000]), max_size=2),
    lags_ms=st.lists(st.sampled_from([0, 40, 180, 900]), min_size=1, max_size=4),
    copies=st.lists(st.sampled_from([1, 1, 2]), min_size=1, max_size=3),
    stalls_ms=st.lists(st.sampled_from([0, 0, 15, 40]), min_size=1, max_size=9),
    hangs_up=st.booleans(),
)


class WatchedLine(FakeLine):
    """Counts a report for as long as the turn that it concerns is the last one in the history."""

    history: History

    def tell(self, playout: LinePlayout, length: int) -> None:
        exchanges = self.history.exchanges
        if exchanges and exchanges[-1].turn_id == playout.about.turn_id:
            super().tell(playout, length)


@dataclass
class Lived:
    """A call that is over."""

    line: WatchedLine
    history: History
    brain: FakeBrain
    stt: FakeStt
    tts: FakeTts

    def turns(self) -> list[tuple[float, conv.Turn]]:
        """What was reported of turns, and when."""
        return [(at_s, event.turn) for at_s, event in self.line.events if event.HasField("turn")]

    def heard(self, turn_id: int) -> list[list[str]]:
        """The words of each reply or prompt of a turn that the caller was told to have heard.

        An oracle of its own: it knows the sound that came, where tails go on, and the reports.
        """
        replies: list[tuple[str, int]] = []
        for playout in self.line.playouts.values():
            about = playout.about
            if about.turn_id != turn_id or about.kind == conv.PLAYOUT_KIND_FILLER:
                continue
            text, letters = playout.text.replace(" ", ""), playout.letters
            # Either may be ahead when a clear cuts both.
            assert text.startswith(letters) or letters.startswith(text), "the sound says what the text says"
            heard = playout.words(playout.told)
            if not about.continues_playout_id:
                replies.append((playout.text, heard))
                continue
            text, before = replies.pop()
            assert about.text_offset <= len(text) + 1, "nothing is left out before a tail"
            joined = f"{text[: about.text_offset].rstrip()} {playout.text}".strip()
            assert joined.startswith(text) or text.startswith(joined), "a tail goes on with the same words"
            repeated = len(text[: about.text_offset].split())
            replies.append((max(text, joined, key=len), max(before, repeated + heard)))
        return [text.split()[:heard] for text, heard in replies]


@cache
def telemetry() -> Telemetry:
    """One for all calls."""
    return Telemetry.start("parley-orchestrator", TelemetrySettings())


async def live(world: World) -> Lived:
    """Let a call happen from its start to its end."""
    stt = FakeStt(world.says, partial_after_bytes=2400 if world.partials else 0)
    tts = FakeTts()
    tts.aligns, tts.aligns_first, tts.dies_after = world.aligns, world.aligns_first, list(world.dies_after)
    brain = FakeBrain(*world.scripts, speculation_safe=world.speculate)
    settings = OrchestratorSettings()
    prompts = prompts_for(FakeStub(tts), telemetry(), 2)  # type: ignore[arg-type]
    services = Services(
        settings=settings,
        telemetry=telemetry(),
        metrics=TurnMetrics(telemetry()),
        brain=brain,
        stt=FakeStub(stt),  # type: ignore[arg-type]
        tts=FakeStub(tts),  # type: ignore[arg-type]
        prompts=prompts,
    )
    line = WatchedLine(lags_ms=world.lags_ms, copies=world.copies, stalls_ms=world.stalls_ms)
    memory = CallMemory(History())
    line.history = memory.history
    order, start = ConverseOrder(), start_of()
    order.client(conv.CallEvent(start=start))
    line.begin(start)
    session = Session(
        start=start,
        caller_format=MULAW_8K,
        agent_format=MULAW_8K,
        memory=memory,
        services=services,
        model=FakeSpeechModel(),
        order=order,
        read=line.read,
        write=line.write,
    )
    running = asyncio.ensure_future(session.run())
    for name, value in world.steps:
        match name:
            case "say":
                await line.say(value)
            case "ask":
                await line.say(800)
                await line.be_silent(value)
            case "press":
                line.press(str(value))
            case _:
                await line.be_silent(value)
    line.hang_up() if world.hangs_up else line.die()
    await running
    line.stop()
    await prompts.close()
    # Whoever was cancelled in the last step ends in the next one.
    await asyncio.sleep(0.001)
    return Lived(line, memory.history, brain, stt, tts)


def check(lived: Lived) -> None:
    """All that must hold of a call that is over."""
    line, brain = lived.line, lived.brain
    assert line.stale == [], "nothing of a playout comes after its clear"

    outcomes: dict[int, conv.Turn] = {}
    ended_s: dict[int, float] = {}
    for at_s, turn in lived.turns():
        assert turn.turn_id not in outcomes, "nothing is reported of a turn that has ended"
        if turn.state == conv.TURN_STATE_ENDED:
            assert turn.outcome != conv.TURN_OUTCOME_UNSPECIFIED
            outcomes[turn.turn_id], ended_s[turn.turn_id] = turn, at_s
    committed = {turn.turn_id for _, turn in lived.turns() if turn.state == conv.TURN_STATE_COMMITTED}
    assert {turn.turn_id for _, turn in lived.turns()} == set(outcomes), "every turn has an outcome"

    assert (brain.live, lived.stt.live, lived.tts.live) == (0, 0, 0)
    for asked, following in zip(brain.asked_when, brain.asked_when[1:], strict=False):
        assert asked.ended_s <= following.began_s + AT_ONCE_S, "one request at a time: the one before was cancelled"
    for asked in brain.asked_when:
        assert asked.ended_s <= ended_s[asked.turn_id] + AT_ONCE_S, "no request outlives its turn"
    spoken: dict[int, set[int]] = {}
    for playout in line.playouts.values():
        if playout.about.candidate_id:
            spoken.setdefault(playout.about.turn_id, set()).add(playout.about.candidate_id)
    assert all(len(candidates) == 1 for candidates in spoken.values()), "one candidate of a turn is heard"
    assert set(spoken) <= committed, "nothing is heard before its turn is committed"

    history = lived.history
    known = {exchange.turn_id for exchange in history.exchanges}
    kept = {turn_id for turn_id in committed if outcomes[turn_id].outcome != conv.TURN_OUTCOME_DISCARDED}
    kept -= {turn.joins for turn_id, turn in outcomes.items() if turn_id in committed}
    assert kept <= known, "a turn is in the history, also one that was cut before its first frame"
    for exchange in history.exchanges:
        if exchange.turn_id:
            words = [word for reply in lived.heard(exchange.turn_id) for word in reply]
            assert exchange.said.split() == words, (exchange, outcomes[exchange.turn_id].outcome)
    unasked = [exchange.said.split() for exchange in history.exchanges if not exchange.turn_id and exchange.said]
    assert unasked == [words for words in lived.heard(0) if words]


@settings(max_examples=60, deadline=None)
@given(world=WORLDS)
def test_whatever_happens_in_a_call_its_books_say_what_was_heard_and_nothing_is_left(world: World) -> None:
    check(run_in_fake_time(live(world)))


def lived(world: World) -> Lived:
    """A call that is over, of which everything held."""
    over = run_in_fake_time(live(world))
    check(over)
    return over


def test_a_reply_that_failed_and_was_cut_is_known_as_far_as_it_was_heard() -> None:
    steps = [("silence", 3000), ("ask", 1600), ("say", 800), ("silence", 3000)]
    over = lived(World(steps, scripts=[SCRIPTS[4], ("All right.",)]))
    first = next(turn for _, turn in over.turns() if turn.turn_id == 1 and turn.state == conv.TURN_STATE_ENDED)
    (exchange,) = (e for e in over.history.exchanges if e.turn_id == 1)
    assert first.outcome == conv.TURN_OUTCOME_ERROR
    assert exchange.interrupted
    assert 0 < len(exchange.said) < len("Once upon a time there was a fox.")


def test_what_a_line_reports_late_counts_also_when_the_rest_is_being_said() -> None:
    steps = [("silence", 3000), ("ask", 1600), ("say", 140), ("silence", 1200)]
    over = lived(World(steps, says=["tell me a story", ""], lags_ms=[900]))
    tail = next(p for p in over.line.playouts.values() if p.about.kind == conv.PLAYOUT_KIND_RESUMED_TAIL)
    before = over.line.playouts[tail.about.continues_playout_id]
    assert before.told > 0
    # The rest is said from where it was known to have been heard, which was less than was.
    assert len(before.text[: tail.about.text_offset].split()) < before.words(before.told)


def test_a_playout_that_was_silenced_before_its_first_sound_is_not_continued_but_said() -> None:
    # The voice dies twice before it has rendered the greeting, which is cleared before any of it is on its way.
    steps = [("ask", 300), ("long silence", 9000)]
    over = lived(World(steps, says=["uh-huh"], dies_after=[900, 900], stalls_ms=[0, 40, 40, 40, 40, 0, 40, 40, 0]))
    known: set[int] = set()
    for playout in over.line.playouts.values():
        assert playout.about.continues_playout_id in {0, *known}
        known.add(playout.about.playout_id)
    (greeting, *_) = over.line.playouts.values()
    assert greeting.about.kind == conv.PLAYOUT_KIND_GREETING


def test_an_early_reply_to_half_a_question_is_cancelled_and_one_to_the_whole_is_heard() -> None:
    steps = [("silence", 3000), ("say", 800), ("silence", 180), ("say", 800), ("silence", 3000)]
    world = World(steps, speculate=True, partials=False, says=["what time is it"], scripts=[(0.4, "It is noon.")])
    over = lived(world)
    assert len(over.brain.asked_when) == 2
    first, second = over.brain.asked_when
    assert first.ended_s < second.began_s
    assert over.brain.closed == 1
    assert [e.said for e in over.history.exchanges if e.turn_id] == ["It is noon."]
