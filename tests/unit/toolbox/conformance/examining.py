"""Examining many fake servers, several at a time: most of a case's time is waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from toolbox.conformance import Patience, Result

PATIENCE = Patience(step_s=4.0, slot_s=1.5, spans_s=1.0, stall_s=0.05)
"""Short enough for servers that fall silent, long enough for a busy machine."""
_AT_ONCE = 10

S = TypeVar("S")


def examine_all(kinds: Iterable[S], examine: Callable[[S], Awaitable[list[Result]]]) -> dict[S, list[Result]]:
    """Examine one server of each kind; results by kind."""

    async def run() -> dict[S, list[Result]]:
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(kind: S) -> tuple[S, list[Result]]:
            async with room:
                return kind, await examine(kind)

        return dict(await asyncio.gather(*(one(kind) for kind in kinds)))

    return asyncio.run(run())


def found(results: Iterable[Result], verdict: str) -> dict[str, str]:
    """Names of the cases that came out so, with their findings."""
    return {result.name: result.detail for result in results if result.result == verdict}
