"""A caller who waits hears something; one who is silent is asked; none is left on the line for ever."""

from __future__ import annotations

import pytest

from orchestrator.engine import (
    Clear,
    CommitReply,
    EngineSettings,
    FallBack,
    FinishReply,
    HangUp,
    HangUpReason,
    Outcome,
    Pause,
    PlayoutFinished,
    PlayoutStarted,
    Prompt,
    ReplyContent,
    ReplyWritten,
    Say,
    SpeakReply,
    TakeMessage,
)
from orchestrator.engine.settings import IdleSettings, WatchdogSettings
from tests.unit.orchestrator.engine.conversation import VirtualCall


def thinking(**line: bool) -> VirtualCall:
    """A call whose first turn has just been committed."""
    call = VirtualCall()
    call.begin(**line)
    call.speech(960)
    call.silence(256)
    assert call.all_of(CommitReply)
    return call


def filling() -> VirtualCall:
    """A call that hears a filler."""
    call = thinking()
    call.silence(960)
    call.tell(PlayoutStarted(call.now_ms, 2))
    return call


def test_a_filler_bridges_the_time_when_nothing_came_for_900_ms() -> None:
    call = thinking()
    call.silence(1500)
    assert call.all_of(Say) == [Say(2, Prompt.FILLER, 1)]
    assert call.when(Say) - call.when(CommitReply) == pytest.approx(900, abs=1)


def test_a_reply_that_has_begun_needs_no_filler() -> None:
    call = thinking()
    call.silence(640)
    call.tell(ReplyContent(call.now_ms, 1))
    call.silence(960)
    assert call.said() == []


def test_the_reply_follows_its_filler_and_is_the_one_that_counts() -> None:
    call = filling()
    call.tell(ReplyContent(call.now_ms, 1))
    call.tell(ReplyWritten(call.now_ms, 1))
    assert call.all_of(SpeakReply) == []
    call.tell(PlayoutFinished(call.now_ms, 2))
    assert call.all_of(SpeakReply) == [SpeakReply(1, 1, 3)]
    call.tell(PlayoutStarted(call.now_ms, 3))
    call.tell(PlayoutFinished(call.now_ms, 3))
    assert call.outcomes() == {1: Outcome.COMPLETED}


def test_a_reply_that_comes_before_its_filler_sounds_takes_its_place() -> None:
    call = thinking()
    call.silence(960)
    call.tell(ReplyContent(call.now_ms, 1))
    assert call.all_of(Clear) == [Clear(2)]
    assert call.all_of(SpeakReply) == [SpeakReply(1, 1, 3)]


def test_a_turn_has_one_filler_at_most_and_the_next_has_other_words() -> None:
    call = filling()
    call.tell(PlayoutFinished(call.now_ms, 2))
    call.silence(3000)
    assert call.said() == [Prompt.FILLER]
    call.reply_sounds()
    call.playout_ends()
    call.ask()
    call.silence(1200)
    assert [say.variant for say in call.all_of(Say)] == [0, 1]


def test_noise_over_a_filler_is_followed_by_the_reply_not_by_the_filler() -> None:
    call = filling()
    call.hears = ""
    call.speech(160)
    assert call.all_of(Pause) == [Pause(2)]
    call.silence(320)
    assert call.all_of(SpeakReply) == [SpeakReply(1, 1, 3)]


def test_a_filler_of_whose_end_nobody_tells_holds_nothing_up_for_ever() -> None:
    call = filling()
    call.tell(ReplyContent(call.now_ms, 1))
    call.tell(ReplyWritten(call.now_ms, 1))
    call.silence(9000)
    assert call.all_of(SpeakReply) == [SpeakReply(1, 1, 3)]


def test_a_caller_who_goes_on_during_the_filler_had_not_finished() -> None:
    call = filling()
    call.hears = "in london"
    call.speech(320)
    call.silence(320)
    assert call.asked()[-1] == "what time is it in london"


def test_after_3_s_without_content_the_other_brain_is_asked_once() -> None:
    call = thinking(has_fallback=True)
    call.silence(7000)
    assert call.all_of(FallBack) == [FallBack(1, 1)]
    assert call.when(FallBack) - call.when(CommitReply) == pytest.approx(3000, abs=1)


def test_without_another_brain_none_is_asked() -> None:
    call = thinking()
    call.silence(7000)
    assert call.all_of(FallBack) == []


def test_after_8_s_a_message_is_offered_and_a_yes_lets_it_be_recorded() -> None:
    call = thinking(can_take_message=True)
    call.silence(8200)
    assert call.said() == [Prompt.FILLER, Prompt.OFFER_MESSAGE]
    call.tell(PlayoutStarted(call.now_ms, call.engine.ids.playout))
    call.playout_ends()
    call.hears = "yes please"
    call.ask()
    assert call.all_of(TakeMessage) == [TakeMessage()]
    assert call.asked() == ["what time is it"]
    assert call.outcomes() == {1: Outcome.ERROR, 2: Outcome.COMPLETED}


def test_a_question_behind_the_offer_is_answered_as_any_other() -> None:
    call = thinking(can_take_message=True)
    call.silence(8200)
    call.tell(PlayoutStarted(call.now_ms, call.engine.ids.playout))
    call.playout_ends()
    call.hears = "no just tell me the time"
    call.ask()
    assert call.all_of(TakeMessage) == []
    assert call.asked()[-1] == "no just tell me the time"


def test_a_gap_in_the_reply_is_not_waited_out_for_ever() -> None:
    call = thinking()
    call.tell(ReplyContent(call.now_ms, 1))
    call.silence(8500)
    assert call.all_of(FinishReply) == [FinishReply(1, 1)]


def hear_prompt(call: VirtualCall) -> None:
    """The newest prompt is played to its end."""
    call.tell(PlayoutStarted(call.now_ms, call.engine.ids.playout))
    call.silence(1000)
    call.playout_ends()


def test_a_silent_caller_is_asked_twice_and_then_taken_leave_of() -> None:
    call = VirtualCall()
    call.begin()
    for expected in (Prompt.STILL_THERE, Prompt.STILL_THERE, Prompt.GOODBYE):
        call.silence(7000)
        before = len(call.said())
        call.silence(1100)
        assert call.said()[before:] == [expected]
        assert call.all_of(HangUp) == []
        hear_prompt(call)
    assert call.all_of(HangUp) == [HangUp(HangUpReason.IDLE, 3)]
    assert [say.variant for say in call.all_of(Say)] == [0, 1, 0]


def test_a_caller_who_speaks_again_is_as_present_as_ever() -> None:
    call = VirtualCall()
    call.begin()
    for _ in range(3):
        call.silence(8500)
        hear_prompt(call)
        call.ask()
        call.reply_sounds()
        call.playout_ends()
    assert set(call.said()) == {Prompt.STILL_THERE}


def test_noise_is_no_presence() -> None:
    call = VirtualCall(hears="")
    call.begin()
    for _ in range(5):
        call.silence(1500)
        call.speech(160)
    call.silence(2500)
    assert call.said() == [Prompt.STILL_THERE]


def test_who_speaks_over_the_goodbye_is_not_hung_up_on() -> None:
    call = VirtualCall(EngineSettings(idle=IdleSettings(prompts=0)))
    call.begin()
    call.silence(8200)
    assert call.said() == [Prompt.GOODBYE]
    call.tell(PlayoutStarted(call.now_ms, 1))
    call.hears = "wait i am here"
    call.ask()
    assert call.all_of(HangUp) == []
    assert call.asked() == ["wait i am here"]


def test_the_caller_is_warned_a_minute_before_the_longest_call_ends() -> None:
    settings = EngineSettings(watchdogs=WatchdogSettings(max_call_ms=120_000), idle=IdleSettings(enabled=False))
    call = VirtualCall(settings)
    call.begin()
    call.silence(59_000)
    assert call.said() == []
    call.silence(1500)
    assert call.said() == [Prompt.ENDING_SOON]
    hear_prompt(call)
    call.silence(60_000)
    assert call.all_of(HangUp) == [HangUp(HangUpReason.MAX_DURATION)]


def test_nobody_is_warned_in_mid_sentence() -> None:
    settings = EngineSettings(watchdogs=WatchdogSettings(max_call_ms=120_000), idle=IdleSettings(enabled=False))
    call = VirtualCall(settings)
    call.begin()
    call.silence(59_000)
    call.speech(1500)
    assert call.said() == []
    call.silence(512)
    call.reply_sounds()
    call.playout_ends()
    assert call.said() == [Prompt.ENDING_SOON]
