"""What processes use while something runs: processor time and memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import psutil

_EVERY_S = 0.5


@dataclass
class Usage:
    """Of each process by name: processor seconds over the block, and the largest resident memory in MB seen."""

    cpu_s: dict[str, float] = field(default_factory=dict)
    rss_mb: dict[str, float] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def measured_usage(pids: Mapping[str, int]) -> AsyncIterator[Usage]:
    """Measure processes while the block runs; a process that ends meanwhile keeps its last figures."""
    processes = {name: psutil.Process(pid) for name, pid in pids.items()}
    before = {name: _cpu_s(process) for name, process in processes.items()}
    usage = Usage()

    def look() -> None:
        for name, process in processes.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                usage.cpu_s[name] = _cpu_s(process) - before[name]
                usage.rss_mb[name] = max(usage.rss_mb.get(name, 0.0), process.memory_info().rss / 1e6)

    async def watch() -> None:
        while True:
            look()
            await asyncio.sleep(_EVERY_S)

    watching = asyncio.create_task(watch())
    try:
        yield usage
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        look()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
