"""Ten thousand segments and more: what they leave behind in memory, and in the cache."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from servicekit import semconv
from toolbox.bench.service_metrics import newest_gauge
from toolbox.bench.tts.client import speak
from toolbox.bench.tts.service import running_voice

CACHE_MB = 8
_AT_ONCE = 4
_SAMPLES = 20
_LAST_EXPORT_S = 1.5


async def measure_soak(
    segments: int, *, settings: Sequence[str], config: Path | None, on_segments: Callable[[int], None]
) -> dict[str, Any]:
    """Have so many segments spoken that nobody has said before, through a cache that holds a part of them.

    Growth is the resident memory at the end over that after the first fifth, when the cache is full.
    Raises ServiceFailedError.
    """
    more = (f"tts.cache.memory_mb={CACHE_MB}", *settings)
    async with running_voice("tts.engine=espeak", config=config, more=more) as voice:
        process = psutil.Process(voice.pid)
        rss_mb: list[float] = []
        every = max(1, segments // _SAMPLES)
        numbers = iter(range(segments))
        done = 0

        async def caller(chance: random.Random) -> None:
            nonlocal done
            for number in numbers:
                await speak(voice.stub, [f"Segment {number} says {chance.randrange(1000)}."])
                done += 1
                on_segments(done)
                if done % every == 0:
                    rss_mb.append(round(process.memory_info().rss / 1e6, 1))

        async with asyncio.TaskGroup() as calling:
            for number in range(_AT_ONCE):
                calling.create_task(caller(random.Random(number)))
        await asyncio.sleep(_LAST_EXPORT_S)
        held = newest_gauge(
            voice.collector.metrics,
            "parley-tts",
            semconv.METRIC_TTS_CACHE_BYTES,
            {semconv.VOICE_CACHE_PLACE: "memory"},
        )
    settled = rss_mb[len(rss_mb) // 5] if rss_mb else None
    return {
        "segments": done,
        "rss_mb": rss_mb,
        "growth_pct": round(100 * (rss_mb[-1] / settled - 1), 2) if settled else None,
        "cache_bytes": held,
        "cache_bound_bytes": CACHE_MB * 1_000_000,
    }
