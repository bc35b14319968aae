"""When the caller has finished."""

from __future__ import annotations

import pytest

from orchestrator.engine import (
    BeginUtterance,
    CommitReply,
    DiscardReply,
    EndUtterance,
    Finalize,
    Outcome,
    Prompt,
    RecognitionFailed,
    Say,
    Speculation,
    StartReply,
)
from orchestrator.engine.settings import EndpointingSettings, EngineSettings
from tests.unit.orchestrator.engine.conversation import WINDOW_MS, VirtualCall


def committed_after(call: VirtualCall) -> float:
    """Silence between the caller's last sound and the commit."""
    (commit,) = call.all_of(CommitReply)
    return call.when(CommitReply) - commit.eos_at_ms


def test_a_complete_question_is_answered_after_220_ms_of_silence() -> None:
    call = VirtualCall()
    call.begin()
    call.ask()
    assert call.asked() == ["what time is it"]
    assert committed_after(call) == pytest.approx(220, abs=1)


def test_the_transcript_is_asked_for_before_the_turn_is_decided() -> None:
    call = VirtualCall()
    call.begin()
    call.ask()
    (commit,) = call.all_of(CommitReply)
    assert call.when(Finalize) - commit.eos_at_ms == pytest.approx(96, abs=1)


def test_silence_counts_from_the_last_sound_though_the_model_lingers() -> None:
    call = VirtualCall()
    call.begin()
    call.speech(960)
    said_until = call.now_ms
    call.lingering(96)
    call.silence(320)
    (commit,) = call.all_of(CommitReply)
    assert commit.eos_ms == said_until
    assert call.when(CommitReply) - said_until == pytest.approx(220, abs=1)


def test_the_transcript_is_asked_for_while_the_model_lingers() -> None:
    call = VirtualCall()
    call.begin()
    call.speech(960)
    said_until = call.now_ms
    call.lingering(160)
    assert call.when(Finalize) - said_until == pytest.approx(96)
    call.silence(320)
    assert len(call.all_of(Finalize)) == 1
    assert call.asked() == ["what time is it"]


def test_speech_that_faded_and_goes_on_is_transcribed_anew() -> None:
    call = VirtualCall(hears="what time")
    call.begin()
    call.speech(960)
    call.lingering(160)
    call.speech(480)
    call.hears = "what time is it"
    call.silence(480)
    assert [f.finalize_id for f in call.all_of(Finalize)] == [1, 2]
    assert call.asked() == ["what time is it"]


def test_what_was_answered_is_not_heard_again() -> None:
    call = VirtualCall(hears="what is the time")
    call.begin()
    call.speech(960)
    said_until = call.now_ms
    call.silence(256)
    call.speech(320)
    assert len(call.all_of(CommitReply)) == 1
    assert call.all_of(BeginUtterance)[-1].from_ms == said_until + 64


def test_a_recogniser_that_closes_sentences_leaves_the_mark_out_where_none_ends() -> None:
    call = VirtualCall(hears="What is the time?")
    call.begin()
    call.ask()
    call.reply_sounds()
    call.playout_ends()
    call.silence(960)
    call.hears = "The heating in the kitchen has not worked"
    call.ask()
    assert len(call.all_of(CommitReply)) == 1
    call.silence(960)
    commit = call.all_of(CommitReply)[-1]
    assert call.when(CommitReply) - commit.eos_at_ms == pytest.approx(1300, abs=1)


def test_a_recogniser_that_never_closes_sentences_is_not_waited_for() -> None:
    call = VirtualCall(hears="what is the time")
    call.begin()
    for _ in range(2):
        call.ask()
        call.reply_sounds()
        call.playout_ends()
        call.silence(960)
    assert len(call.all_of(CommitReply)) == 2


def test_the_utterance_begins_300_ms_before_the_first_speech() -> None:
    call = VirtualCall()
    call.begin()
    call.silence(640)
    began = call.now_ms
    call.speech(320)
    (begin,) = call.all_of(BeginUtterance)
    assert begin.from_ms == began - 300


@pytest.mark.parametrize("gap_ms", [0, 128, 256])
def test_a_first_word_that_was_no_speech_to_the_model_is_heard_all_the_same(gap_ms: float) -> None:
    call = VirtualCall()
    call.begin()
    call.silence(640)
    began = call.now_ms
    call.unnoticed(96)
    call.speech(WINDOW_MS)
    call.unnoticed(64)
    call.silence(gap_ms)
    call.speech(320)
    (begin,) = call.all_of(BeginUtterance)
    assert begin.from_ms == began - 300


def test_what_sounded_long_before_is_no_part_of_the_utterance() -> None:
    call = VirtualCall()
    call.begin()
    call.silence(640)
    call.unnoticed(96)
    call.silence(320)
    began = call.now_ms
    call.speech(320)
    (begin,) = call.all_of(BeginUtterance)
    assert begin.from_ms == began - 300


def test_while_the_agent_is_heard_what_sounded_before_may_be_its_echo() -> None:
    call = VirtualCall(agent_dbfs=-20.0)
    call.begin()
    call.ask()
    call.reply_sounds()
    call.silence(640)
    call.unnoticed(96)
    call.silence(128)
    began = call.now_ms
    call.speech(320)
    assert call.all_of(BeginUtterance)[-1].from_ms == began - 300


def test_one_loud_window_is_no_speech() -> None:
    call = VirtualCall()
    call.begin()
    call.speech(WINDOW_MS)
    call.silence(320)
    assert call.all_of(BeginUtterance) == []


def test_the_first_300_ms_of_a_call_are_not_listened_to() -> None:
    call = VirtualCall()
    call.speech(288)
    call.silence(320)
    assert call.all_of(BeginUtterance) == []


def test_a_sentence_that_breaks_off_is_waited_for() -> None:
    call = VirtualCall(hears="i would like to")
    call.begin()
    call.ask()
    assert call.asked() == []
    call.silence(960)
    assert committed_after(call) == pytest.approx(1300, abs=1)


def test_speech_within_the_pause_continues_the_utterance() -> None:
    call = VirtualCall(hears="what is seven plus")
    call.begin()
    call.speech(960)
    call.silence(480)
    call.hears = "what is seven plus five"
    call.speech(480)
    call.silence(480)
    assert [f.finalize_id for f in call.all_of(Finalize)] == [1, 2]
    assert len(call.all_of(BeginUtterance)) == 1
    assert call.asked() == ["what is seven plus five"]


def test_a_late_transcript_is_answered_as_soon_as_it_comes() -> None:
    call = VirtualCall(stt_ms=500)
    call.begin()
    call.speech(960)
    call.silence(960)
    assert committed_after(call) == pytest.approx(596, abs=1)


def test_a_transcript_that_still_moves_is_waited_for_until_700_ms() -> None:
    call = VirtualCall(hears="what time")
    call.begin()
    call.speech(960)
    call.silence(160)
    call.partial("what time is it")
    call.silence(960)
    assert call.asked() == ["what time is it"]
    assert committed_after(call) == pytest.approx(700, abs=1)


def test_a_recogniser_that_never_answers_is_apologised_for_at_the_cap() -> None:
    call = VirtualCall(hears=None)
    call.begin()
    call.speech(960)
    call.silence(2400)
    assert call.all_of(Say) == []
    call.silence(320)
    assert [say.prompt for say in call.all_of(Say)] == [Prompt.NOT_UNDERSTOOD]
    call.playout_ends()
    assert call.outcomes() == {1: Outcome.ERROR}


def test_a_recogniser_that_failed_is_apologised_for_when_the_caller_has_stopped() -> None:
    call = VirtualCall(hears=None)
    call.begin()
    call.speech(640)
    call.tell(RecognitionFailed(call.now_ms, 1))
    call.speech(320)
    assert call.all_of(Say) == []
    assert call.all_of(Finalize) == []
    call.silence(192)
    assert call.all_of(Say) == []
    call.silence(64)
    assert [say.prompt for say in call.all_of(Say)] == [Prompt.NOT_UNDERSTOOD]
    assert call.all_of(Finalize) == []


def test_noise_without_words_is_no_turn() -> None:
    call = VirtualCall(hears="")
    call.begin()
    call.speech(320)
    call.silence(960)
    assert call.asked() == []
    assert call.outcomes() == {1: Outcome.DISCARDED}
    assert call.all_of(EndUtterance) == [EndUtterance(1, discard=True)]


def test_a_stalled_line_is_not_taken_for_silence_at_once() -> None:
    call = VirtualCall()
    call.begin()
    call.speech(960)
    call.silence(96)
    call.wait(500)
    assert call.asked() == []
    call.wait(1000)
    assert call.asked() == ["what time is it"]


def test_an_utterance_without_an_end_is_cut() -> None:
    settings = EngineSettings(endpointing=EndpointingSettings(max_utterance_ms=2000))
    call = VirtualCall(settings=settings)
    call.begin()
    call.speech(2400)
    assert call.asked() == ["what time is it"]


def test_speculation_begins_the_reply_on_the_early_transcript_and_keeps_it() -> None:
    call = VirtualCall(speculate=True)
    call.begin()
    call.ask()
    (start,) = call.all_of(StartReply)
    (commit,) = call.all_of(CommitReply)
    assert start.speculative
    assert commit.candidate_id == start.candidate_id
    assert call.when(StartReply) < call.when(CommitReply)


def test_speculation_is_thrown_away_when_the_caller_goes_on() -> None:
    call = VirtualCall(speculate=True, hears="what is two plus two")
    call.begin()
    call.speech(960)
    call.silence(160)
    call.hears = "what is two plus two times three"
    call.speech(480)
    call.silence(320)
    assert call.all_of(DiscardReply) == [DiscardReply(1, 1)]
    assert call.asked() == ["what is two plus two", "what is two plus two times three"]
    (commit,) = call.all_of(CommitReply)
    assert commit.candidate_id == 2
    call.reply_sounds()
    call.playout_ends()
    assert call.outcomes() == {1: Outcome.COMPLETED}
    assert Speculation.HIT in {r.speculation for _, r in call.done if hasattr(r, "speculation")}


def test_nothing_is_speculated_on_where_the_brain_would_remember_it() -> None:
    call = VirtualCall(speculate=False)
    call.begin()
    call.ask()
    assert [start.speculative for start in call.all_of(StartReply)] == [False]


def test_a_line_that_stalls_on_a_hint_of_speech_holds_nothing_up_for_ever() -> None:
    call = VirtualCall(hears="i would like to")
    call.begin()
    call.speech(960)
    call.silence(160)
    call.speech(32)
    call.wait(900)
    assert call.asked() == []
    call.wait(1000)
    assert call.asked() == ["i would like to"]


def test_a_line_that_stalls_in_mid_word_ends_nothing() -> None:
    call = VirtualCall()
    call.begin()
    call.speech(480)
    call.stall(3000)
    call.speech(480)
    call.silence(512)
    assert len(call.all_of(BeginUtterance)) == 1
    assert len(call.all_of(Finalize)) == 1
    assert call.asked() == ["what time is it"]
    assert committed_after(call) == pytest.approx(220, abs=1)


@pytest.mark.parametrize("heard_ms", [32, 96, 128, 160])
@pytest.mark.parametrize("late_ms", [100, 300, 900])
def test_a_stall_in_a_pause_counts_as_no_silence(heard_ms: int, late_ms: int) -> None:
    call = VirtualCall(hears="what is seven plus five")
    call.begin()
    call.speech(480)
    call.silence(heard_ms)
    call.stall(late_ms)
    assert call.all_of(CommitReply) == []
    call.speech(480)
    assert call.all_of(CommitReply) == []
    call.silence(512)
    assert len(call.all_of(BeginUtterance)) == 1
    assert call.asked() == ["what is seven plus five"]


@pytest.mark.parametrize("late_ms", [96, 320, 960])
def test_what_comes_in_a_burst_after_a_stall_is_heard_before_anything_is_decided(late_ms: int) -> None:
    call = VirtualCall()
    call.begin()
    call.speech(480)
    call.silence(160)
    with call.late(late_ms):
        call.silence(32)
        call.speech(late_ms - 32)
    assert call.all_of(CommitReply) == []
    call.silence(512)
    assert len(call.all_of(BeginUtterance)) == 1
    assert committed_after(call) == pytest.approx(220, abs=1)


def test_silence_that_comes_in_a_burst_is_silence_at_once() -> None:
    call = VirtualCall()
    call.begin()
    call.speech(480)
    call.silence(64)
    with call.late(320):
        call.silence(320)
    assert call.asked() == ["what time is it"]


def test_a_transcript_that_comes_during_a_stall_decides_nothing() -> None:
    call = VirtualCall(stt_ms=400)
    call.begin()
    call.speech(480)
    call.silence(160)
    call.stall(900)
    assert call.asked() == []
    call.speech(320)
    assert call.asked() == []
