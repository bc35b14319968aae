"""Fake servers with OpenAI's speech API that behave, or misbehave, as openai-edge-tts and Kokoro-FastAPI do.

What they say is eSpeak's speech, really encoded.
"""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from servicekit.audio import resample, to_int16
from tests.fakes.openai_server import FakeOpenAIServer, FakeRequest, answering, failing
from tts_service import espeak_speech

Style: TypeAlias = Literal["kokoro-fastapi", "openai-edge-tts", "bare"]
Act: TypeAlias = "Callable[[FakeSpeech], Awaitable[None]]"

RATE_HZ = 24_000
VOICES: dict[Style, Sequence[object]] = {
    "kokoro-fastapi": [{"id": name, "name": name} for name in ("af_bella", "af_heart", "ef_dora")],
    "openai-edge-tts": [
        {"name": "en-US-AndrewNeural", "gender": "Male", "language": "en-US"},
        {"name": "de-DE-KatjaNeural", "gender": "Female", "language": "de-DE"},
    ],
    "bare": [],
}
_CODECS = {"mp3": ("mp3", "libmp3lame"), "opus": ("ogg", "libopus"), "flac": ("flac", "flac"), "aac": ("adts", "aac")}


def spoken(text: str, rate_hz: int = RATE_HZ, *, voice: str = "en", speed: float = 1.0) -> NDArray[np.float32]:
    """A text as speech."""
    samples, source_hz = espeak_speech(text, voice, rate_wpm=round(160 * speed))
    return resample(samples, source_hz, rate_hz)


def encoded(samples: NDArray[np.float32], audio_format: str, rate_hz: int = RATE_HZ) -> bytes:
    """Samples as a format of the API; μ-law WAV as "wav-mulaw", float WAV as "wav-float"."""
    whole = to_int16(samples)
    if audio_format == "pcm":
        return whole.astype("<i2").tobytes()
    if audio_format == "wav":
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setparams((1, 2, rate_hz, len(whole), "NONE", ""))
            writer.writeframes(whole.astype("<i2").tobytes())
        return file.getvalue()
    container, codec = _CODECS[audio_format]
    rate = 48_000 if codec == "libopus" else rate_hz
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file_:
        stream: Any = file_.add_stream(codec, rate=rate)
        stream.layout = "mono"
        stream.bit_rate = 48_000
        frame = av.AudioFrame.from_ndarray(to_int16(resample(samples, rate_hz, rate)).reshape(1, -1), "s16", "mono")
        frame.sample_rate = rate
        context = stream.codec_context
        cut = av.AudioResampler(format=context.format, layout="mono", rate=rate, frame_size=context.frame_size or 0)
        for part in [*cut.resample(frame), *cut.resample(None)]:
            part.pts = None
            file_.mux(stream.encode(part))
        file_.mux(stream.encode(None))
    return out.getvalue()


class FakeSpeech(FakeRequest):
    """One request for speech."""

    @property
    def body(self) -> dict[str, Any]:
        """What it asks for."""
        asked: dict[str, Any] = json.loads(self.content)
        return asked


def in_chunks(data: bytes, size: int, content_type: str = "audio/pcm") -> Act:
    """Answer in chunks of one size."""

    async def act(request: FakeSpeech) -> None:
        await request.begin(content_type)
        for start in range(0, len(data), size):
            await request.chunk(data[start : start + size])
        await request.chunk(b"")

    return act


def breaking_off(data: bytes) -> Act:
    """Begin to answer and hang up in the middle."""

    async def act(request: FakeSpeech) -> None:
        await request.begin()
        if data:
            await request.chunk(data)
        request.keep = False

    return act


def stalling(data: bytes) -> Act:
    """Begin to answer and say no more."""

    async def act(request: FakeSpeech) -> None:
        await request.begin()
        await request.chunk(data)
        await request.until_gone()

    return act


async def endless(request: FakeSpeech) -> None:
    """Send sound that never stops."""
    loud = encoded(spoken("never mind"), "pcm")
    await request.begin()
    try:
        while not request.writer.is_closing():
            await request.chunk(loud)
    except ConnectionError:
        pass
    request.gone.set()


class FakeSpeechServer(FakeOpenAIServer[FakeSpeech]):
    """Speaks as one kind of server does."""

    path = "/v1/audio/speech"
    kind = FakeSpeech

    def __init__(self, style: Style = "kokoro-fastapi", *, key: str = "", models: Sequence[str] = ("tts-1",)) -> None:
        super().__init__(key=key, models=models)
        self.style = style
        self.rate_hz = RATE_HZ

    def listing(self, path: str) -> object | None:
        return {"voices": VOICES[self.style]} if path == _LISTS.get(self.style) else super().listing(path)

    async def work(self, request: FakeSpeech) -> None:
        wanted = request.body["response_format"]
        samples = spoken(request.body["input"], self.rate_hz, speed=request.body.get("speed", 1.2))
        if self.style == "openai-edge-tts":
            # Without ffmpeg: MP3 whatever was asked for, called as was asked for; pcm it has never had.
            content_type = {"mp3": "audio/mpeg"}.get(wanted, f"audio/{wanted}")
            data = encoded(np.concatenate([samples, np.zeros(RATE_HZ, np.float32)]), "mp3")
            await (failing(500) if wanted == "pcm" else answering(data, content_type=content_type))(request)
            return
        # Odd numbers of bytes, so that samples are cut through.
        await in_chunks(encoded(samples, wanted, self.rate_hz), 4801, f"audio/{wanted}")(request)


_LISTS: dict[Style, str] = {"kokoro-fastapi": "/v1/audio/voices", "openai-edge-tts": "/v1/voices/all"}
