"""Running the cases one after another; a target that is dead or dies is found quickly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from toolbox.conformance.case import BrokenError, Case, SkipError
from toolbox.conformance.peer import Peer, Target
from toolbox.conformance.report import Result

_ALIVE_S = 5.0
_STEPS_PER_CASE = 6
"""A case may wait several times, and none of them for ever."""

P = TypeVar("P", bound=Peer[Any, Any])


async def run_cases(
    target: Target, cases: Sequence[Case[P]], meet: Callable[[Target], P], on_result: Callable[[Result], None]
) -> list[Result]:
    """Run all cases, telling each result as it is known.

    A target that does not answer at all fails the case at hand and skips the rest.
    """
    results: list[Result] = []
    gone = await _silence_of(target, meet)
    for case in cases:
        began = time.monotonic()
        if gone and results:
            result = Result(case.name, "skipped", gone, case.where, case.sentence)
        elif gone:
            result = Result(case.name, "failed", gone, case.where, case.sentence)
        else:
            result = await _judge(target, case, meet)
            if result.result == "failed" and (gone := await _silence_of(target, meet)):
                result = result.because(gone)
        result = result.after(time.monotonic() - began)
        results.append(result)
        on_result(result)
    return results


async def _judge(target: Target, case: Case[P], meet: Callable[[Target], P]) -> Result:
    limit_s = _STEPS_PER_CASE * target.patience.step_s
    peer = meet(target)
    try:
        async with asyncio.timeout(limit_s), peer:
            detail = await case.check(peer) or ""
    except SkipError as skip:
        return Result(case.name, "skipped", str(skip), case.where, case.sentence)
    except BrokenError as error:
        return _failed(case, peer, str(error))
    except TimeoutError:
        return _failed(case, peer, f"expected the case to be over in {limit_s:g} s; came no end")
    return Result(case.name, "passed", detail, case.where, case.sentence, tuple(peer.warnings), dict(peer.measures))


def _failed(case: Case[P], peer: P, what: str) -> Result:
    return Result(case.name, "failed", what, case.where, case.sentence, tuple(peer.warnings), dict(peer.measures))


async def _silence_of(target: Target, meet: Callable[[Target], P]) -> str:
    """Why the target cannot be examined; empty when it answers."""
    peer = meet(target)
    limit_s = min(_ALIVE_S, target.patience.step_s)
    try:
        async with peer:
            async with asyncio.timeout(limit_s):
                await peer.usage()
    except TimeoutError:
        return f"nothing answers at {target.address} within {limit_s:g} s: is it running, and is this its gRPC port?"
    except BrokenError as error:
        return f"GetInfo of {peer.service} at {target.address} fails: {error.came}"
    return ""
