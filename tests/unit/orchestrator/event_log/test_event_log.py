"""A call's log: complete, private, bounded, and never in the call's way."""

from __future__ import annotations

import dataclasses
import json
import stat
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.engine import (
    CallEnded,
    CallStarted,
    DigitPressed,
    EngineSettings,
    FinalHeard,
    Ids,
    PartialHeard,
    SpeechWindow,
    Tick,
    TurnEngine,
)
from orchestrator.event_log import EventLogError, EventLogs, EventLogSettings, engine_settings_of, read_log
from orchestrator.settings import OrchestratorSettings
from tests.unit.orchestrator.engine.test_engine_properties import STEPS, play
from tests.unit.orchestrator.event_log.logged_call import LoggedCall


def test_nothing_is_written_unless_a_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = threading.active_count()
    logs = EventLogs(EventLogSettings())
    log = logs.open("call-1", EngineSettings(), "en", True)
    log.took(CallStarted(0.0), [])
    log.close()
    logs.close()
    assert log.path is None
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before


def test_a_log_with_transcripts_holds_every_event_and_action_as_it_was(tmp_path: Path) -> None:
    call = LoggedCall(folder=tmp_path, transcripts=True, speculate=True)
    call.begin(greet=True)
    call.ask()
    call.reply_sounds(1500)
    call.playout_ends()
    call.end()
    recorded = call.recorded()
    assert [(entry.event, list(entry.actions)) for entry in recorded.entries] == call.told
    assert (recorded.header.call_id, recorded.header.language, recorded.header.speculate) == ("call-1", "en", True)
    assert recorded.header.settings == engine_settings_of(EngineSettings())
    assert (recorded.end, recorded.dropped) == ("closed", {})


def test_only_the_owner_may_read_a_log(tmp_path: Path) -> None:
    call = LoggedCall(folder=tmp_path / "logs")
    call.begin()
    path = call.recorded().path
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_settings_that_are_written_are_those_of_turn_taking_alone() -> None:
    written = engine_settings_of(OrchestratorSettings.model_validate({"brain": {"api_key": "sesame"}}))
    assert set(written) == set(EngineSettings.model_fields)
    assert "sesame" not in json.dumps(written)


# ------------------------------------------------------------------------------------------------------------- privacy


def test_by_default_no_word_that_was_said_and_no_key_is_in_the_file(tmp_path: Path) -> None:
    call = LoggedCall(folder=tmp_path, hears="my password is Swordfish, you know", speculate=True)
    call.begin()
    call.speech(320)
    call.partial("my password is swordfish")
    call.speech(640)
    call.silence(3000)
    call.reply_sounds(200)
    for digit in "4711#":
        call.tell(DigitPressed(call.now_ms, digit))
    call.wait(3000)
    call.end()
    written = call.recorded().path.read_text(encoding="utf-8").lower()
    assert any("swordfish" in text.lower() for text in call.asked()), "the call is about something"
    for word in ("my", "password", "swordfish", "you know", "4711", "keys pressed"):
        assert f'"{word}' not in written
        assert f"{word} " not in written
    assert "swordfish" not in written
    assert '"digit":"4"' not in written


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.text(st.characters(categories=["L"]), min_size=4, max_size=9), min_size=1, max_size=6))
def test_no_word_of_any_script_is_in_the_file(tmp_path: Path, words: list[str]) -> None:
    named_by_us = {"kind", "text", "actions", "language", "closed", "settings", "probability"}
    call = LoggedCall(folder=tmp_path)
    before = call.recorded().path.read_text(encoding="utf-8")
    call = LoggedCall(folder=tmp_path, hears=" ".join(words))
    call.begin()
    call.ask()
    call.silence(3000)  # some look unfinished
    call.end()
    assert call.asked()
    lines = call.recorded().path.read_text(encoding="utf-8").split("\n")[1:]
    for word in set(words) - named_by_us:
        if word.isascii() and word in before + "".join(_names()):
            continue  # a word of the format itself
        assert word not in "\n".join(lines)


def _names() -> set[str]:
    from orchestrator.event_log.reading import _ACTIONS, _EVENTS

    kinds = {**_EVENTS, **_ACTIONS}
    return (
        set(kinds) | {field.name for kind in kinds.values() for field in dataclasses.fields(kind)} | {"words", "true"}
    )


def test_words_are_numbered_anew_when_the_turns_before_the_last_are_over(tmp_path: Path) -> None:
    call = LoggedCall(folder=tmp_path, hears="yesterday")
    call.begin()
    for _ in range(4):
        call.ask()
        call.reply_sounds(2000)
        call.playout_ends()
        call.silence(640)
    call.end()
    finals = [entry.event for entry in call.recorded().entries if isinstance(entry.event, FinalHeard)]
    numbers = [final.text for final in finals]
    assert len(numbers) == 4
    assert len(set(numbers)) == 2, "one stand-in serves two turns at most"
    assert numbers[0] != numbers[3]


# ---------------------------------------------------------------------------------------------------------- replaying


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, speculate=st.booleans(), greet=st.booleans(), transcripts=st.booleans())
def test_the_decisions_of_any_call_can_be_computed_again(
    tmp_path: Path, steps: list[tuple[str, object]], speculate: bool, greet: bool, transcripts: bool
) -> None:
    call = LoggedCall(folder=tmp_path, transcripts=transcripts, speculate=speculate)
    call.begin(greet=greet)
    play(call, steps)
    call.end()
    recorded = call.recorded()
    engine = TurnEngine(
        EngineSettings.model_validate(recorded.header.settings),
        recorded.cues,
        recorded.header.new_ids(),
        speculate=recorded.header.speculate,
    )
    for entry, (_, actions) in zip(recorded.entries, call.told, strict=True):
        again = engine.handle(entry.event)
        assert [type(action) for action in again] == [type(action) for action in actions]
        if transcripts:
            assert again == actions


def test_a_call_that_was_taken_over_keeps_its_numbers(tmp_path: Path) -> None:
    logs = EventLogs(EventLogSettings(folder=str(tmp_path)))
    ids = Ids(turn=4, candidate=7, playout=9)
    log = logs.open("call-1", EngineSettings(), "en", False, ids)
    ids.turn = 99
    log.took(Tick(1.0), [])
    log.close()
    logs.close()
    assert log.path is not None
    assert read_log(log.path).header.new_ids() == Ids(turn=4, candidate=7, playout=9)


# -------------------------------------------------------------------------------------------------------------- bounds


def test_a_file_ends_when_it_would_grow_too_large(tmp_path: Path) -> None:
    logs = EventLogs(EventLogSettings(folder=str(tmp_path), max_mb=0.01))
    log = logs.open("call-1", EngineSettings(), "en", False)
    for window in range(1000):
        log.took(SpeechWindow(window * 32.0, window * 32.0, 0.5, -20.0), [])
    log.close()
    logs.close()
    assert log.path is not None
    recorded = read_log(log.path)
    assert recorded.end == "full"
    assert 0 < len(recorded.entries) < 1000
    assert log.path.stat().st_size < 11_000


def test_the_oldest_files_make_room_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    logs = EventLogs(EventLogSettings(folder=str(tmp_path), keep_files=2))
    opened = []
    for number in range(4):
        log = logs.open(f"call-{number}", EngineSettings(), "en", False)
        log.took(CallEnded(0.0), [])
        log.close()
        opened.append(log)
    logs.close()
    assert [log.path is not None and log.path.exists() for log in opened] == [False, False, True, True]
    assert (tmp_path / "notes.txt").exists()


def test_events_that_a_slow_disk_cannot_take_are_counted_where_they_are_missing(tmp_path: Path) -> None:
    logs = EventLogs(EventLogSettings(folder=str(tmp_path)), most_waiting=0)
    log = logs.open("call-1", EngineSettings(), "en", False)
    for _ in range(5):
        log.took(Tick(1.0), [])
    log.close()
    logs.close()
    assert log.dropped == 5
    assert log.path is not None
    assert read_log(log.path).dropped == {0: 5}


def test_a_folder_that_cannot_be_written_costs_the_log_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    logs = EventLogs(EventLogSettings(folder=str(tmp_path / "file")))
    log = logs.open("call-1", EngineSettings(), "en", False)
    log.took(CallStarted(0.0), [])
    log.close()
    logs.close()
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_call_id_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    logs = EventLogs(EventLogSettings(folder=str(tmp_path / "logs")))
    log = logs.open("../../etc/passwd", EngineSettings(), "en", False)
    log.close()
    logs.close()
    assert log.path is not None
    assert log.path.parent == tmp_path / "logs"
    assert log.path.exists()


# --------------------------------------------------------------------------------------------------- what is not a log


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def a_header(tmp_path: Path) -> str:
    return LoggedCall(folder=tmp_path / "other").recorded().path.read_text(encoding="utf-8").split("\n")[0]


def test_an_event_of_a_later_version_is_refused_by_naming_both(tmp_path: Path) -> None:
    header = json.loads(a_header(tmp_path)) | {"parley": "9.9"}
    path = written(tmp_path / "log", json.dumps(header), '{"kind":"Telepathy","at_ms":1.0}', "")
    with pytest.raises(EventLogError, match=r"line 2: the kind 'Telepathy' is not known; Parley 9\.9 wrote it"):
        read_log(path)


def test_another_format_and_what_is_no_log_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EventLogError, match=r"format 2 \(written by Parley 9"):
        read_log(written(tmp_path / "a", '{"parley_event_log":2,"parley":"9"}'))
    with pytest.raises(EventLogError, match="no event log"):
        read_log(written(tmp_path / "b", '{"hello":1}'))
    with pytest.raises(EventLogError, match="no JSON"):
        read_log(written(tmp_path / "c", "hello", ""))
    with pytest.raises(EventLogError, match="empty"):
        read_log(written(tmp_path / "d"))
    with pytest.raises(EventLogError, match="cannot be read"):
        read_log(tmp_path / "e")


def test_a_last_line_that_a_dying_process_did_not_finish_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "log", a_header(tmp_path), '{"kind":"Tick","at_ms":1.0}', '{"kind":"Ti')
    recorded = read_log(path)
    assert [entry.event for entry in recorded.entries] == [Tick(1.0)]
    assert recorded.end == ""


def test_partials_with_the_same_words_but_other_cues_are_told_apart(tmp_path: Path) -> None:
    call = LoggedCall(folder=tmp_path)
    for text in ("tell me a story", "tell me a story,", "tell me a story"):
        call.tell(PartialHeard(call.now_ms, 1, text))
    recorded = call.recorded()
    texts = [entry.event.text for entry in recorded.entries if isinstance(entry.event, PartialHeard)]
    assert [recorded.cues.looks_unfinished(text) for text in texts] == [False, True, False]
    assert recorded.recorded_cues is not None
    assert recorded.recorded_cues.guessed == 0
