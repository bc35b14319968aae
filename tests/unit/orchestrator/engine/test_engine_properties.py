"""What holds whatever happens, in whatever order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engine import (
    BeginUtterance,
    Clear,
    CommitReply,
    DigitPressed,
    DiscardReply,
    Duck,
    EndOfTurnJudged,
    EndUtterance,
    FallBack,
    HangUp,
    HangUpAsked,
    Pause,
    PlayoutFinished,
    PlayoutProgress,
    PlayoutStarted,
    Prompt,
    RecognitionFailed,
    ReplyContent,
    ReplyFailed,
    ReplyWritten,
    ReportTurn,
    ResumeTail,
    Say,
    ServicesLoad,
    SpeakReply,
    StartReply,
    TurnState,
)
from tests.unit.orchestrator.engine.conversation import VirtualCall

LINE = {"can_duck": True, "can_take_message": True, "has_fallback": True}
"""Everything that a line can do, so that every action comes up."""
TEXTS = st.sampled_from(["what time is it", "stop", "uh-huh", "", "i would like to", "tell me a story", "yes please"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("speech"), st.sampled_from([32, 64, 160, 480, 960])),
        st.tuples(st.just("silence"), st.sampled_from([32, 160, 320, 960, 3000, 9000, 30_000])),
        st.tuples(st.just("lingering"), st.sampled_from([32, 96])),
        st.tuples(st.just("wait"), st.sampled_from([20, 500, 1500])),
        st.tuples(st.just("stall"), st.sampled_from([20, 500, 1500])),
        st.tuples(st.just("hears"), TEXTS),
        st.tuples(st.just("deaf"), st.just(0)),
        st.tuples(st.just("partial"), TEXTS),
        st.tuples(st.just("recognition fails"), st.just(0)),
        st.tuples(st.just("content"), st.integers(-1, 0)),
        st.tuples(st.just("written"), st.booleans()),
        st.tuples(st.just("fails"), st.booleans()),
        st.tuples(st.just("hang up"), st.just(0)),
        st.tuples(st.just("started"), st.integers(-1, 0)),
        st.tuples(st.just("progress"), st.sampled_from([200, 900, 1500])),
        st.tuples(st.just("finished"), st.integers(-1, 0)),
        st.tuples(st.just("digit"), st.sampled_from("1#")),
        st.tuples(st.just("judged"), st.sampled_from([0.1, 0.9])),
        st.tuples(st.just("load"), st.sampled_from([0.1, 0.9])),
        st.tuples(st.just("echo"), st.sampled_from([64, 320, 1280])),
        st.tuples(st.just("agent sounds"), st.sampled_from([-100.0, -20.0])),
        st.tuples(st.just("said"), st.sampled_from(["tell me a story", "what is your phone number?"])),
        st.tuples(st.just("language"), st.sampled_from(["en", "de"])),
    ),
    max_size=40,
)


def play(call: VirtualCall, steps: list[tuple[str, object]]) -> None:
    """Let it all happen."""
    for name, value in steps:
        candidate, playout = call.engine.ids.candidate, call.engine.ids.playout
        number = value if isinstance(value, int) else 0
        match name:
            case "speech" | "silence" | "lingering" | "wait" | "stall":
                getattr(call, name)(number)
            case "hears":
                call.hears = str(value)
            case "deaf":
                call.hears = None
            case "partial":
                call.partial(str(value))
            case "recognition fails":
                call.tell(RecognitionFailed(call.now_ms, call.engine.ids.turn))
            case "content":
                call.tell(ReplyContent(call.now_ms, candidate + number))
            case "written":
                call.tell(ReplyWritten(call.now_ms, candidate, silent=bool(value)))
            case "fails":
                call.tell(ReplyFailed(call.now_ms, candidate, audible=bool(value)))
            case "hang up":
                call.tell(HangUpAsked(call.now_ms, candidate))
            case "started":
                call.tell(PlayoutStarted(call.now_ms, playout + number))
            case "progress":
                call.tell(PlayoutProgress(call.now_ms, playout, number))
            case "finished":
                call.tell(PlayoutFinished(call.now_ms, playout + number))
            case "judged":
                call.tell(EndOfTurnJudged(call.now_ms, call.engine.ids.turn, float(str(value))))
            case "load":
                call.tell(ServicesLoad(call.now_ms, float(str(value))))
            case "echo":
                call.speech(number, -38.0)
            case "agent sounds":
                call.agent_dbfs = float(str(value))
            case "said":
                call.tell(PlayoutProgress(call.now_ms, playout, 400, str(value), str(value)))
            case "language":
                call.language = str(value)
            case "digit":
                call.tell(DigitPressed(call.now_ms, str(value)))


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, speculate=st.booleans(), greet=st.booleans(), stt_ms=st.sampled_from([0.0, 100.0, 1500.0]))
def test_every_turn_has_one_outcome_and_nothing_outlives_the_call(
    steps: list[tuple[str, object]], speculate: bool, greet: bool, stt_ms: float
) -> None:
    call = VirtualCall(speculate=speculate, stt_ms=stt_ms, languages=("en", "de"))
    call.begin(greet=greet, **LINE)
    play(call, steps)
    call.end()

    begun = {r.turn_id for r in call.all_of(ReportTurn)}
    assert set(call.outcomes()) == begun, "every turn has an outcome, and one only (VirtualCall sees to that)"
    assert call.engine.next_deadline() is None
    assert call.engine.open_turns == ()
    nothing_more = len(call.done)
    play(call, steps)
    assert len(call.done) == nothing_more

    assert len(call.all_of(HangUp)) <= 1, "a call is hung up once"
    assert sum(isinstance(a, Say) and a.prompt is Prompt.FILLER for _, a in call.done) <= len(begun)
    ended: set[int] = set()
    for report in call.all_of(ReportTurn):
        assert report.turn_id not in ended, "nothing is reported of a turn that has ended"
        if report.state is TurnState.ENDED:
            ended.add(report.turn_id)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, speculate=st.booleans(), greet=st.booleans())
def test_no_playout_is_begun_twice_or_after_it_was_cleared(
    steps: list[tuple[str, object]], speculate: bool, greet: bool
) -> None:
    call = VirtualCall(speculate=speculate)
    call.begin(greet=greet, **LINE)
    play(call, steps)
    call.end()

    last, cleared = 0, 0
    for _, action in call.done:
        if isinstance(action, Say | CommitReply | ResumeTail | SpeakReply):
            assert action.playout_id > max(last, cleared)
            last = action.playout_id
        elif isinstance(action, Clear | Pause):
            assert action.through_playout_id <= last
            cleared = max(cleared, action.through_playout_id)
        if isinstance(action, ResumeTail):
            assert action.continues_playout_id <= cleared, "only what was paused is resumed"


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, speculate=st.booleans())
def test_candidates_and_utterances_are_all_ended(steps: list[tuple[str, object]], speculate: bool) -> None:
    call = VirtualCall(speculate=speculate)
    call.begin(**LINE)
    play(call, steps)
    call.end()

    open_utterance: int | None = None
    started: dict[int, int] = {}
    committed: set[int] = set()
    discarded: set[int] = set()
    for _, action in call.done:
        match action:
            case BeginUtterance(turn_id=turn_id):
                assert open_utterance is None, "one utterance at a time"
                open_utterance = turn_id
            case EndUtterance(turn_id=turn_id):
                assert turn_id == open_utterance
                open_utterance = None
            case StartReply(turn_id=turn_id, candidate_id=candidate_id):
                assert candidate_id > max(started, default=0)
                started[candidate_id] = turn_id
            case FallBack(candidate_id=candidate_id) | SpeakReply(candidate_id=candidate_id):
                assert candidate_id in committed - discarded, "only a reply that is awaited"
            case CommitReply(candidate_id=candidate_id):
                assert candidate_id in started
                assert candidate_id not in committed | discarded
                committed.add(candidate_id)
            case DiscardReply(candidate_id=candidate_id):
                assert candidate_id in started
                assert candidate_id not in discarded
                discarded.add(candidate_id)
    assert open_utterance is None
    assert set(started) == committed | discarded, "a reply that is not spoken is thrown away"
    assert len(committed) == len({started[c] for c in committed}), "one reply is spoken in a turn"


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, speculate=st.booleans())
def test_the_agent_is_as_loud_as_ever_when_it_begins_anew(steps: list[tuple[str, object]], speculate: bool) -> None:
    call = VirtualCall(speculate=speculate)
    call.begin(greet=True, **LINE)
    play(call, steps)
    call.end()

    ducked = False
    for _, action in call.done:
        if isinstance(action, Duck):
            assert ducked != (action.gain_db < 0), "turned down once, and up once"
            ducked = action.gain_db < 0
        elif isinstance(action, Say | CommitReply | ResumeTail):
            assert not ducked
    assert not ducked
