"""Log lines: their ids, their form, and that nobody's slowness stops the loop."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from servicekit import logs
from servicekit.logs import LogSettings, bind_call, configure, get_logger
from servicekit.logs.sink import LineSink
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configured, options = structlog.is_configured(), structlog.get_config()
    yield
    for handler in root.handlers:
        if isinstance(handler, LineSink):
            handler.close()
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()
    if configured:
        # Loggers that modules took before these tests go on as they were.
        structlog.configure(**options)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    logs.flush()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_event_and_keys() -> None:
    stream = io.StringIO()
    configure("parley-stt", LogSettings(format="json"), stream=stream)
    get_logger("stt_service.slots").info("slot refused", capacity=4)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info", "service": "parley-stt", "event": "slot refused", "logger": "stt_service.slots", "capacity": 4
    }  # fmt: skip


def test_call_turn_and_trace_are_on_every_line_within() -> None:
    stream = io.StringIO()
    configure("parley-stt", LogSettings(format="json"), stream=stream)
    tracer = Telemetry.recording("parley-stt", exporter=InMemorySpanExporter()).tracer
    with bind_call("CA1", 3), tracer.start_as_current_span("turn") as span:
        get_logger("x").info("inside")
        logging.getLogger("foreign").info("inside")
    with bind_call("CA2"):
        get_logger("x").info("call only")
    get_logger("x").info("outside")
    ours, foreign, call_only, outside = lines(stream)
    for line in (ours, foreign):
        assert (line["call_id"], line["turn_id"]) == ("CA1", 3)
        assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert call_only["call_id"] == "CA2"
    assert "turn_id" not in call_only
    assert {"call_id", "trace_id"}.isdisjoint(outside)


@async_test
async def test_a_task_begun_within_a_call_keeps_its_ids() -> None:
    stream = io.StringIO()
    configure("parley-stt", LogSettings(format="json"), stream=stream)

    async def work(go: asyncio.Event) -> None:
        await go.wait()
        get_logger("x").info("later")

    go = asyncio.Event()
    with bind_call("CA1"):
        task = asyncio.create_task(work(go))
        await asyncio.sleep(0)
    go.set()
    await task
    assert lines(stream)[0]["call_id"] == "CA1"


def test_private_parts_never_reach_a_line() -> None:
    stream = io.StringIO()
    configure("parley-stt", LogSettings(format="json"), stream=stream)
    log = get_logger("x")
    log.info("heard %s", "+15005550006", transcript="my wish", caller="+15005550006", token="abc")
    logging.getLogger("foreign").warning("GET /x?token=%s", "abcdefgh")
    try:
        int("+15005550006x")
    except ValueError:
        log.exception("failed")
    logs.flush()
    text = stream.getvalue()
    assert "ValueError: invalid literal" in text
    for private in ("5550006", "my wish", "abcdefgh", '"abc"'):
        assert private not in text


def test_speech_may_be_shown_and_tokens_still_not() -> None:
    stream = io.StringIO()
    configure("parley-stt", LogSettings(format="json", show_private=True), stream=stream)
    get_logger("x").info("heard", transcript="my wish", caller="+15005550006", token="abc")
    (line,) = lines(stream)
    assert (line["transcript"], line["caller"], line["token"]) == ("my wish", "[number]", "[secret]")


@pytest.mark.parametrize("name", ["uvicorn.access", "openai", "httpx", "twilio", "grpc._cython.cygrpc", "websockets.x"])
def test_libraries_that_log_urls_are_heard_from_warnings_on(name: str) -> None:
    stream = io.StringIO()
    configure("parley-gateway", LogSettings(format="json", level="debug"), stream=stream)
    logging.getLogger(name).info("GET https://host/?x")
    logging.getLogger(name).warning("gone")
    assert [line["event"] for line in lines(stream)] == ["gone"]


def test_the_level_holds_for_all() -> None:
    stream = io.StringIO()
    configure("parley-stt", LogSettings(format="json", level="warning"), stream=stream)
    get_logger("x").info("no")
    logging.getLogger("foreign").info("no")
    get_logger("x").warning("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_a_terminal_gets_colours_and_a_pipe_gets_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, pipe = Terminal(), io.StringIO()
    configure("parley-stt", LogSettings(), stream=terminal)
    get_logger("a").info("hello")
    logs.flush()
    assert "\x1b[" in terminal.getvalue()
    configure("parley-stt", LogSettings(), stream=pipe)
    get_logger("b").info("hello")
    assert lines(pipe)[0]["event"] == "hello"


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    configure("parley-stt", LogSettings(), stream=terminal)
    get_logger("a").info("hello", n=1)
    logs.flush()
    assert "\x1b[" not in terminal.getvalue()
    assert "hello" in terminal.getvalue()


def test_a_traceback_shows_no_local_variables() -> None:
    terminal = Terminal()
    configure("parley-stt", LogSettings(), stream=terminal)
    wish = "private-local"
    try:
        _ = 1 // len(wish[:0])
    except ZeroDivisionError:
        get_logger("a").exception("failed")
    logs.flush()
    assert "ZeroDivisionError" in terminal.getvalue()
    assert "private-local" not in terminal.getvalue().replace('wish = "private-local"', "")


def test_before_it_is_configured_a_logger_masks_already(caplog: pytest.LogCaptureFixture) -> None:
    structlog.reset_defaults()
    get_logger("early").warning("hello", token="abcdefgh", transcript="my wish")
    assert "hello" in caplog.text
    assert "abcdefgh" not in caplog.text
    assert "my wish" not in caplog.text


class Stuck(io.StringIO):
    """A pipe that nobody empties, until released."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def write(self, text: str) -> int:
        self.release.wait(30)
        return super().write(text)


def test_a_reader_that_stalls_costs_lines_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servicekit.logs.sink._QUEUED_LINES", 10)
    stuck = Stuck()
    configure("parley-stt", LogSettings(format="json"), stream=stuck)
    log = get_logger("x")
    for n in range(50):
        log.info("line", n=n)
    stuck.release.set()
    logs.flush()
    log.info("after")
    logs.flush()
    text = stuck.getvalue()
    assert "log lines were dropped here" in text
    assert '"after"' in text


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("my wish")


def test_a_line_that_cannot_be_written_says_so_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    configure("parley-stt", LogSettings(format="json"), stream=stream)
    get_logger("x").info("hello", thing=Unprintable())
    (line,) = lines(stream)
    assert line["event"] == "a log line cannot be written: RuntimeError"
    assert "my wish" not in capfd.readouterr().err


def test_a_closed_stream_ends_nothing() -> None:
    stream = io.StringIO()
    configure("parley-stt", LogSettings(format="json"), stream=stream)
    stream.close()
    get_logger("x").info("nobody hears this")
    logs.flush()
