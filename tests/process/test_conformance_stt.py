"""Every recogniser of ours, as a process, keeps the contract: all cases pass, and its spans follow the caller's."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.asyncs import async_test
from tests.fakes.transcription_servers import FakeTranscriptionServer
from tests.models.moonshine import build_moonshine
from tests.models.whisper import build_whisper
from toolbox.conformance import Patience, Result, Target, run_cases
from toolbox.conformance.stt import CASES, SttPeer
from toolbox.otlp import OtlpCollector
from toolbox.serve import ServiceGroup, ServiceSpec

pytestmark = pytest.mark.process

NAMES = {case.name for case in CASES}


async def examined(module: str, *settings: str, arguments: tuple[str, ...] = ()) -> dict[str, Result]:
    """Start a service, run all cases against it, and let the last one drain it."""
    async with OtlpCollector() as collector:
        own = ("stt.listen=127.0.0.1:0", f"telemetry.traces_endpoint={collector.endpoint}", *settings)
        async with ServiceGroup([ServiceSpec("stt", module, arguments, own)], restart=None) as group:
            target = Target(
                group.address("stt"),
                pid=group.pid("stt"),
                drain=lambda: group.send("stt", signal.SIGTERM),
                collector=collector,
                patience=Patience(step_s=30.0, stall_s=0.2),
            )
            results = await run_cases(target, CASES, SttPeer, lambda result: None)
    return {result.name: result for result in results}


def require_green(results: dict[str, Result], *, skipped: set[str]) -> None:
    """All passed but those that cannot be asked of this engine, and without a warning."""
    failed = {name: result.detail for name, result in results.items() if result.result == "failed"}
    assert not failed
    assert {name for name, result in results.items() if result.result == "skipped"} == skipped
    assert results["trace-context"].detail.endswith("below ours")
    assert results["health-while-draining"].detail == "new RPCs got UNAVAILABLE DRAINING"


@async_test
async def test_pocketsphinx_keeps_the_contract() -> None:
    results = await examined("stt_service", "stt.engine=pocketsphinx", "stt.capacity=4")
    require_green(results, skipped=set())
    assert not [result.warnings for result in results.values() if result.warnings]


@pytest.mark.heavy
@async_test
async def test_faster_whisper_keeps_the_contract(tmp_path: Path) -> None:
    model = build_whisper(tmp_path / "base")
    # Its weights are random: the gates against inventions would drop most of what it hears.
    gates = ("stt.whisper.log_prob_threshold=-100", "stt.whisper.compression_ratio_threshold=1000")
    settings = (f"stt.whisper.model={model}", "stt.whisper.device=cpu", "stt.capacity=4", "stt.max_utterance_s=60")
    require_green(await examined("stt_service", "stt.engine=faster-whisper", *settings, *gates), skipped=set())


@pytest.mark.heavy
@async_test
async def test_the_embedded_recogniser_keeps_the_contract() -> None:
    results = await examined("stt_service", "stt.engine=embedded", "stt.capacity=4", "stt.max_utterance_s=60")
    require_green(results, skipped=set())
    assert not [result.warnings for result in results.values() if result.warnings]


@pytest.mark.heavy
@async_test
async def test_moonshine_keeps_the_contract(tmp_path: Path) -> None:
    model = build_moonshine(tmp_path / "tiny")
    settings = (f"stt.moonshine.model={model}", "stt.capacity=4", "stt.max_utterance_s=60")
    require_green(await examined("stt_service", "stt.engine=moonshine", *settings), skipped=set())


@async_test
async def test_a_transcription_server_keeps_the_contract() -> None:
    async with FakeTranscriptionServer() as server:
        settings = (f"stt.openai.base_url={server.root}", "stt.capacity=4", "stt.max_utterance_s=60")
        results = await examined("stt_service", "stt.engine=openai", *settings)
    # It has no partials and takes any language, and says so.
    require_green(results, skipped={"stable-text-stays", "other-languages-are-refused"})


@async_test
async def test_the_instant_recogniser_keeps_the_contract() -> None:
    results = await examined("toolbox.instant", "stt.capacity=8", arguments=("stt",))
    require_green(results, skipped={"other-languages-are-refused", "an-utterance-too-long"})
