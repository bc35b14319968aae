"""The kit is green on a server that keeps the contract, and red, in the one right place, on each that breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.asyncs import async_test
from tests.fakes.conformance_tts import FakeTextToSpeech, fake_tts
from tests.fakes.conformance_tts_broken import BROKEN
from tests.unit.toolbox.conformance.examining import PATIENCE, examine_all, found
from toolbox.conformance import Result, Target, run_cases
from toolbox.conformance.tts import CASES, TtsPeer

NAMES = {case.name for case in CASES}
Results = dict[type[FakeTextToSpeech], list[Result]]


async def examined(kind: type[FakeTextToSpeech]) -> list[Result]:
    servicer = kind()
    async with fake_tts(servicer) as address:
        target = Target(address, drain=servicer.drain, patience=PATIENCE)
        return await run_cases(target, CASES, TtsPeer, lambda result: None)


@pytest.fixture(scope="module")
def all_examined() -> Results:
    return examine_all(BROKEN, examined)


@async_test
async def test_a_server_that_keeps_the_contract_passes_every_case() -> None:
    results = await examined(FakeTextToSpeech)
    assert [result.name for result in results] == [case.name for case in CASES]
    assert found(results, "passed").keys() == NAMES, found(results, "failed") | found(results, "skipped")


@pytest.mark.parametrize("broken", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_server_is_found_by_its_cases_alone(broken: type[FakeTextToSpeech], all_examined: Results) -> None:
    failed = found(all_examined[broken], "failed")
    assert failed.keys() == broken.reds, failed


def test_every_case_has_a_server_that_it_finds() -> None:
    assert {name for kind in BROKEN for name in kind.reds} == NAMES


def test_a_case_quotes_the_contract_word_for_word() -> None:
    contract = Path(__file__).parents[4] / "protos/parley/tts/v1/tts.proto"
    words = " ".join(line.strip().removeprefix("//").strip() for line in contract.read_text("utf-8").splitlines())
    assert not [case.name for case in CASES if case.sentence not in words]
