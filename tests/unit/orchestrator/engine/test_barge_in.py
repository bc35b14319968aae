"""When the agent stops for the caller, and when it goes on."""

from __future__ import annotations

import pytest

from orchestrator.engine import (
    Clear,
    CommitReply,
    DigitPressed,
    DiscardReply,
    Duck,
    EngineSettings,
    Finalize,
    Outcome,
    Pause,
    PlayoutFinished,
    ReportTurn,
    ResumeTail,
    Say,
    TurnState,
)
from orchestrator.engine.settings import BargeInSettings
from tests.unit.orchestrator.engine.conversation import VirtualCall


def talking(
    heard_ms: float = 1600,
    hears: str | None = "stop please",
    settings: EngineSettings | None = None,
    *,
    can_duck: bool = False,
) -> VirtualCall:
    """A call in which the agent is speaking its first reply."""
    call = VirtualCall(settings or EngineSettings())
    call.begin(can_duck=can_duck)
    call.ask()
    call.reply_sounds(heard_ms)
    call.hears = hears
    return call


def test_128_ms_of_speech_silence_the_agent() -> None:
    call = talking()
    began = call.now_ms
    call.speech(96)
    assert call.all_of(Pause) == []
    call.speech(32)
    assert call.all_of(Pause) == [Pause(1)]
    assert call.when(Pause) - began == pytest.approx(128)


def test_length_waits_for_the_word_that_is_on_its_way() -> None:
    call = talking(hears="uh-huh")
    call.speech(320)
    call.partial("")
    call.speech(512)
    assert call.outcomes() == {}
    call.silence(480)
    assert len(call.all_of(ResumeTail)) == 1
    assert call.outcomes() == {2: Outcome.DISCARDED}


def test_length_decides_where_no_word_comes_in_time() -> None:
    call = talking(hears=None)
    call.speech(320)
    call.partial("")
    call.speech(1184)
    assert call.outcomes() == {}
    assert call.all_of(ResumeTail) == [], "nobody talks over a caller who is speaking"
    call.speech(64)
    assert call.outcomes() == {1: Outcome.INTERRUPTED}
    assert call.now_ms - call.when(Pause) == pytest.approx(1400, abs=64)


def test_many_short_sounds_are_no_long_one() -> None:
    call = talking(hears="")
    for _ in range(5):
        call.speech(160)
        call.silence(192)
        call.reply_sounds(320)
    assert Outcome.INTERRUPTED not in call.outcomes().values()


def test_a_word_makes_it_an_interruption() -> None:
    call = talking()
    call.speech(160)
    call.partial("what about")
    assert call.outcomes() == {1: Outcome.INTERRUPTED}
    assert call.all_of(DiscardReply) == [DiscardReply(1, 1)]
    call.speech(160)
    call.silence(320)
    assert call.asked() == ["what time is it", "stop please"]


def test_a_sign_of_listening_is_none() -> None:
    call = talking(hears="uh-huh")
    call.speech(320)
    call.partial("uh-huh")
    call.silence(320)
    assert call.all_of(ResumeTail) == [ResumeTail(2, 1, 1)]
    call.playout_ends()
    assert call.outcomes() == {2: Outcome.DISCARDED, 1: Outcome.COMPLETED}
    assert call.asked() == ["what time is it"]


def test_700_ms_of_speech_are_an_interruption_whatever_was_understood() -> None:
    call = talking(hears=None)
    call.speech(672)
    assert call.outcomes() == {}
    call.speech(32)
    assert call.outcomes() == {1: Outcome.INTERRUPTED}


def test_150_ms_of_silence_without_a_word_let_the_agent_go_on() -> None:
    call = talking(hears="")
    call.speech(320)
    ended = call.now_ms
    call.silence(1200)
    assert call.when(ResumeTail) - ended == pytest.approx(150)
    assert call.all_of(ResumeTail) == [ResumeTail(2, 1, 1)]


def test_the_transcript_is_asked_for_sooner_while_the_agent_holds_its_breath() -> None:
    call = talking(hears="")
    call.speech(320)
    ended = call.now_ms
    call.silence(320)
    assert call.when(Finalize) - ended == pytest.approx(64)


def test_the_agent_waits_for_a_transcript_that_is_on_its_way() -> None:
    call = talking(hears="london please")
    call.stt_ms = 180.0
    call.speech(320)
    call.silence(480)
    assert call.all_of(ResumeTail) == []
    assert call.outcomes() == {1: Outcome.INTERRUPTED}


def test_a_transcript_that_does_not_come_holds_the_agent_for_200_ms_more() -> None:
    call = talking(hears=None)
    call.speech(320)
    ended = call.now_ms
    call.silence(1200)
    assert call.when(ResumeTail) - ended == pytest.approx(350)


def test_a_word_understood_after_the_agent_went_on_still_interrupts() -> None:
    call = talking(hears=None)
    call.speech(320)
    call.silence(1200)
    call.partial("stop")
    assert call.all_of(Clear) == [Clear(2)]
    assert call.outcomes()[1] is Outcome.INTERRUPTED


def test_a_caller_who_goes_on_right_after_the_commit_had_not_finished() -> None:
    call = VirtualCall(hears="i would like a table")
    call.begin()
    call.ask()
    call.hears = "for two please"
    call.speech(320)
    call.partial("for two")
    call.speech(320)
    call.silence(320)
    assert call.outcomes() == {1: Outcome.DISCARDED}
    assert call.asked() == ["i would like a table", "i would like a table for two please"]
    assert call.all_of(CommitReply)[-1].joins == 1


def test_a_caller_who_heard_less_than_a_second_had_not_finished() -> None:
    call = talking(heard_ms=800, hears="i mean tomorrow")
    call.speech(320)
    call.silence(320)
    assert call.outcomes() == {1: Outcome.DISCARDED}
    assert call.asked()[-1] == "what time is it i mean tomorrow"


def test_who_goes_on_before_there_is_a_reply_to_react_to_interrupts_nothing() -> None:
    call = VirtualCall(hears="please")
    call.begin()
    call.ask()
    call.reply_sounds(96)
    call.hears = "cancel my order"
    call.speech(320)
    call.partial("cancel")
    call.speech(320)
    call.silence(320)
    assert call.outcomes() == {1: Outcome.DISCARDED}
    assert call.asked()[-1] == "please cancel my order"


def test_stop_is_never_joined_to_the_question() -> None:
    call = talking(heard_ms=320, hears="stop")
    call.speech(320)
    call.silence(480)
    assert call.outcomes() == {1: Outcome.INTERRUPTED}
    assert call.asked()[-1] == "stop"


def test_a_joined_turn_without_words_answers_what_was_said_before() -> None:
    call = talking(heard_ms=320, hears="")
    call.speech(800)
    call.silence(960)
    assert call.outcomes() == {1: Outcome.DISCARDED}
    assert call.asked() == ["what time is it", "what time is it"]


def test_the_greeting_can_be_interrupted() -> None:
    call = VirtualCall(hears="what time is it")
    call.begin(greet=True)
    call.speech(960)
    assert [say.playout_id for say in call.all_of(Say)] == [1]
    assert call.all_of(Pause) == [Pause(1)]
    call.silence(320)
    assert call.asked() == ["what time is it"]


def test_a_reply_heard_to_its_end_while_paused_is_complete() -> None:
    call = talking(hears=None)
    call.speech(160)
    call.tell(PlayoutFinished(call.now_ms, 1))
    assert call.outcomes() == {1: Outcome.COMPLETED}
    call.silence(1600)
    assert call.all_of(ResumeTail) == []


def test_a_turn_tells_that_it_is_paused_and_that_it_speaks_again() -> None:
    call = talking(hears="yeah")
    call.speech(320)
    call.silence(320)
    states = [r.state for r in call.all_of(ReportTurn) if r.turn_id == 1]
    assert states == [
        TurnState.LISTENING,
        TurnState.COMMITTED,
        TurnState.SPEAKING,
        TurnState.PAUSED,
        TurnState.SPEAKING,
    ]


def test_a_key_silences_the_agent_and_is_answered() -> None:
    call = talking()
    call.tell(DigitPressed(call.now_ms, "4"))
    call.tell(DigitPressed(call.now_ms, "2"))
    assert call.outcomes() == {1: Outcome.INTERRUPTED}
    call.silence(1600)
    assert call.asked()[-1] == "[keys pressed: 4 2]"


def test_what_is_not_confirmed_in_900_ms_is_resumed_though_it_lasts() -> None:
    long = EngineSettings(barge_in=BargeInSettings(confirm_speech_ms=5000))
    call = talking(hears=None, settings=long)
    call.speech(1200)
    assert call.when(ResumeTail) - call.when(Pause) == pytest.approx(900)


def test_the_steady_preset_lets_a_quarter_of_a_second_pass() -> None:
    call = talking(settings=EngineSettings(barge_in=BargeInSettings(preset="steady")))
    call.speech(224)
    assert call.all_of(Pause) == []
    call.speech(32)
    assert call.all_of(Pause) == [Pause(1)]


def test_signs_of_listening_may_last_longer_than_other_speech() -> None:
    call = talking(hears=None)
    call.speech(320)
    call.partial("okay right")
    call.speech(960)
    assert call.outcomes() == {}
    call.speech(160)
    assert call.outcomes() == {1: Outcome.INTERRUPTED}


def test_two_windows_turn_the_agent_down_and_silence_turns_it_up_again() -> None:
    call = talking(hears=None, can_duck=True)
    call.speech(64)
    assert call.all_of(Duck) == [Duck(-12.0)]
    call.silence(64)
    assert call.all_of(Duck) == [Duck(-12.0), Duck(0.0)]
    assert call.all_of(Pause) == []


def test_what_follows_a_pause_is_as_loud_as_before() -> None:
    call = talking(hears="", can_duck=True)
    call.speech(320)
    call.silence(320)
    kinds = [type(a) for _, a in call.done if isinstance(a, Duck | Pause | ResumeTail)]
    assert kinds == [Duck, Pause, Duck, ResumeTail]
    assert call.all_of(Duck)[-1] == Duck(0.0)


def test_a_line_that_cannot_turn_the_agent_down_is_not_asked_to() -> None:
    call = talking(hears=None)
    call.speech(320)
    assert call.all_of(Duck) == []


def test_the_beginning_of_a_sign_of_listening_is_no_word_yet() -> None:
    call = talking(hears="of course")
    call.speech(320)
    call.partial("of")
    assert call.outcomes() == {}
    call.speech(160)
    call.silence(320)
    assert call.outcomes() == {2: Outcome.DISCARDED}


def test_a_whole_word_that_may_become_a_sign_of_listening_waits_for_the_next() -> None:
    call = talking(hears="of")
    call.speech(224)
    call.lingering(96)
    assert call.outcomes() == {}
    call.hears = "of course"
    call.speech(224)
    call.silence(320)
    assert call.outcomes() == {2: Outcome.DISCARDED}


def test_a_word_that_became_no_sign_of_listening_interrupts() -> None:
    call = talking(hears="of")
    call.speech(224)
    call.silence(384)
    assert call.outcomes() == {}
    call.silence(96)
    assert call.outcomes()[1] is Outcome.INTERRUPTED


def test_between_the_words_of_a_sign_of_listening_the_agent_does_not_go_on() -> None:
    call = talking(hears="all")
    call.speech(224)
    call.silence(288)
    assert call.all_of(ResumeTail) == []
    call.hears = "all right"
    call.speech(224)
    call.silence(320)
    assert call.outcomes() == {2: Outcome.DISCARDED}
    assert len(call.all_of(ResumeTail)) == 1


def test_a_first_word_that_is_whole_interrupts() -> None:
    call = talking(hears="london")
    call.speech(320)
    call.silence(320)
    assert call.outcomes() == {1: Outcome.INTERRUPTED}


@pytest.mark.parametrize(("said", "waited_ms"), [("stop", 400), ("stop please", 220), ("tell me the time", 220)])
def test_a_mere_stop_over_the_agent_is_given_time_to_become_more(said: str, waited_ms: float) -> None:
    call = talking(hears=said)
    call.speech(320)
    call.partial(said)
    call.silence(640)
    commit = call.all_of(CommitReply)[-1]
    assert call.when(CommitReply) - commit.eos_at_ms == pytest.approx(waited_ms, abs=1)
