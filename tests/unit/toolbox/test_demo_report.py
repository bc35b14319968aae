"""What the demo makes of a call log, and when it counts the call a failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolbox.demo.live import CallLogReader
from toolbox.demo.report import filler_lead_ms, resumptions, shortcomings, turns_of
from toolbox.demo.scenario import Line


def said(turn_id: int, speaker: str, text: str, playout_id: int = 0) -> dict[str, Any]:
    return {"kind": "transcript", "turn_id": turn_id, "speaker": speaker, "text": text, "playout_id": playout_id}


def playing(turn_id: int, playout_id: int, what: str, t_ms: float = 0.0) -> dict[str, Any]:
    return {"kind": "playout", "turn_id": turn_id, "playout_id": playout_id, "what": what, "t_ms": t_ms}


def ended(turn_id: int, outcome: str) -> dict[str, Any]:
    return {
        "kind": "turn",
        "turn_id": turn_id,
        "state": "ended",
        "outcome": outcome,
        "timings_ms": {"eos": 0.0},
        "speculation": "hit",
        "heard_length": 9,
        "said_length": 9,
    }


WEATHER = [
    said(1, "caller", "what is the weather"),
    playing(1, 2, "filler", 1000.0),
    said(1, "agent", "One moment.", 2),
    playing(1, 3, "reply", 2070.5),
    said(1, "agent", "It is fine.", 3),
    ended(1, "completed"),
]
STORY = [
    said(2, "caller", "tell me a story"),
    playing(2, 4, "reply"),
    said(2, "agent", "Once upon a time", 4),
    ended(3, "discarded"),  # the sign of listening
    playing(2, 5, "resumed_tail"),
    ended(2, "interrupted"),
    said(4, "caller", "stop please"),
    playing(4, 6, "reply"),
    said(4, "agent", "Okay.", 6),
    ended(4, "completed"),
]
LINES = [
    Line("what is the weather", "weather"),
    Line("tell me a story", "story"),
    Line("uh-huh", interrupts_after_s=3.0, listening=True),
    Line("stop please", "stop", interrupts_after_s=4.0),
]
INTENTS = ["weather", "story", "stop"]


def test_a_filler_stands_beside_the_reply_and_is_no_part_of_it() -> None:
    (turn,) = turns_of(WEATHER)
    assert (turn.filler, turn.said) == ("One moment.", "It is fine.")
    assert filler_lead_ms(turn, WEATHER) == 1070.5


def test_a_turn_without_a_filler_has_no_lead() -> None:
    turn = turns_of(STORY)[0]
    assert filler_lead_ms(turn, STORY) is None


def test_a_call_on_which_all_went_well_has_no_shortcomings() -> None:
    log = WEATHER + STORY
    assert shortcomings(LINES, INTENTS, turns_of(log), resumed=resumptions(log)) == []


def test_a_sign_of_listening_after_which_the_agent_did_not_go_on_is_a_shortcoming() -> None:
    log = [entry for entry in WEATHER + STORY if entry.get("what") != "resumed_tail"]
    (problem,) = shortcomings(LINES, INTENTS, turns_of(log), resumed=resumptions(log))
    assert "uh-huh" in problem


def test_an_interruption_that_the_agent_talked_through_is_a_shortcoming() -> None:
    log = [{**entry, "outcome": "completed"} if entry.get("outcome") == "interrupted" else entry for entry in STORY]
    (problem,) = shortcomings(LINES[1:], INTENTS[1:], turns_of(log), resumed=resumptions(log))
    assert "should have interrupted" in problem


def test_logs_of_earlier_calls_in_the_folder_are_not_taken_for_this_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"kind": "end"}\n', encoding="utf-8")
    reader = CallLogReader(tmp_path, coming=True)
    assert reader.read() == []
    (tmp_path / "0.jsonl").write_text('{"kind": "start"}\n', encoding="utf-8")
    assert reader.read() == [{"kind": "start"}]
