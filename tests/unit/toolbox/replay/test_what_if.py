"""A recorded call under other settings: what would differ, and how sure that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engine import Outcome, Speculation
from orchestrator.event_log import RecordedCall
from servicekit.settings import SettingsError
from tests.unit.toolbox.replay.recorded_calls import a_call
from toolbox.replay.compare import TurnChange, pair, totals
from toolbox.replay.run import replay_one
from toolbox.replay.settings import changed, differences
from toolbox.replay.story import Story, tell
from toolbox.replay.timeline import moments_of
from toolbox.replay.virtual import replay


@pytest.fixture(params=[True, False], ids=["transcripts", "stand-ins"])
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> RecordedCall:
    return a_call(tmp_path, transcripts=request.param)


def story_of(recorded: RecordedCall) -> Story:
    return tell(moments_of(recorded.entries))


def under(recorded: RecordedCall, *assignments: str) -> list[TurnChange]:
    _, replayed = replay(recorded, changed(recorded.header.settings, assignments))
    return pair(story_of(recorded), replayed)


def test_a_story_tells_what_became_of_each_turn(recorded: RecordedCall) -> None:
    story = story_of(recorded)
    assert [turn.outcome for turn in story.turns.values()] == [
        Outcome.COMPLETED,
        Outcome.DISCARDED,
        Outcome.COMPLETED,
        Outcome.DISCARDED,
        Outcome.INTERRUPTED,
        Outcome.COMPLETED,
    ]
    figures = totals(story)
    assert (figures["committed"], figures["cut_offs"], figures["resumed"]) == (5, 1, 1)
    question = story.turns[1]
    assert question.response_ms is not None
    assert question.endpoint_ms is not None
    assert 0 < question.endpoint_ms < question.response_ms


def test_the_same_settings_in_virtual_time_give_the_recorded_turns(recorded: RecordedCall) -> None:
    changes = under(recorded)
    assert [change.what for change in changes] == [""] * 6
    assert all(change.commit_delta_ms in (None, 0.0) for change in changes)


def test_waiting_longer_does_not_cut_the_caller_off(recorded: RecordedCall) -> None:
    question, first_half, second_half, *_ = under(recorded, "endpointing.complete_ms=600", "endpointing.late_ms=900")
    assert question.commit_delta_ms == pytest.approx(380, abs=40)
    assert question.certainty == "known"
    assert question.replayed is not None
    assert question.replayed.speculation is Speculation.HIT, "the early reply has time to pay off"
    assert first_half.replayed is not None
    assert first_half.replayed.outcome is Outcome.COMPLETED
    assert "put together" in " ".join(first_half.replayed.notes)
    assert first_half.certainty == "estimated"
    assert second_half.replayed is None
    assert second_half.what == "is no turn any more"


def test_waiting_less_is_answered_earlier_from_the_recorded_transcript(recorded: RecordedCall) -> None:
    changes = under(recorded, "endpointing.finalize_after_ms=60", "endpointing.complete_ms=150")
    question = changes[0]
    assert question.commit_delta_ms is not None
    assert question.commit_delta_ms < -30
    assert question.certainty == "known", "the recogniser had been asked about the same sound"


def test_a_steadier_agent_is_not_stopped_by_a_sign_of_listening(recorded: RecordedCall) -> None:
    listening = under(recorded, "barge_in.pause_ms=416")[2]
    assert listening.recorded is not None
    assert listening.replayed is not None
    assert (listening.recorded.pauses, listening.replayed.pauses) == (1, 0)
    assert listening.what == "1 → 0 pauses"


def test_without_speculation_every_reply_is_asked_for_after_the_commit(recorded: RecordedCall) -> None:
    changes = under(recorded, "speculation.enabled=false")
    assert all(change.replayed and change.replayed.speculation is Speculation.NONE for change in changes)


def test_a_setting_may_be_named_as_in_the_settings_file_or_without_its_section() -> None:
    recorded = {"endpointing": {"complete_ms": 300.0}}
    short = changed(recorded, ["endpointing.late_ms=900"])
    assert short == changed(recorded, ["orchestrator.endpointing.late_ms=900"])
    assert (short.endpointing.complete_ms, short.endpointing.late_ms) == (300.0, 900.0)
    assert differences(recorded, short)["endpointing.late_ms"] == {"recorded": None, "replayed": 900.0}
    assert "endpointing.complete_ms" not in differences(recorded, short)


def test_mistakes_are_all_named() -> None:
    with pytest.raises(SettingsError) as refused:
        changed({}, ["endpointing.complet_ms=1", "endpointing.late_ms=soon", "endpointing"])
    told = str(refused.value)
    assert "did you mean 'complete_ms'" in told
    assert "orchestrator.endpointing.late_ms" in told
    assert "is no assignment" in told or "endpointing:" in told


def test_settings_that_are_gone_since_are_passed_over() -> None:
    assert changed({"telepathy": {"enabled": True}}, ()).endpointing.cap_ms > 0


def test_a_call_whose_log_lost_events_is_replayed_up_to_there(recorded: RecordedCall) -> None:
    recorded.dropped[300] = 5
    one = replay_one(recorded, ["endpointing.complete_ms=600"])
    told = one.as_json()
    assert (told["compared"], told["dropped"]) == (300, 5)
    assert told["same_decisions"]
    assert told["recorded"]["turns"] < 6
