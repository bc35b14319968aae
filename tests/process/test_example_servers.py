"""The example servers of the documentation: the kit is green on them, and a live call runs on each by one setting."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.asyncs import async_test
from tests.process.recordings import speak
from toolbox.demo.live import CallLogReader
from toolbox.demo.report import turns_of
from toolbox.demo.stage import CALLER, PARLEY, stage
from toolbox.serve import SERVICES, elsewhere

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0
"""A hang guard, never a measure."""
NOT_PROMISED = {"stt": {"stable-text-stays"}, "tts": {"alignments-rise", "alignments-lie-within"}}
"""Cases about what the examples say that they cannot do."""


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "protos")])}


@contextlib.contextmanager
def example(kind: str) -> Iterator[tuple[int, str]]:
    """A running example server; its process id and address."""
    server = str(ROOT / "docs" / "examples" / f"{kind}_server.py")
    process = subprocess.Popen(
        [sys.executable, server, "127.0.0.1:0"], env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        yield process.pid, said.removeprefix("listening on ").strip()
    finally:
        process.terminate()
        try:
            process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@pytest.mark.parametrize("kind", ["stt", "tts"])
def test_the_kit_is_green_on_the_example(kind: str, tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    with example(kind) as (pid, address):
        command = [sys.executable, "-m", "toolbox.cli", "conformance", kind, "--target", address, "--json"]
        more = ["--pid", str(pid), "--drain", "--junit", str(junit)]
        done = subprocess.run([*command, *more], env=environment(), capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("\n") == 1
    assert (report["target"], report["failed"]) == (address, 0)
    cases = {case["name"]: case for case in report["cases"]}
    assert {name for name, case in cases.items() if case["result"] == "skipped"} == NOT_PROMISED[kind]
    assert report["passed"] + report["skipped"] == len(cases)
    assert cases["cancel-frees-the-slot"]["measures"]["slot_free_ms"] >= 0
    suite = ElementTree.parse(junit).getroot()
    assert {case.get("name") for case in suite} == cases.keys()
    assert (suite.get("failures"), suite.get("skipped")) == ("0", str(report["skipped"]))


@async_test
async def test_a_live_call_runs_on_the_examples_by_one_setting_each(tmp_path: Path) -> None:
    with example("stt") as (_, ears), example("tts") as (_, voice):
        settings = [f"orchestrator.stt.target={ears}", f"orchestrator.tts.target={voice}"]
        services = [name for name in SERVICES if name not in elsewhere(settings)]
        assert services == ["orchestrator", "gateway"]
        async with (
            stage(tmp_path, settings=settings, services=services) as house,
            house.phone.call(to=PARLEY, from_=CALLER) as call,
            asyncio.timeout(PATIENCE_S),
        ):
            await call.hears()
            await call.hears_silence(0.7)
            spoken = await (await speak(call, "what time is it")).finished()
            await call.hears(after=spoken.speech_ended_at)
            await call.hears_silence(0.7)
    (turn,) = [turn for turn in turns_of(CallLogReader(tmp_path / "calls").read()) if turn.heard]
    assert turn.heard == "what time is it"
    assert turn.outcome == "completed"
    assert turn.heard_length == turn.said_length > 0


def test_nobody_there_is_found_at_once_and_said_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "toolbox.cli", "conformance", "stt", "--target", "127.0.0.1:9", "--json"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert (report["passed"], report["failed"]) == (0, 1)
    assert report["skipped"] == len(report["cases"]) - 1
    assert "127.0.0.1:9" in report["cases"][0]["detail"]
