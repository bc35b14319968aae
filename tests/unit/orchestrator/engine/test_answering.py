"""What happens when the reply fails or takes too long, and how a call ends."""

from __future__ import annotations

import pytest

from orchestrator.engine import (
    DiscardReply,
    EngineSettings,
    FinishReply,
    HangUp,
    HangUpAsked,
    HangUpReason,
    Outcome,
    Prompt,
    ReplyContent,
    ReplyFailed,
    ReplyWritten,
    Say,
)
from orchestrator.engine.settings import IdleSettings
from tests.unit.orchestrator.engine.conversation import VirtualCall


def thinking() -> VirtualCall:
    """A call whose first turn has just been committed."""
    call = VirtualCall()
    call.begin()
    call.ask()
    return call


def test_a_brain_without_content_for_8_s_is_apologised_for() -> None:
    call = thinking()
    committed = call.now_ms
    call.silence(7000)
    assert call.said() == [Prompt.FILLER]
    call.silence(1500)
    assert call.said() == [Prompt.FILLER, Prompt.APOLOGY]
    assert call.when(Say) - committed == pytest.approx(8000, abs=300)
    assert call.all_of(DiscardReply) == [DiscardReply(1, 1)]
    call.playout_ends()
    assert call.outcomes() == {1: Outcome.ERROR}


def test_a_brain_that_stalls_in_mid_reply_is_cut_and_what_is_whole_is_heard() -> None:
    call = thinking()
    call.tell(ReplyContent(call.now_ms, 1))
    call.silence(8500)
    assert call.all_of(FinishReply) == [FinishReply(1, 1)]
    call.reply_sounds()
    call.playout_ends()
    assert call.outcomes() == {1: Outcome.ERROR}


def test_a_failure_before_the_first_word_is_apologised_for() -> None:
    call = thinking()
    call.tell(ReplyFailed(call.now_ms, 1, audible=False))
    assert [say.prompt for say in call.all_of(Say)] == [Prompt.APOLOGY]


def test_a_failure_in_mid_reply_lets_the_rest_be_heard() -> None:
    call = thinking()
    call.reply_sounds()
    call.tell(ReplyFailed(call.now_ms, 1, audible=True))
    assert call.all_of(Say) == []
    call.playout_ends()
    assert call.outcomes() == {1: Outcome.ERROR}


def test_a_voice_that_gives_no_sound_does_not_leave_the_caller_waiting_for_ever() -> None:
    call = thinking()
    call.tell(ReplyContent(call.now_ms, 1))
    call.tell(ReplyWritten(call.now_ms, 1))
    call.silence(8500)
    assert [say.prompt for say in call.all_of(Say)] == [Prompt.APOLOGY]
    call.silence(8500)
    assert call.outcomes() == {1: Outcome.ERROR}


def test_the_call_is_hung_up_once_the_farewell_was_heard() -> None:
    call = thinking()
    call.tell(HangUpAsked(call.now_ms, 1))
    call.reply_sounds()
    assert call.all_of(HangUp) == []
    call.playout_ends()
    assert call.all_of(HangUp) == [HangUp(HangUpReason.FAREWELL, 1)]


def test_an_interrupted_farewell_does_not_hang_up() -> None:
    call = thinking()
    call.tell(HangUpAsked(call.now_ms, 1))
    call.reply_sounds(1600)
    call.hears = "wait one more thing"
    call.speech(800)
    call.silence(320)
    call.reply_sounds()
    call.playout_ends()
    assert call.all_of(HangUp) == []


def test_a_hang_up_without_a_word_is_carried_out_at_once() -> None:
    call = thinking()
    call.tell(HangUpAsked(call.now_ms, 1))
    call.tell(ReplyWritten(call.now_ms, 1, silent=True))
    assert call.all_of(HangUp) == [HangUp(HangUpReason.FAREWELL, 0)]
    assert call.outcomes() == {1: Outcome.COMPLETED}


def test_a_call_does_not_last_for_ever() -> None:
    call = VirtualCall(settings=EngineSettings(idle=IdleSettings(enabled=False)))
    call.begin()
    call.wait(1_800_000)
    assert call.said() == [Prompt.ENDING_SOON]
    assert call.all_of(HangUp) == [HangUp(HangUpReason.MAX_DURATION)]
    assert call.engine.next_deadline() is None


def test_the_end_of_the_call_ends_every_turn_and_timer() -> None:
    call = thinking()
    call.reply_sounds(1600)
    call.speech(160)
    call.end()
    assert call.outcomes() == {2: Outcome.DISCARDED, 1: Outcome.INTERRUPTED}
    assert call.engine.next_deadline() is None
    assert call.engine.open_turns == ()
