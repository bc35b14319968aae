"""Several logs read as one."""

from __future__ import annotations

import io
import json

from toolbox.serve.merged_log import MergedLog, readable

_LINE = json.dumps(
    {
        "timestamp": "2026-11-23T21:00:00.123456Z",
        "level": "warning",
        "service": "parley-stt",
        "event": "slow",
        "ms": 3.5,
    }
)


def test_a_json_line_becomes_a_sentence_with_its_facts() -> None:
    assert readable(_LINE) == "21:00:00.123 WARNING slow ms=3.5"


def test_a_line_of_any_other_kind_is_left_alone() -> None:
    assert readable("Traceback (most recent call last):") == "Traceback (most recent call last):"
    assert readable("{not json") == "{not json"


def test_each_line_bears_its_service_in_a_column() -> None:
    out = io.StringIO()
    log = MergedLog(["stt", "gateway"], out)
    log.line("stt", "hello")
    log.line("gateway", "there")
    assert out.getvalue() == "stt     │ hello\ngateway │ there\n"


def test_colour_is_off_when_nobody_watches_and_on_when_asked() -> None:
    plain, painted = io.StringIO(), io.StringIO()
    MergedLog(["stt"], plain).line("stt", _LINE)
    MergedLog(["stt"], painted, colour=True).line("stt", _LINE)
    assert "\x1b" not in plain.getvalue()
    assert "\x1b[33m" in painted.getvalue()


def test_raw_lines_are_passed_on_untouched() -> None:
    out = io.StringIO()
    MergedLog(["stt"], out, raw=True).line("stt", _LINE)
    assert out.getvalue() == _LINE + "\n"
