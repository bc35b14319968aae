"""A process from its flags to its exit code, run for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SERVICE = """
import asyncio, time
from servicekit.process import entry
from servicekit.process import Process, StartupError, main
from servicekit.logs import get_logger
from servicekit.server import DrainSettings, GrpcServer, Slots
from servicekit.settings import ListenAddress, SettingsModel

class ExampleSettings(SettingsModel):
    listen: ListenAddress = "127.0.0.1:0"
    capacity: int = 1
    mood: str = "fine"

async def run(process: Process[ExampleSettings]) -> None:
    mood = process.settings.mood
    if mood == "model missing":
        async with asyncio.TaskGroup() as group:
            group.create_task(load())
    if mood == "broken":
        raise RuntimeError("caller +15005550006 was unlucky")
    if mood == "short":
        return
    if mood == "lingering":
        entry._LINGER_S = 0.1
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 600)
        return
    server = GrpcServer(
        listen=process.settings.listen, telemetry=process.telemetry, drain=DrainSettings(), services=[]
    )
    address = await server.start()
    server.set_serving()
    if mood == "orphan":
        async def orphan(): raise ValueError("lost")
        asyncio.ensure_future(orphan())
    process.report_ready(grpc=address)
    await process.stopping.wait()
    if mood == "stubborn":
        get_logger("service").info("holding on")
        await asyncio.Event().wait()
    await server.drain(slots=Slots(process.settings.capacity))

async def load() -> None:
    raise StartupError("the model is not there - run parley models pull")

main(name="parley-stt", section="stt", settings=ExampleSettings, run=run)
"""
HANG_GUARD_S = 60


class Running:
    """One service process and what it says."""

    def __init__(self, script: Path, *flags: str, environ: dict[str, str] | None = None) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        self.process = subprocess.Popen(
            [sys.executable, str(script), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)} | (environ or {}),
        )

    def line_with(self, event: str) -> dict[str, Any]:
        """Read log lines until the one with ``event``."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found: dict[str, Any] = json.loads(line)
            if found["event"] == event:
                return found
        raise AssertionError(f"it ended without saying {event!r}")

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=HANG_GUARD_S)
        return self.process.returncode, out, err


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "example_service.py"
    file.write_text(SERVICE)
    return file


@pytest.fixture
def ready_file(tmp_path: Path) -> Path:
    return tmp_path / "run" / "ready.json"


@pytest.fixture
def running(script: Path, ready_file: Path) -> Iterator[list[Running]]:
    started: list[Running] = []
    yield started
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def wait_for(file: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    deadline = time.monotonic() + HANG_GUARD_S
    while not file.exists():
        assert process.poll() is None, "it ended before it was ready"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def test_it_tells_where_it_listens_drains_on_sigterm_and_leaves_nothing(
    script: Path, ready_file: Path, running: list[Running]
) -> None:
    service = Running(script, "--set", "stt.listen=127.0.0.1:0", "--ready-file", str(ready_file))
    running.append(service)
    ready = wait_for(ready_file, service.process)
    assert (ready["service"], ready["pid"]) == ("parley-stt", service.process.pid)
    port = int(ready["addresses"]["grpc"].removeprefix("127.0.0.1:"))
    assert port > 0
    assert service.line_with("ready")["grpc_address"] == f"127.0.0.1:{port}"
    service.process.send_signal(signal.SIGTERM)
    assert service.line_with("stopping")["signal"] == "SIGTERM"
    assert service.line_with("drained")["service"] == "parley-stt"
    code, _, _ = service.end()
    assert code == 0
    assert not ready_file.exists()
    assert list(ready_file.parent.iterdir()) == []


def test_ctrl_c_ends_it_as_well(script: Path, ready_file: Path, running: list[Running]) -> None:
    service = Running(script, "--ready-file", str(ready_file))
    running.append(service)
    wait_for(ready_file, service.process)
    service.process.send_signal(signal.SIGINT)
    assert service.end()[0] == 0


def test_a_second_signal_ends_it_at_once(script: Path, running: list[Running]) -> None:
    service = Running(script, "--set", "stt.mood=stubborn")
    running.append(service)
    service.line_with("ready")
    service.process.send_signal(signal.SIGTERM)
    service.line_with("holding on")
    service.process.send_signal(signal.SIGTERM)
    code, _, err = service.end()
    assert code == 128 + signal.SIGTERM
    assert "leaving at once" in err


def test_wrong_settings_end_it_with_every_name_and_code_two(script: Path) -> None:
    service = Running(script, "--set", "stt.lisen=x", "--set", "stt.capacity=many", environ={"PARLEY_LOGS__LEVEL": "x"})
    code, out, err = service.end()
    assert code == 2
    assert out == ""
    assert "parley-stt: 3 problems in the settings" in err
    for name in ("stt.lisen", "stt.capacity", "logs.level"):
        assert f"  {name}: " in err
    assert "Traceback" not in err


def test_check_reads_the_settings_and_starts_nothing(script: Path, tmp_path: Path) -> None:
    config = tmp_path / "parley.toml"
    config.write_text("[stt]\nmood = 'broken'\n[gateway]\nx = 1\n")
    code, out, _ = Running(script, "--config", str(config), "--check").end()
    assert (code, out) == (0, "parley-stt: the settings are valid\n")
    config.write_text("[stt]\nmod = 'broken'\n")
    assert Running(script, "--config", str(config), "--check").end()[0] == 2


def test_a_startup_error_is_one_clear_line(script: Path) -> None:
    code, _, err = Running(script, "--set", "stt.mood=model missing").end()
    assert code == 1
    (line,) = err.splitlines()
    said = json.loads(line)
    assert said["event"] == "cannot start"
    assert said["reason"] == "the model is not there - run parley models pull"


def test_a_port_that_is_taken_names_its_setting(script: Path, running: list[Running]) -> None:
    first = Running(script)
    running.append(first)
    address = first.line_with("ready")["grpc_address"]
    code, _, err = Running(script, "--set", f"stt.listen={address}").end()
    assert code == 1
    (line,) = err.splitlines()
    assert "change stt.listen" in json.loads(line)["reason"]


def test_an_unexpected_exception_is_one_line_with_its_traceback_and_no_number(script: Path) -> None:
    code, _, err = Running(script, "--set", "stt.mood=broken").end()
    assert code == 1
    (line,) = err.splitlines()
    said = json.loads(line)
    assert said["event"] == "failed unexpectedly"
    assert "RuntimeError: caller [number] was unlucky" in said["exception"]


def test_what_a_lost_task_raised_is_logged(script: Path, running: list[Running]) -> None:
    service = Running(script, "--set", "stt.mood=orphan")
    running.append(service)
    # Read line by line: what was read ahead would be lost to `end`.
    assert "ValueError: lost" in service.line_with("unhandled in the event loop")["exception"]


def test_a_service_that_returns_has_ended_well(script: Path) -> None:
    assert Running(script, "--set", "stt.mood=short").end()[0] == 0


def test_a_thread_that_does_not_end_is_left_behind(script: Path) -> None:
    code, _, err = Running(script, "--set", "stt.mood=lingering").end()
    assert code == 0
    assert "leaving without them" in err


def test_a_dead_collector_delays_neither_start_nor_end(script: Path, running: list[Running]) -> None:
    telemetry = {f"PARLEY_TELEMETRY__{signal}_ENDPOINT": "127.0.0.1:1" for signal in ("TRACES", "METRICS")}
    service = Running(script, environ=telemetry)
    running.append(service)
    service.line_with("ready")
    service.process.send_signal(signal.SIGTERM)
    assert service.end()[0] == 0


def test_the_version_is_told(script: Path) -> None:
    code, out, _ = Running(script, "--version").end()
    assert code == 0
    assert out.startswith("parley-stt ")
