"""How long a caller is waited for: by what they pause, by what they were asked, and by what a model hears."""

from __future__ import annotations

import pytest

from orchestrator.engine import (
    CommitReply,
    EndOfTurnJudged,
    EndpointRule,
    EngineSettings,
    ServicesLoad,
    StartReply,
    SwitchLanguage,
)
from orchestrator.engine.pauses import LearnedPauses
from orchestrator.engine.settings import PauseLearningSettings
from tests.unit.orchestrator.engine.conversation import VirtualCall


def waited(call: VirtualCall) -> float:
    """Silence before the last commit."""
    return call.when(CommitReply) - call.all_of(CommitReply)[-1].eos_at_ms


def test_a_caller_who_does_not_pause_waits_no_longer() -> None:
    pauses = LearnedPauses(PauseLearningSettings())
    for _ in range(20):
        pauses.learn(160)
    assert pauses.allowance_ms == 0


def test_each_pause_moves_the_estimate_by_a_tenth_up_to_its_ceiling() -> None:
    pauses = LearnedPauses(PauseLearningSettings())
    pauses.learn(450)
    assert pauses.estimate_ms == pytest.approx(270)
    for _ in range(200):
        pauses.learn(5000)
    assert pauses.estimate_ms == pytest.approx(900)


def test_learning_can_be_switched_off() -> None:
    pauses = LearnedPauses(PauseLearningSettings(enabled=False))
    pauses.learn(800)
    assert pauses.allowance_ms == 0


def test_a_caller_who_was_cut_off_is_given_more_time_from_then_on() -> None:
    call = VirtualCall(hears="my dog is ill")
    call.begin()
    call.ask()
    call.silence(192)
    call.hears = "since last week"
    call.ask()
    assert call.asked()[-1] == "my dog is ill since last week"
    _, second = call.all_of(CommitReply)
    assert second.joins == 1
    assert waited(call) > 225


def test_what_is_said_after_the_agent_was_heard_is_no_pause() -> None:
    call = VirtualCall()
    call.begin()
    call.ask()
    call.reply_sounds(640)
    call.hears = "i mean tomorrow"
    call.ask()
    assert waited(call) == pytest.approx(220, abs=1)


def asked_for_number(hears: str) -> VirtualCall:
    """A call in which the agent has just asked for a telephone number."""
    call = VirtualCall()
    call.begin()
    call.ask()
    call.reply_sounds()
    call.playout_ends("Sure. What is your phone number?")
    call.hears = hears
    call.ask()
    return call


def test_a_caller_who_dictates_is_waited_for() -> None:
    call = asked_for_number("my number is zero seven nine four four six two eight one three")
    assert len(call.asked()) == 1
    call.silence(960)
    assert len(call.asked()) == 2
    assert waited(call) == pytest.approx(900, abs=1)


def test_half_a_number_is_waited_for_even_longer() -> None:
    call = asked_for_number("zero seven nine")
    call.silence(1280)
    assert len(call.asked()) == 1
    call.silence(960)
    assert len(call.asked()) == 2
    assert call.all_of(CommitReply)[-1].rule is EndpointRule.UNFINISHED


def test_dictating_is_over_when_the_agent_asks_something_else() -> None:
    call = asked_for_number("zero seven nine four four six two eight one three")
    call.silence(1280)
    call.reply_sounds()
    call.playout_ends("Thank you. Anything else?")
    call.hears = "what time is it"
    call.ask()
    assert waited(call) == pytest.approx(220, abs=1)


def judged(probability: float, hears: str, covers_ms: float = 0.0) -> VirtualCall:
    """A call whose first utterance an end-of-turn model has judged in its pause."""
    call = VirtualCall(hears=hears)
    call.begin()
    call.speech(960)
    call.silence(160)
    call.tell(EndOfTurnJudged(call.now_ms, 1, probability, covers_ms))
    call.silence(320)
    return call


def test_a_model_that_hears_more_to_come_is_believed() -> None:
    assert judged(0.1, "what time is it").asked() == []


def test_a_model_that_hears_the_end_is_believed_against_the_words() -> None:
    assert judged(0.9, "i would like to").asked() == ["i would like to"]


def test_a_judgement_of_an_earlier_pause_decides_nothing() -> None:
    assert judged(0.1, "what time is it", covers_ms=500).asked() == ["what time is it"]


def test_the_call_follows_its_caller_into_another_language() -> None:
    call = VirtualCall(languages=("en", "de"), language="en")
    call.begin()
    for language in ("en", "en", "de", "de"):
        call.language = language
        call.hears = "what time is it" if language == "en" else "wie spät ist es"
        call.ask()
        call.reply_sounds()
        call.playout_ends()
    assert call.all_of(SwitchLanguage) == [SwitchLanguage("de")]
    call.hears = "ich möchte und"
    call.ask()
    assert len(call.asked()) == 4, "the words of the new language count"


def test_a_reply_in_the_wrong_language_is_not_begun_early() -> None:
    call = VirtualCall(languages=("en", "de"), language="de", speculate=True)
    call.begin()
    call.ask()
    assert [start.speculative for start in call.all_of(StartReply)] == [False]


def test_nothing_is_begun_early_while_the_services_are_busy() -> None:
    call = VirtualCall(speculate=True)
    call.begin()
    call.tell(ServicesLoad(call.now_ms, 0.8))
    call.ask()
    assert [start.speculative for start in call.all_of(StartReply)] == [False]
    call.reply_sounds()
    call.playout_ends()
    call.tell(ServicesLoad(call.now_ms, 0.5))
    call.ask()
    assert call.all_of(StartReply)[-1].speculative


def test_at_most_two_replies_are_begun_early_and_what_they_cost_is_told() -> None:
    call = VirtualCall(speculate=True)
    call.begin()
    for words in ("tell me", "tell me a story", "tell me a story now", "tell me a story now please"):
        call.hears = words
        call.speech(480)
        call.silence(160)
    call.silence(320)
    starts = call.all_of(StartReply)
    assert [start.speculative for start in starts] == [True, True, False]
    call.reply_sounds()
    call.playout_ends()
    assert max(report.wasted for report in call.reports()) == 2


def test_a_long_turn_is_not_answered_early() -> None:
    call = VirtualCall(EngineSettings(), speculate=True)
    call.begin()
    call.speech(10_500)
    call.silence(512)
    assert [start.speculative for start in call.all_of(StartReply)] == [False]
