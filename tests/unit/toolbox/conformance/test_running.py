"""What the kit does around its cases: spans seen or missed, servers that die, reports that programs read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from xml.etree import ElementTree

from servicekit.settings import TelemetrySettings
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.fakes.conformance_stt import FakeSpeechToText, fake_stt
from tests.unit.toolbox.conformance.examining import PATIENCE, found
from toolbox.conformance import BrokenError, Report, Result, SkipError, Target, case, run_cases
from toolbox.conformance.stt import CASES, SttPeer
from toolbox.otlp import OtlpCollector
from toolbox.serve import elsewhere

TRACE = [one for one in CASES if one.name == "trace-context"]


async def traced(telemetry: Telemetry, collector: OtlpCollector, spans_s: float) -> Result:
    async with fake_stt(FakeSpeechToText(), telemetry) as address:
        target = Target(address, collector=collector, patience=replace(PATIENCE, spans_s=spans_s))
        (result,) = await run_cases(target, TRACE, SttPeer, lambda _: None)
        return result


@async_test
async def test_a_server_whose_spans_follow_the_callers_is_seen_to() -> None:
    async with OtlpCollector() as collector:
        telemetry = Telemetry.start("parley-stt", TelemetrySettings(traces_endpoint=collector.endpoint))
        result = await traced(telemetry, collector, spans_s=30.0)
        await asyncio.to_thread(telemetry.shutdown)
    assert (result.result, result.detail) == ("passed", "1 span(s) below ours")


@async_test
async def test_a_server_whose_spans_do_not_come_fails() -> None:
    async with OtlpCollector() as collector:
        result = await traced(Telemetry("parley-stt"), collector, spans_s=0.1)
    assert result.result == "failed"
    assert "a span whose parent is ours" in result.detail


@case("Nothing", "says so")
async def kills_it(peer: SttPeer) -> str | None:
    assert peer.target.drain is not None
    peer.target.drain()
    raise BrokenError("a server that lives", "its end")


@case("Nothing", "says so")
async def never_ends(peer: SttPeer) -> str | None:
    await asyncio.Event().wait()
    return None


@case("Nothing", "says so")
async def cannot_be_asked(peer: SttPeer) -> str | None:
    raise SkipError("nobody knows")


@async_test
async def test_a_server_that_dies_fails_one_case_and_skips_the_rest() -> None:
    servicer = FakeSpeechToText()
    told: list[Result] = []
    async with fake_stt(servicer) as address:
        drained: list[asyncio.Task[None]] = []
        target = Target(
            address,
            drain=lambda: drained.append(asyncio.create_task(servicer.server.grpc.stop(0))),
            patience=PATIENCE,
        )
        results = await run_cases(target, [kills_it, *TRACE, cannot_be_asked], SttPeer, told.append)
        await asyncio.gather(*drained)
    assert [result.result for result in results] == ["failed", "skipped", "skipped"]
    assert "came its end; then" in results[0].detail
    assert address in results[1].detail
    assert told == results


@async_test
async def test_a_case_without_end_is_ended() -> None:
    async with fake_stt(FakeSpeechToText()) as address:
        patience = replace(PATIENCE, step_s=0.05)
        (result,) = await run_cases(Target(address, patience=patience), [never_ends], SttPeer, lambda _: None)
    assert result.result == "failed"
    assert "came no end" in result.detail


def test_a_report_counts_and_its_junit_holds_whatever_a_server_said() -> None:
    results = [
        Result("good", "passed", "3 ms", "A.b", "a sentence", warnings=("mind \x1b[31m this",)),
        Result("bad", "failed", "expected <ready>; came \x00 & “no”", "A.b", "a sentence"),
        Result("unknown", "skipped", "cannot be asked", "A.b", "a sentence"),
    ]
    report = Report("here:1", "parley.stt.v1", results)
    said = report.as_json()
    assert not report.ok
    assert (said["target"], said["passed"], said["failed"], said["skipped"]) == ("here:1", 1, 1, 1)
    assert [set(one) >= {"name", "result", "detail"} for one in said["cases"]] == [True] * 3
    suite = ElementTree.fromstring(report.as_junit())
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    failure = suite.find("testcase[@name='bad']/failure")
    assert failure is not None
    assert failure.text == "A.b: “a sentence”"
    assert "<ready>" in failure.get("message", "")
    assert found(results, "failed").keys() == {"bad"}


def test_a_target_of_ones_own_leaves_that_service_out_unless_it_is_where_ours_listens() -> None:
    assert elsewhere(["orchestrator.stt.target=there:1", "tts.voice=en"]) == {"stt": "there:1"}
    assert elsewhere(["orchestrator.tts.target=here:1", "tts.listen=here:1"]) == {}
    assert elsewhere([]) == {}
