"""The command line: instant help, one JSON object, errors that name what is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "TWILIO_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join((str(_ROOT), str(_ROOT / "protos"))), "COLUMNS": "120"}


def parley(*arguments: str, cwd: Path, check: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "toolbox.cli", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=check,
        timeout=100,
    )


def test_the_overview_names_every_command_without_loading_what_they_need(tmp_path: Path) -> None:
    program = """
import sys
from toolbox.cli import app
try:
    app(["--help"])
except SystemExit:
    pass
heavy = {"grpc", "httpx", "numpy", "uvicorn", "starlette", "opentelemetry", "psutil", "twilio"} & set(sys.modules)
print("loaded:", sorted(heavy))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    for command in ("demo", "serve", "call", "bench", "replay", "models", "version"):
        assert f" {command} " in done.stdout
    assert "loaded: []" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["serve"],
        ["call"],
        ["bench"],
        ["bench", "load"],
        ["bench", "serve"],
        ["bench", "turn-taking"],
        ["conformance"],
        ["conformance", "stt"],
        ["conformance", "tts"],
        ["replay"],
        ["models"],
        ["models", "list"],
        ["models", "pull"],
        ["models", "verify"],
        ["version"],
    ],
)
def test_every_command_explains_itself(command: list[str], tmp_path: Path) -> None:
    done = parley(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    assert "\x1b" not in done.stdout


def test_an_unknown_command_is_refused(tmp_path: Path) -> None:
    done = parley("dance", cwd=tmp_path)
    assert done.returncode == 2
    assert "dance" in done.stderr


def test_json_is_exactly_one_object_on_standard_output(tmp_path: Path) -> None:
    done = parley("version", "--json", cwd=tmp_path, check=True)
    assert set(json.loads(done.stdout)) >= {"parley", "python"}
    assert done.stdout.count("\n") == 1


def test_serve_shows_a_wrong_setting_by_name_and_leaves_with_its_status(tmp_path: Path) -> None:
    done = parley("serve", "--set", "stt.listne=x", cwd=tmp_path)
    assert done.returncode == 2
    assert "stt.listne" in done.stderr
    assert "Parley is running" not in done.stderr


def test_serve_refuses_to_leave_out_what_it_does_not_know(tmp_path: Path) -> None:
    done = parley("serve", "--without", "kitchen", cwd=tmp_path)
    assert done.returncode == 2
    assert "kitchen" in done.stderr


def test_call_says_what_it_needs(tmp_path: Path) -> None:
    done = parley("call", cwd=tmp_path)
    assert done.returncode == 2
    assert "--url" in done.stderr
    assert "--auth-token" in done.stderr


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send on Windows")
def test_serve_runs_the_services_until_one_ctrl_c(tmp_path: Path) -> None:
    ports = [f"--set={name}.listen=127.0.0.1:0" for name in ("stt", "tts", "orchestrator", "gateway")]
    errors = tmp_path / "stderr"
    with errors.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "toolbox.cli", "serve", *ports],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        patience = time.monotonic() + 90
        while "Ctrl-C stops all" not in errors.read_text(encoding="utf-8"):
            assert process.poll() is None, errors.read_text(encoding="utf-8")
            assert time.monotonic() < patience, errors.read_text(encoding="utf-8")
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        log, _ = process.communicate(timeout=90)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    for name in ("stt", "tts", "orchestrator", "gateway"):
        said = [line for line in log.splitlines() if line.startswith(f"{name:<12} │ ")]
        assert said[-1].endswith(" stopped"), said
