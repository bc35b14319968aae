"""`parley replay`: reports, files and exit codes."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from orchestrator.event_log import RecordedCall
from tests.unit.toolbox.replay.recorded_calls import a_call
from toolbox.replay.command import app

runner = CliRunner()
SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """Collects what a page would load, and that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def charts_of(page: Path) -> list[ElementTree.Element]:
    text = page.read_text(encoding="utf-8")
    parsed = Page()
    parsed.feed(text)
    assert parsed.open == []
    assert parsed.loads == [], "the page loads nothing"
    assert "<script" not in text
    parts = text.split("<svg")[1:]
    return [ElementTree.fromstring("<svg" + part.split("</svg>")[0] + "</svg>") for part in parts]


def titles_of(chart: ElementTree.Element) -> str:
    return "\n".join(title.text or "" for title in chart.iter(f"{SVG}title"))


@pytest.fixture
def recorded(tmp_path: Path) -> RecordedCall:
    return a_call(tmp_path / "logs")


def test_a_replay_without_changes_says_that_all_is_as_it_was(recorded: RecordedCall) -> None:
    done = runner.invoke(app, [str(recorded.path)])
    assert done.exit_code == 0, done.output
    assert "lead to the recorded decisions" in done.output


def test_json_is_one_object_with_what_every_report_has(recorded: RecordedCall) -> None:
    done = runner.invoke(app, [str(recorded.path.parent), "--set", "endpointing.complete_ms=600", "--json"])
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert set(report) >= {"parley", "machine", "settings", "started", "seconds", "changed", "calls"}
    assert report["changed"] == {"endpointing.complete_ms": {"recorded": 220.0, "replayed": 600.0}}
    (call,) = report["calls"]
    assert call["same_decisions"]
    assert call["first_difference"] is None
    assert call["model"]["same_outcome"] == call["model"]["turns"]
    assert call["turns"][0]["commit_delta_ms"] > 100
    assert set(call["turns"][0]) >= {"recorded", "replayed", "differs", "certainty", "notes"}


def test_a_person_reads_what_would_differ_and_what_the_estimate_is_worth(recorded: RecordedCall) -> None:
    done = runner.invoke(app, [str(recorded.path), "--set", "endpointing.complete_ms=600"], env={"COLUMNS": "200"})
    assert "220 → 600" in done.output
    assert "What the estimate is worth" in done.output
    assert "callers cut off" in done.output


def test_the_timeline_shows_speech_understanding_decisions_playback_and_turns(
    recorded: RecordedCall, tmp_path: Path
) -> None:
    page = tmp_path / "drawn" / "call.html"
    done = runner.invoke(app, [str(recorded.path), "--timeline", str(page)])
    assert done.exit_code == 0, done.output
    (chart,) = charts_of(page)
    titles = titles_of(chart)
    for shown in ("probability of speech", "final at", "Finalize at", "CommitReply at", "playout 1: greeting"):
        assert shown in titles
    assert "turn 5: interrupted" in titles
    assert "paused at" in titles
    assert "goes on with turn 2" in titles


def test_a_timeline_with_changes_shows_both_on_one_page(recorded: RecordedCall, tmp_path: Path) -> None:
    page = tmp_path / "call.html"
    runner.invoke(app, [str(recorded.path), "--timeline", str(page), "--set", "endpointing.complete_ms=600"])
    before, after = charts_of(page)
    assert before.get("width") == after.get("width")
    assert "uncertain:" in titles_of(after)


def test_what_was_said_is_drawn_only_where_the_log_holds_it(tmp_path: Path) -> None:
    for transcripts in (True, False):
        recorded = a_call(tmp_path / str(transcripts), transcripts=transcripts)
        page = tmp_path / f"{transcripts}.html"
        runner.invoke(app, [str(recorded.path), "--timeline", str(page)])
        assert ("tell me a story" in page.read_text(encoding="utf-8")) is transcripts


def test_several_logs_are_drawn_into_files_beside_one_another(tmp_path: Path) -> None:
    for _ in range(2):
        a_call(tmp_path / "logs")
    done = runner.invoke(app, [str(tmp_path / "logs"), "--timeline", str(tmp_path / "call.html")])
    assert done.exit_code == 0
    assert len(list(tmp_path.glob("call-*.html"))) == 2


def test_a_version_that_decides_otherwise_is_told_by_the_exit_code(recorded: RecordedCall) -> None:
    lines = recorded.path.read_text(encoding="utf-8").split("\n")
    header = json.loads(lines[0])
    header["settings"]["endpointing"]["finalize_after_ms"] = 60.0
    recorded.path.write_text("\n".join([json.dumps(header), *lines[1:]]), encoding="utf-8")
    done = runner.invoke(app, [str(recorded.path)], env={"COLUMNS": "300"})
    assert done.exit_code == 1
    assert "decides otherwise" in done.output
    assert "Finalize" in done.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "endpointing.complet_ms=1"], "did you mean 'complete_ms'"),
        (["--set", "tts.speed=2"], "orchestrator.tts.speed"),
    ],
)
def test_mistakes_are_named(recorded: RecordedCall, arguments: list[str], told: str) -> None:
    done = runner.invoke(app, [str(recorded.path), *arguments])
    assert done.exit_code == 2
    assert told in done.stderr


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no event log in this folder" in runner.invoke(app, [str(tmp_path / "empty")]).stderr
    (tmp_path / "other").write_text('{"hello": 1}')
    done = runner.invoke(app, [str(tmp_path / "other")])
    assert done.exit_code == 2
    assert "no event log" in done.stderr
