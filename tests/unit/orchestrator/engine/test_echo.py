"""The agent's own voice, come back from the line, is not taken for the caller's."""

from __future__ import annotations

from orchestrator.engine import (
    Outcome,
    Pause,
    PlayoutProgress,
    ReplyContent,
    ReplyWritten,
    ResumeTail,
)
from orchestrator.engine.echo import EchoGuard
from orchestrator.engine.events import SILENCE_DBFS
from orchestrator.engine.settings import EchoSettings
from tests.unit.orchestrator.engine.conversation import VirtualCall

STORY = "once upon a time there was a fox who lived in a wood"
AGENT_DBFS = -20.0
ECHO_DBFS = -38.0


def telling(heard_ms: float = 1600) -> VirtualCall:
    """A call in which the agent tells a story, at a known level."""
    call = VirtualCall()
    call.begin()
    call.ask()
    call.agent_dbfs = AGENT_DBFS
    call.reply_sounds(heard_ms, STORY[:36], STORY[36:])
    return call


def echo(call: VirtualCall, ms: float) -> None:
    """The line returns what the agent says."""
    call.speech(ms, ECHO_DBFS)


def learned() -> VirtualCall:
    """The same, its echo being known."""
    call = telling()
    call.hears = "there was a fox who"
    echo(call, 160)
    call.agent_dbfs = SILENCE_DBFS
    echo(call, 160)
    call.silence(640)
    call.agent_dbfs = AGENT_DBFS
    call.silence(640)
    return call


def test_the_first_echo_pauses_the_agent_and_its_words_let_it_go_on() -> None:
    call = learned()
    assert len(call.all_of(Pause)) == len(call.all_of(ResumeTail)) == 1
    assert call.outcomes() == {2: Outcome.DISCARDED}
    assert len(call.asked()) == 1


def test_the_agent_goes_on_as_soon_as_faint_words_prove_its_own() -> None:
    call = telling(960)
    call.hears = None
    echo(call, 160)
    call.agent_dbfs = SILENCE_DBFS
    echo(call, 160)
    call.partial("there")
    assert call.when(ResumeTail) == call.now_ms


def test_a_word_of_ours_that_could_interrupt_is_our_echo_where_it_is_faint_and_the_line_unproven() -> None:
    call = VirtualCall()
    call.begin()
    call.ask()
    call.agent_dbfs = AGENT_DBFS
    call.reply_sounds(320, "hello", "what can I do for you")
    call.hears = None
    echo(call, 160)
    call.agent_dbfs = SILENCE_DBFS
    echo(call, 160)
    call.partial("hello")
    assert call.outcomes() == {}
    assert call.when(ResumeTail) == call.now_ms


def test_two_words_of_ours_are_the_callers_on_a_line_that_was_seen_to_return_nothing() -> None:
    call = telling(1920)
    call.hears = None
    echo(call, 320)
    call.partial("there was")
    assert call.outcomes()[1] is Outcome.INTERRUPTED


def test_words_of_ours_said_as_loud_as_ours_wait_for_silence() -> None:
    call = telling(960)
    call.hears = None
    call.speech(320)
    call.partial("there was")
    assert call.all_of(ResumeTail) == []


def opening_words(heard_ms: float, level_dbfs: float) -> float:
    """How long after a short sound over it the agent goes on, which had been heard for so long without an echo; ms."""
    call = VirtualCall()
    call.begin()
    call.ask()
    call.agent_dbfs = AGENT_DBFS
    call.reply_sounds()
    call.silence(heard_ms)
    call.hears = ""
    call.speech(224, level_dbfs)
    ended = call.now_ms
    call.agent_dbfs = SILENCE_DBFS
    call.silence(640)
    return call.when(ResumeTail) - ended


def test_a_faint_sound_under_the_first_words_may_be_an_echo_and_holds_the_agent_no_longer_than_it_lasts() -> None:
    assert opening_words(640, ECHO_DBFS) == 64.0
    assert opening_words(640, -22.0) == 150.0, "too loud for an echo"


def test_a_line_that_was_seen_to_return_nothing_is_not_suspected() -> None:
    assert opening_words(1920, ECHO_DBFS) == 150.0


def test_the_gaps_between_the_words_of_an_echo_prove_nothing() -> None:
    guard = EchoGuard(EchoSettings())
    for _ in range(40):
        guard.window(-60.0, SILENCE_DBFS, speaking=False)
    for _ in range(20):
        for level in (-60.0, -60.0, -60.0, -45.0):
            guard.window(level, -20.0, speaking=False)
    assert guard.unproven
    for _ in range(50):
        guard.window(-60.0, -20.0, speaking=False)
    assert not guard.unproven


def test_an_echo_that_is_known_pauses_nothing() -> None:
    call = learned()
    echo(call, 960)
    call.silence(640)
    assert len(call.all_of(Pause)) == 1
    assert call.outcomes()[3] is Outcome.DISCARDED


def test_a_caller_who_is_louder_than_the_echo_is_heard_at_once() -> None:
    call = learned()
    began = call.now_ms
    call.hears = "what about the river"
    call.speech(160)
    assert call.when(Pause) - began <= 160
    call.partial("what about")
    assert call.outcomes()[1] is Outcome.INTERRUPTED


def test_a_caller_no_louder_than_the_echo_is_heard_by_their_words() -> None:
    call = learned()
    echo(call, 320)
    call.partial("please be quiet now")
    assert call.outcomes()[1] is Outcome.INTERRUPTED


def test_long_speech_below_the_guard_that_does_not_follow_ours_is_the_callers() -> None:
    call = learned()
    call.hears = None
    for level in (-36.0, -45.0, -37.0, -44.0, -40.0):
        call.speech(320, level)
    assert len(call.all_of(Pause)) == 2


def test_the_next_words_to_be_played_are_echo_too() -> None:
    call = telling()
    echo(call, 320)
    call.partial("there was a fox who lived in")
    assert call.outcomes() == {}


def test_words_that_were_played_long_ago_are_the_callers() -> None:
    call = telling()
    call.silence(3500)
    call.speech(320)
    call.partial("there was a fox")
    assert call.outcomes()[1] is Outcome.INTERRUPTED


def test_stop_is_the_callers_even_if_the_agent_has_just_said_it() -> None:
    call = VirtualCall()
    call.begin()
    call.ask()
    call.tell(ReplyContent(call.now_ms, 1))
    call.tell(ReplyWritten(call.now_ms, 1))
    call.silence(1600)
    call.tell(PlayoutProgress(call.now_ms, 1, 1600, "the bus will stop"))
    call.speech(320)
    call.partial("stop")
    assert call.outcomes() == {1: Outcome.INTERRUPTED}


def feed(guard: EchoGuard, levels: list[float], played: list[float]) -> None:
    """Windows of speech."""
    for level, agent in zip(levels, played, strict=True):
        guard.window(level, agent, speaking=True)


def wavering(count: int) -> list[float]:
    """Levels that rise and fall like speech."""
    return [-20.0 - (7 * index * index + 3 * index) % 17 for index in range(count)]


def test_loudness_that_follows_ours_is_known_from_800_ms_on() -> None:
    played = wavering(80)
    guard = EchoGuard(EchoSettings())
    for agent in played[:30]:
        guard.window(-70.0, agent, speaking=False)
    heard = [level - 18 for level in played[20:]]
    feed(guard, heard[:20], played[30:50])
    assert not guard.follows
    feed(guard, heard[20:40], played[50:70])
    assert guard.follows


def test_an_echo_that_went_away_is_forgotten() -> None:
    guard = EchoGuard(EchoSettings())
    feed(guard, [-38.0] * 60, [-20.0] * 60)
    guard.learn(30)
    known = guard.return_db
    assert known is not None
    for _ in range(2000):
        guard.window(-80.0, -20.0, speaking=False)
    assert guard.return_db is None or guard.return_db < known - 20


def wordless_echoes(level_dbfs: float, times: int) -> VirtualCall:
    """A call whose line returns so little at a time that no word is understood; it stops when the agent does."""
    call = telling()
    call.hears = ""
    for _ in range(times):
        call.speech(160, level_dbfs)
        call.agent_dbfs = SILENCE_DBFS
        call.silence(512)
        call.agent_dbfs = AGENT_DBFS
        call.silence(960)
    return call


def test_an_echo_without_words_is_known_by_the_second_time() -> None:
    assert len(wordless_echoes(ECHO_DBFS, 4).all_of(Pause)) == 2


def test_a_caller_as_loud_as_the_agent_is_never_taken_for_an_echo_without_words() -> None:
    assert len(wordless_echoes(AGENT_DBFS - 3, 4).all_of(Pause)) == 4


def test_words_of_ours_from_a_caller_as_loud_as_we_are_teach_no_echo() -> None:
    call = telling()
    call.hears = "there was"
    call.speech(320, -22.0)
    call.silence(640)
    assert call.engine._caller.guard.return_db is None
