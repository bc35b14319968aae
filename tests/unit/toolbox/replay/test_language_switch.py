"""Replaying a call that went on in another language: what is decided behind the switch is decided by its words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.engine import Outcome, SwitchLanguage
from orchestrator.event_log import RecordedCall
from tests.unit.toolbox.replay.recorded_calls import TalkingCall
from toolbox.replay.command import app
from toolbox.replay.exact import comparable, first_difference
from toolbox.replay.run import replay_one
from toolbox.replay.settings import changed


def a_call_that_becomes_german(folder: Path, *, transcripts: bool) -> RecordedCall:
    """A question in English, two in German, a thinking pause behind "und", an interruption with "halt"."""
    call = TalkingCall(folder=folder, transcripts=transcripts, stt_ms=80, languages=("en", "de"))
    call.begin()
    for language, words in (
        ("en", "what time is it"),
        ("en", "what day is it"),
        ("de", "wie spät ist es"),
        ("de", "welcher tag ist heute"),
    ):
        call.language, call.hears = language, words
        call.speech(960)
        call.silence(416)
        call.brain_answers()
        call.plays(1200)
        call.playout_ends()
        call.silence(704)
    call.hears = "ich hätte gern einen tisch und"
    call.speech(960)
    call.silence(896)
    call.hears = "ich hätte gern einen tisch und zwei stühle"
    call.speech(640)
    call.silence(416)
    call.brain_answers()
    call.plays(1500)
    call.hears = "halt"
    call.speech(512)
    call.partial("halt")
    call.silence(512)
    call.brain_answers()
    call.plays(900)
    call.playout_ends()
    call.silence(896)
    call.end()
    return call.recorded()


def switched_at(recorded: RecordedCall) -> int:
    """The entry that moved the call to German."""
    return next(
        index
        for index, entry in enumerate(recorded.entries)
        if any(isinstance(action, SwitchLanguage) for action in entry.actions)
    )


def test_a_replay_goes_on_past_the_switch_and_decides_as_the_call_did(tmp_path: Path) -> None:
    recorded = a_call_that_becomes_german(tmp_path, transcripts=True)
    assert switched_at(recorded) < len(recorded.entries) - 300
    assert comparable(recorded) == len(recorded.entries)
    assert first_difference(recorded, changed(recorded.header.settings, ())) is None
    outcomes = [turn.outcome for turn in replay_one(recorded, ()).recorded.turns.values()]
    # Neither the pause behind "und" nor the word "halt" means anything to English cues.
    assert outcomes == [*[Outcome.COMPLETED] * 4, Outcome.INTERRUPTED, Outcome.COMPLETED]


def test_the_decisions_behind_the_switch_hang_on_it(tmp_path: Path) -> None:
    recorded = a_call_that_becomes_german(tmp_path, transcripts=True)
    at, same = switched_at(recorded), changed(recorded.header.settings, ())
    english = dataclasses.replace(recorded, header=dataclasses.replace(recorded.header, languages=("en",)))
    difference = first_difference(english, same)
    assert difference is not None
    assert difference.index == at
    # The switch itself left out, what was said in German behind it is decided otherwise.
    entry = recorded.entries[at]
    stays = tuple(action for action in entry.actions if not isinstance(action, SwitchLanguage))
    english.entries[at] = dataclasses.replace(entry, actions=stays)
    difference = first_difference(english, same)
    assert difference is not None
    assert difference.index > at


def test_other_settings_are_tried_on_what_was_said_in_the_new_language(tmp_path: Path) -> None:
    recorded = a_call_that_becomes_german(tmp_path, transcripts=True)
    table = replay_one(recorded, ["endpointing.unfinished_ms=500"]).changes[4]
    assert table.recorded is not None
    assert table.replayed is not None
    assert table.recorded.outcome is Outcome.INTERRUPTED
    # "und" is taken for unfinished: 500 ms, where English cues would have waited for 220.
    assert (table.replayed.endpoint_ms, table.replayed.outcome) == (500.0, Outcome.DISCARDED)


def test_without_transcripts_nothing_is_claimed_behind_the_switch(tmp_path: Path) -> None:
    recorded = a_call_that_becomes_german(tmp_path, transcripts=False)
    at = switched_at(recorded)
    assert comparable(recorded) == at + 1
    assert first_difference(recorded, changed(recorded.header.settings, ())) is None
    told = replay_one(recorded, ["endpointing.complete_ms=600"]).as_json()
    assert told["compared"] == at + 1
    assert told["same_decisions"]


@pytest.mark.parametrize("transcripts", [True, False])
def test_the_command_says_how_far_it_compared(tmp_path: Path, transcripts: bool) -> None:
    recorded = a_call_that_becomes_german(tmp_path, transcripts=transcripts)
    result = CliRunner().invoke(app, [str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    (call,) = json.loads(result.stdout)["calls"]
    assert call["compared"] == (len(recorded.entries) if transcripts else switched_at(recorded) + 1)
    assert call["events"] == len(recorded.entries)
