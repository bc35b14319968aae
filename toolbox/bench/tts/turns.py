"""Many callers at once, as in life: each is answered, listens to the answer, thinks, and is answered again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from parley.tts.v1 import tts_pb2_grpc
from toolbox.bench.distribution import distribution
from toolbox.bench.tts.client import cancel, speak
from toolbox.bench.tts.texts import long_reply

CALLERS = 20
_SENTENCE_APART_S = 0.15
_THINKING_S = (0.3, 1.5)
_REST_S = 0.3

Words = Callable[[random.Random], list[str]]


async def measure_turns(
    stub: tts_pb2_grpc.TextToSpeechAsyncStub,
    words: Words,
    *,
    seconds: float,
    seed: int,
    on_turns: Callable[[int], None],
) -> dict[str, Any]:
    """Answer 20 callers whose turns come at random in real time; sound is listened to for as long as it lasts."""
    first: list[float] = []
    cached = 0
    end = time.monotonic() + seconds

    async def caller(number: int) -> None:
        nonlocal cached
        chance = random.Random(seed * 1000 + number)
        await asyncio.sleep(chance.uniform(0.0, min(4.0, seconds / 2)))
        while time.monotonic() < end:
            began = time.monotonic()
            spoken = await speak(stub, words(chance), apart_s=_SENTENCE_APART_S)
            first.append(spoken.first_audio_ms)
            cached += spoken.cached
            on_turns(len(first))
            await asyncio.sleep(max(0.0, began + spoken.seconds - time.monotonic()) + chance.uniform(*_THINKING_S))

    async with asyncio.TaskGroup() as calling:
        for number in range(CALLERS):
            calling.create_task(caller(number))
    return {
        "callers": CALLERS,
        "first_audio_ms": distribution(first, 2),
        "cached_pct": round(100 * cached / len(first), 1) if first else None,
    }


async def measure_bursts(
    stub: tts_pb2_grpc.TextToSpeechAsyncStub, words: Words, *, bursts: int, seed: int
) -> dict[str, Any]:
    """Twenty replies asked for in the same instant, again and again: what no calls do, as the worst there is."""
    chance = random.Random(seed)
    first: list[float] = []
    for _ in range(bursts):
        spoken = await asyncio.gather(*(speak(stub, words(chance)) for _ in range(CALLERS)))
        first += [one.first_audio_ms for one in spoken]
    return {"burst_first_audio_ms": distribution(first, 2)}


async def measure_alone(
    stub: tts_pb2_grpc.TextToSpeechAsyncStub, words: Words, *, replies: int, seed: int
) -> dict[str, Any]:
    """One reply after the other; the real-time factor is work by length of sound."""
    chance = random.Random(seed)
    spoken = [await speak(stub, words(chance)) for _ in range(replies)]
    worked = sum(one.ended_ms for one in spoken) / 1000
    return {
        "alone_first_audio_ms": distribution([one.first_audio_ms for one in spoken], 2),
        "rtf": round(worked / sum(one.seconds for one in spoken), 4),
    }


async def measure_rested(
    stub: tts_pb2_grpc.TextToSpeechAsyncStub, words: Words, *, replies: int, seed: int
) -> dict[str, Any]:
    """One reply after the other, with a rest before each: what waking up costs on this machine."""
    chance = random.Random(seed)
    first: list[float] = []
    for _ in range(replies):
        await asyncio.sleep(_REST_S)
        first.append((await speak(stub, words(chance))).first_audio_ms)
    return {"rested_first_audio_ms": distribution(first, 2)}


async def measure_cancelling(
    stub: tts_pb2_grpc.TextToSpeechAsyncStub,
    *,
    times: int,
    reply: Callable[[int], list[str]] = long_reply,
) -> dict[str, Any]:
    """Cut replies off at their first sound."""
    cut = [await cancel(stub, reply(number)) for number in range(times)]
    return {
        "cancel_ms": distribution([one.silent_ms for one in cut], 2),
        "slot_free_ms": distribution([one.slot_free_ms for one in cut], 2),
    }
