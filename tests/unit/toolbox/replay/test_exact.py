"""With unchanged settings a replay decides exactly as the recorded call did."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.engine import (
    EngineSettings,
    Finalize,
    PlayoutProgress,
    PlayoutStarted,
    StartReply,
    SwitchLanguage,
)
from orchestrator.event_log import Entry
from tests.unit.orchestrator.engine.test_engine_properties import STEPS, play
from tests.unit.orchestrator.event_log.logged_call import LoggedCall
from tests.unit.toolbox.replay.recorded_calls import TalkingCall, a_call
from toolbox.replay.exact import comparable, first_difference
from toolbox.replay.settings import changed
from toolbox.replay.virtual import replay


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=STEPS,
    speculate=st.booleans(),
    greet=st.booleans(),
    transcripts=st.booleans(),
    stt_ms=st.sampled_from([0.0, 100.0, 1500.0]),
    languages=st.sampled_from([(), ("en", "de")]),
)
def test_any_call_is_decided_again_as_it_was(
    tmp_path: Path,
    steps: list[tuple[str, object]],
    speculate: bool,
    greet: bool,
    transcripts: bool,
    stt_ms: float,
    languages: tuple[str, ...],
) -> None:
    call = LoggedCall(folder=tmp_path, transcripts=transcripts, speculate=speculate, stt_ms=stt_ms, languages=languages)
    call.begin(greet=greet)
    play(call, steps)
    call.end()
    recorded = call.recorded()
    assert first_difference(recorded, changed(recorded.header.settings, ())) is None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, transcripts=st.booleans(), complete_ms=st.sampled_from([100, 220, 900]))
def test_any_call_can_be_replayed_with_other_settings(
    tmp_path: Path, steps: list[tuple[str, object]], transcripts: bool, complete_ms: int
) -> None:
    call = LoggedCall(folder=tmp_path, transcripts=transcripts, speculate=True)
    call.begin()
    play(call, steps)
    call.end()
    recorded = call.recorded()
    _, story = replay(recorded, changed(recorded.header.settings, [f"endpointing.complete_ms={complete_ms}"]))
    assert all(turn.outcome is not None for turn in story.turns.values()), "the call ends, and every turn with it"


@pytest.mark.parametrize("transcripts", [True, False])
def test_other_settings_are_found_to_decide_otherwise(tmp_path: Path, transcripts: bool) -> None:
    recorded = a_call(tmp_path, transcripts=transcripts)
    assert first_difference(recorded, EngineSettings()) is None
    difference = first_difference(recorded, changed(recorded.header.settings, ["endpointing.finalize_after_ms=60"]))
    assert difference is not None
    assert any(isinstance(action, Finalize) for action in difference.replayed)
    assert difference.recorded == ()


def test_other_words_are_a_difference_even_as_stand_ins(tmp_path: Path) -> None:
    recorded = a_call(tmp_path)
    for index, entry in enumerate(recorded.entries):
        for action in entry.actions:
            if isinstance(action, StartReply):
                other = dataclasses.replace(action, text="w998w w999w w1000w w1001w")
                recorded.entries[index] = Entry(entry.event, (other,))
    assert first_difference(recorded, EngineSettings()) is not None


def test_nothing_is_compared_where_the_log_cannot_tell(tmp_path: Path) -> None:
    recorded = a_call(tmp_path)
    everything = len(recorded.entries)
    assert comparable(recorded) == everything
    recorded.dropped[300] = 2
    assert comparable(recorded) == 300
    entry = recorded.entries[200]
    recorded.entries[200] = Entry(entry.event, (*entry.actions, SwitchLanguage("de")))
    assert comparable(recorded) == 201, "the new language's cues know nothing of stand-ins"


@pytest.mark.parametrize("transcripts", [True, False])
def test_an_echo_of_the_agents_words_is_one_again(tmp_path: Path, transcripts: bool) -> None:
    call = TalkingCall(folder=tmp_path, transcripts=transcripts, hears="tell me a story")
    call.begin()
    call.ask()
    call.brain_answers()
    playout = call.engine.ids.playout
    call.tell(PlayoutStarted(call.now_ms, playout, coming="once upon a time there was a cat"))
    call.silence(1500)
    call.tell(PlayoutProgress(call.now_ms, playout, 1500.0, said="once upon a time", coming="there was a cat who"))
    call.hears = "upon a time there was"
    call.speech(512)
    call.partial("upon a time")
    call.speech(512)
    call.partial("upon a time there was")
    call.silence(800)
    assert 1 not in call.outcomes(), "it does not interrupt"
    call.end()
    recorded = call.recorded()
    assert first_difference(recorded, EngineSettings()) is None
