"""The benches run the real gateway and orchestrator, and report what the documentation of reports promises."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.asyncs import async_test
from toolbox.bench import bench_setup
from toolbox.call.placing import CallPlan, Happening, place_call
from toolbox.call.sentences import spoken
from toolbox.serve import is_alive

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

_ROOT = Path(__file__).parents[3]
_SERVICES = {"gateway", "orchestrator", "stt", "tts"}


@async_test
async def test_a_call_by_hand_tells_what_happened_and_leaves_both_sides(tmp_path: Path) -> None:
    happened: list[Happening] = []
    async with bench_setup(calls=1) as setup:
        plan = CallPlan(
            webhook_url=setup.webhook_url,
            account_sid=setup.account_sid,
            auth_token=setup.auth_token,
            from_="+15005550009",
            to=setup.to,
            sentences=(await asyncio.to_thread(spoken, "what time is it", "en"),),
            interrupt_after_s=None,
            patience_s=30,
            wav=tmp_path / "call.wav",
        )
        report = await place_call(plan, happened.append)
    assert report.succeeded, report
    assert [happening.what for happening in happened] == [happening.what for happening in report.happenings]
    assert any("you say: what time is it" in happening.what for happening in happened)
    assert report.wav == str(tmp_path / "call.wav")
    assert (tmp_path / "call.wav").stat().st_size > 100_000


@async_test
async def test_a_call_with_the_wrong_token_is_not_answered(tmp_path: Path) -> None:
    async with bench_setup(calls=1) as setup:
        plan = CallPlan(
            webhook_url=setup.webhook_url,
            account_sid=setup.account_sid,
            auth_token="another",
            from_="+15005550009",
            to=setup.to,
            sentences=(),
            interrupt_after_s=None,
            patience_s=30,
            wav=tmp_path / "call.wav",
        )
        report = await place_call(plan, lambda happening: None)
    assert not report.succeeded
    assert report.notices
    assert not (tmp_path / "call.wav").exists()


def test_bench_serve_tells_how_to_call_it_and_leaves_nothing_behind(tmp_path: Path) -> None:
    paths = os.pathsep.join((str(_ROOT), str(_ROOT / "protos")))
    process = subprocess.Popen(
        [sys.executable, "-m", "toolbox.cli", "bench", "serve", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        assert set(facts) >= {"webhook_url", "auth_token", "account_sid", "to", "pids"}
        assert set(facts["pids"]) >= _SERVICES
        assert all(is_alive(pid) for pid in facts["pids"].values())
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert rest == ""
    assert process.returncode == 0
    assert not any(is_alive(pid) for pid in facts["pids"].values())
