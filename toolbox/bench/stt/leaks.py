"""What is left behind: by utterances that were cut off, and by very many that were not."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import Any

import psutil

from toolbox.bench.stt.client import SttClient

_AT_ONCE = 8
_LONGEST_WAIT_S = 0.1
_SAMPLES = 20
_QUARTER = 5
_WARM_UP = 400
"""Utterances after which allocators have what they need: memory is compared from there on."""
_FREED_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.002


async def cut_off_many(
    client: SttClient, pid: int, utterances: Sequence[bytes], count: int, step: Callable[[], None]
) -> dict[str, Any]:
    """Go away from so many utterances at any moment; what the service holds before and after."""
    process, moments = psutil.Process(pid), random.Random(1)

    async def cut_off(number: int) -> None:
        await client.cut_off(utterances[number % len(utterances)], moments.uniform(0, _LONGEST_WAIT_S))

    await _at_once(min(_WARM_UP, count), cut_off, lambda: None)
    await _freed(client)
    before = _held(process)
    await _at_once(count, cut_off, step)
    in_use, freed_ms = await _freed(client)
    return {
        "utterances": count,
        "slots_in_use_after": in_use,
        "all_freed_ms": freed_ms,
        "before": before,
        "after": _held(process),
    }


async def soak(
    client: SttClient, pid: int, utterances: Sequence[bytes], count: int, step: Callable[[], None]
) -> dict[str, Any]:
    """Recognise so many utterances and look at the service's memory all along."""
    process = psutil.Process(pid)
    await _press(client, utterances, min(_WARM_UP, count), lambda: None)
    held = [_held(process)]
    for _ in range(_SAMPLES):
        await _press(client, utterances, max(1, count // _SAMPLES), step)
        held.append(_held(process))
    rss = [one["rss_mb"] for one in held]
    return {
        "utterances": count,
        "rss_mb": rss,
        "fds": [one["fds"] for one in held],
        "threads": [one["threads"] for one in held],
        # Allocators keep and give back by turns: medians of the first and the last quarter, not two moments.
        "growth_pct": round(100 * (median(rss[-_QUARTER:]) / median(rss[:_QUARTER]) - 1), 2),
    }


async def _press(client: SttClient, utterances: Sequence[bytes], count: int, step: Callable[[], None]) -> None:
    async def press(number: int) -> None:
        await client.press(utterances[number % len(utterances)])

    await _at_once(count, press, step)


async def _at_once(count: int, do: Callable[[int], Awaitable[None]], step: Callable[[], None]) -> None:
    async def stream(numbers: range) -> None:
        for number in numbers:
            await do(number)
            step()

    async with asyncio.TaskGroup() as tasks:
        for first in range(_AT_ONCE):
            tasks.create_task(stream(range(first, count, _AT_ONCE)))


async def _freed(client: SttClient) -> tuple[int, float]:
    """Wait until no slot is taken: slots still taken after a bounded wait, and ms that it took."""
    since = time.monotonic()
    in_use = (await client.info()).in_use
    while in_use and time.monotonic() - since < _FREED_WITHIN_S:
        await asyncio.sleep(_LOOK_EVERY_S)
        in_use = (await client.info()).in_use
    return in_use, round(1000 * (time.monotonic() - since), 1)


def _held(process: psutil.Process) -> dict[str, float]:
    return {
        "rss_mb": round(process.memory_info().rss / 1e6, 1),
        "fds": process.num_fds(),
        "threads": process.num_threads(),
    }
