"""Fake servers with OpenAI's speech API that behave, or misbehave, as openai-edge-tts and Kokoro-FastAPI do.

Real sockets, HTTP written by hand so that every fault can be made. What they say is eSpeak's speech, really encoded.
"""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from servicekit.audio import resample, to_int16
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


@dataclass(eq=False)
class FakeSpeech:
    """One request for speech, and the means to answer it."""

    headers: dict[str, str]
    body: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    keep: bool = False

    async def send(self, body: bytes, status: int = 200, content_type: str = "audio/mpeg", **more: str) -> None:
        """Answer at once and whole."""
        lines = [f"HTTP/1.1 {status} Whatever", f"content-type: {content_type}", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await self.writer.drain()
        self.keep = True

    async def begin(self, content_type: str = "audio/pcm") -> None:
        """Answer in chunks: the head of it."""
        self.writer.write(
            f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        """The next chunk; an empty one ends the answer."""
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self.writer.drain()
        self.keep = not data

    async def until_gone(self) -> None:
        """Wait, saying nothing, until the client closes the socket."""
        try:
            while await self.reader.read(1024):
                pass
        except ConnectionError:
            pass
        self.gone.set()


def answering(body: object, status: int = 200, content_type: str = "application/json", **more: str) -> Act:
    """Answer with a body: bytes as they are, anything else as JSON."""

    async def act(request: FakeSpeech) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await request.send(data, status, content_type, **more)

    return act


def failing(status: int, **more: str) -> Act:
    """An HTTP error in the server's own words, which quote the text."""
    return answering({"error": {"message": "input was: secret words"}}, status, **more)


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


async def silent(request: FakeSpeech) -> None:
    """Accept the request and say nothing, not even a header."""
    await request.until_gone()


async def hanging_up(request: FakeSpeech) -> None:
    """Close the connection without an answer."""


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


class FakeSpeechServer:
    """Speaks as one kind of server does; ``then`` sets how the next requests are answered instead."""

    def __init__(self, style: Style = "kokoro-fastapi", *, key: str = "", models: Sequence[str] = ("tts-1",)) -> None:
        self.style = style
        self.key = key
        self.models = models
        self.requests: list[FakeSpeech] = []
        self.connections = 0
        self.root = ""
        self.rate_hz = RATE_HZ
        self._acts: list[Act] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Condition()

    def then(self, *acts: Act) -> None:
        """Answer the next requests so, one after the other; those after them properly again."""
        self._acts += acts

    async def __aenter__(self) -> FakeSpeechServer:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.root = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Listen no more and drop every connection."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def request(self, number: int) -> FakeSpeech:
        """The request of this number, from 1, when it comes."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.requests) >= number)
        return self.requests[number - 1]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                request_line, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, path, _ = request_line.split(" ")
                request = FakeSpeech(headers, json.loads(body) if body else {}, reader, writer)
                await self._answer(method, path, request)
                if not request.keep:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, request: FakeSpeech) -> None:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            await failing(401)(request)
        elif (method, path) == ("GET", "/v1/models"):
            await answering({"object": "list", "data": [{"id": name} for name in self.models]})(request)
        elif (method, path) == ("GET", _LISTS.get(self.style, "")):
            await answering({"voices": VOICES[self.style]})(request)
        elif (method, path) == ("POST", "/v1/audio/speech"):
            async with self._news:
                self.requests.append(request)
                self._news.notify_all()
            await (self._acts.pop(0) if self._acts else self._speak)(request)
        else:
            await failing(404)(request)

    async def _speak(self, request: FakeSpeech) -> None:
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
