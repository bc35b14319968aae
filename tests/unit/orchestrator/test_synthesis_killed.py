"""Row 50 of the fault catalogue with the real embedded voice: its process is killed in mid-reply and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from opentelemetry.context import Context

from orchestrator.server import cut_into_segments
from orchestrator.spoken import SpokenReply
from orchestrator.synthesis import SegmentQueue, Synthesis, VoiceOptions
from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2_grpc
from servicekit.audio import MULAW_8K, decode_mulaw
from servicekit.channels import open_channel
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from toolbox.demo_brain import STORY

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[3]
VOICE = VoiceOptions("", "", "en", 1.0, audio_pb2.ENCODING_MULAW, 8000)
HANG_GUARD_S = 120.0
PIECE = 1600


async def started(listen: str, ready: Path) -> asyncio.subprocess.Process:
    """The voice's process, serving."""
    await asyncio.to_thread(ready.unlink, missing_ok=True)
    arguments = ["--ready-file", str(ready), "--set", f"tts.listen={listen}", "--set", "tts.engine=espeak"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tts_service", *arguments), cwd=ROOT, env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    while not await asyncio.to_thread(ready.exists):
        assert process.returncode is None, "the voice did not start"
        await asyncio.sleep(0.02)
    return process


async def heard(folder: Path, *, killed_at: int | None) -> bytes:
    """The story as a caller hears it who listens piece by piece; the voice dies once so many bytes were heard."""
    ready = folder / "ready.json"
    process = await started("127.0.0.1:0", ready)
    address = ready.read_text().partition('"grpc": "')[2].partition('"')[0]
    spoken = SpokenReply(MULAW_8K)
    queue = SegmentQueue()
    for segment in cut_into_segments(STORY, "en"):
        queue.put(segment)
    queue.close()
    sound = bytearray()
    try:
        async with open_channel(address) as channel, asyncio.timeout(HANG_GUARD_S):
            stub = tts_pb2_grpc.TextToSpeechStub(channel)
            synthesis = Synthesis(stub, VOICE, Telemetry("test"), Context(), ahead_ms=2000, patience_s=60)
            speaking = asyncio.create_task(synthesis.run(queue, spoken))
            speaking.add_done_callback(lambda _: spoken.close())
            while waiting := await spoken.available(len(sound)):
                sound += spoken.read(len(sound), min(waiting, PIECE))
                if killed_at is not None and len(sound) >= killed_at:
                    killed_at = None
                    process.send_signal(signal.SIGKILL)
                    await process.wait()
                    process = await started(address, ready)
                await asyncio.sleep(0)
            await speaking
    finally:
        process.kill()
        await process.wait()
    return bytes(sound)


def loudness(sound: bytes) -> NDArray[np.float64]:
    """Root mean square of each 100 ms."""
    samples = decode_mulaw(sound[: len(sound) // 800 * 800]).astype(np.float64)
    means: NDArray[np.float64] = np.sqrt(np.mean(samples.reshape(-1, 800) ** 2, axis=1))
    return means


@async_test
async def test_row_50_the_caller_hears_the_same_as_if_the_voice_had_never_died(tmp_path: Path) -> None:
    undisturbed = await heard(tmp_path, killed_at=None)
    assert len(undisturbed) > 60 * 8000
    for killed_at in (PIECE, 20 * 8000, len(undisturbed) - 16_000):
        disturbed = await heard(tmp_path, killed_at=killed_at)
        assert disturbed[:killed_at] == undisturbed[:killed_at]
        # The voice speaks a sentence a few milliseconds shorter or longer when it is its first.
        assert abs(len(disturbed) - len(undisturbed)) < 400
        one, other = loudness(disturbed), loudness(undisturbed)
        length = min(len(one), len(other))
        assert np.corrcoef(one[:length], other[:length])[0, 1] > 0.8, "no word is lost or said twice"
