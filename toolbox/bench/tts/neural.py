"""Kokoro through the real service, with random weights whose durations are fixed: what it costs, not how it sounds."""

from __future__ import annotations

import asyncio
import importlib.util
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.audio import MULAW_8K
from toolbox.bench.distribution import distribution
from toolbox.bench.tts.client import cancel, speak
from toolbox.bench.tts.random_kokoro import PUBLISHED_SIZE, SMALLEST, write_kokoro
from toolbox.bench.tts.service import RunningVoice, running_voice
from toolbox.bench.tts.texts import SENTENCES, long_reply

_FRAMES_A_PHONEME = 3.0
"""75 ms: about 13 phonemes a second, as people speak."""
_LOADED_WITHIN_S = 240.0
_TOKEN_S = 0.05
_CLAUSE = "Let me have a look at that for you,"
_THE_REST = (
    "because I believe that the first of the two trains leaves a little earlier than you would like, and I should "
    "not want you to wait for the second one in the rain this afternoon."
)


async def measure_kokoro(*, short: bool, settings: Sequence[str], config: Path | None) -> dict[str, Any]:
    """Measure it, or say why not. Raises ServiceFailedError."""
    if importlib.util.find_spec("kokoro") is None:
        return {"skipped": "Kokoro is not installed (Parley's extra `tts-kokoro`)"}
    with tempfile.TemporaryDirectory(prefix="parley-kokoro-") as folder:
        size = SMALLEST if short else PUBLISHED_SIZE
        # The smallest model knows no longer phonemes than two frames.
        frames = 1.0 if short else _FRAMES_A_PHONEME
        files = await asyncio.to_thread(write_kokoro, Path(folder), size, frames_a_phoneme=frames)
        more = (*settings, "tts.cache.memory_mb=0")
        async with running_voice(
            *files.service_settings, config=config, more=more, ready_timeout_s=_LOADED_WITHIN_S
        ) as voice:
            info = await voice.stub.GetInfo(tts_pb2.GetInfoRequest())
            return {
                "weights": "random, smallest" if short else "random, of the published size",
                "phoneme_ms": 25 * frames,
                "model": info.model,
                "at_once": info.capacity,
                **await _measure(voice, clauses=2 if short else 8, streams=info.capacity, cancels=2 if short else 6),
            }


async def _measure(voice: RunningVoice, *, clauses: int, streams: int, cancels: int) -> dict[str, Any]:
    stub = voice.stub
    clause_ms = [(await speak(stub, [f"{_CLAUSE} {number}."])).first_audio_ms for number in range(clauses)]
    alone = await speak(stub, SENTENCES[:2])
    began = time.perf_counter()
    together = await asyncio.gather(*(speak(stub, SENTENCES[n : n + 2]) for n in range(2, 2 + streams)))
    busy_s = time.perf_counter() - began
    cut = [await cancel(stub, long_reply(number)) for number in range(cancels)]
    of_a_clause = distribution(clause_ms)
    return {
        "first_audio_ms": of_a_clause,
        "cancel_ms": distribution([one.silent_ms for one in cut], 2),
        "slot_free_ms": distribution([one.slot_free_ms for one in cut], 1),
        "rtf": round(alone.ended_ms / 1000 / alone.seconds, 3),
        "realtime_streams": round(sum(one.seconds for one in together) / busy_s, 2),
        "in_flight": await _in_flight(stub, of_a_clause["p50"] or 0.0),
    }


async def _in_flight(stub: tts_pb2_grpc.TextToSpeechAsyncStub, clause_ms: float) -> dict[str, Any]:
    """A sentence that is still being written, word by word, while its first clause is spoken.

    A clause alone takes ``clause_ms`` to be heard, so its synthesis began that long before its first sound.
    """
    began = time.perf_counter()
    written_ms = 0.0

    async def sentence() -> AsyncIterator[tts_pb2.SynthesizeRequest]:
        nonlocal written_ms
        config = tts_pb2.SynthesizeConfig(format=MULAW_8K, alignments=True)
        yield tts_pb2.SynthesizeRequest(config=config)
        yield tts_pb2.SynthesizeRequest(text=tts_pb2.Text(segment=1, text=_CLAUSE))
        yield tts_pb2.SynthesizeRequest(flush=tts_pb2.Flush())
        for word in _THE_REST.split():
            await asyncio.sleep(_TOKEN_S)
            yield tts_pb2.SynthesizeRequest(text=tts_pb2.Text(segment=2, text=f"{word} "))
        written_ms = 1000 * (time.perf_counter() - began)
        yield tts_pb2.SynthesizeRequest(finish=tts_pb2.Finish())

    first_ms: float | None = None
    async for message in stub.Synthesize(sentence()):
        if first_ms is None and message.HasField("audio"):
            first_ms = 1000 * (time.perf_counter() - began)
    heard_first = first_ms is not None and first_ms < written_ms
    return {
        "begun_ms": None if first_ms is None else round(max(0.0, first_ms - clause_ms), 1),
        "first_audio_ms": None if first_ms is None else round(first_ms, 1),
        "sentence_written_ms": round(written_ms, 1),
        "heard_while_written": heard_first,
    }
