"""Every voice of ours, as a process, keeps the contract: all cases pass, and its spans follow the caller's."""

from __future__ import annotations

import signal
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.asyncs import async_test
from tests.fakes.speech_servers import FakeSpeechServer
from tests.models.kokoro import build_kokoro
from tests.models.piper import build_piper
from toolbox.conformance import Patience, Result, Target, run_cases
from toolbox.conformance.tts import CASES, TtsPeer
from toolbox.otlp import OtlpCollector
from toolbox.serve import ServiceGroup, ServiceSpec

pytestmark = pytest.mark.process


# What depends on an engine rather than on the service around it, which the embedded voice shows in full: a neural voice
# on a CPU takes a minute for the whole kit.
OF_AN_ENGINE = {
    "plain-reply",
    "segments-in-order",
    "flush-speaks",
    "empty-text",
    "alignments-lie-within",
    "ten-thousand-characters",
    "one-character-at-a-time",
    "control-characters",
    "trace-context",
    "cancel-frees-the-slot",
    "capacity-is-exact",
    "slow-reader",
    "order-throughout",
    "health-while-draining",
}


async def require_green(
    module: str, *settings: str, arguments: tuple[str, ...] = (), only: Collection[str] = ()
) -> None:
    """Start a service, run the cases against it, and let the last one drain it: all pass, none is skipped."""
    cases = [case for case in CASES if not only or case.name in only]
    async with OtlpCollector() as collector:
        own = ("tts.listen=127.0.0.1:0", f"telemetry.traces_endpoint={collector.endpoint}", *settings)
        async with ServiceGroup([ServiceSpec("tts", module, arguments, own)], restart=None) as group:
            target = Target(
                group.address("tts"),
                pid=group.pid("tts"),
                drain=lambda: group.send("tts", signal.SIGTERM),
                collector=collector,
                patience=Patience(step_s=30.0, slot_s=20.0, stall_s=0.3),
            )
            results: list[Result] = await run_cases(target, cases, TtsPeer, lambda result: None)
    assert not {one.name: one.detail for one in results if one.result != "passed"}
    details = {one.name: one.detail for one in results}
    assert details["trace-context"].endswith("below ours")
    assert details["health-while-draining"] == "new RPCs got UNAVAILABLE DRAINING"


@async_test
async def test_the_embedded_voice_keeps_the_contract() -> None:
    await require_green("tts_service", "tts.engine=espeak", "tts.capacity=8")


@pytest.mark.heavy
@async_test
async def test_kokoro_keeps_the_contract(tmp_path: Path) -> None:
    files = build_kokoro(tmp_path, ("af_heart",), brisk=True)
    where = (f"tts.kokoro.model={files.model}", f"tts.kokoro.config={files.config}")
    more = (f"tts.kokoro.voices={files.voices}", "tts.kokoro.device=cpu", "tts.capacity=2")
    await require_green("tts_service", *where, *more, only=OF_AN_ENGINE)


@async_test
async def test_a_speech_server_keeps_the_contract() -> None:
    async with FakeSpeechServer() as server:
        where = f"tts.openai.base_url={server.root}"
        # It sends no alignments, and says so.
        only = OF_AN_ENGINE - {"alignments-lie-within"}
        await require_green("tts_service", "tts.engine=openai", where, "tts.capacity=4", only=only)


@pytest.mark.heavy
@async_test
async def test_piper_keeps_the_contract(tmp_path: Path) -> None:
    where = f"tts.piper.voices={build_piper(tmp_path)}"
    await require_green("tts_service", "tts.engine=piper", where, "tts.capacity=4", only=OF_AN_ENGINE)


@async_test
async def test_the_instant_voice_keeps_the_contract() -> None:
    await require_green("toolbox.instant", "tts.capacity=8", arguments=("tts",))
