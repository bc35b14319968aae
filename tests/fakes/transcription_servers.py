"""Fake servers with OpenAI's transcription API that behave, or misbehave, as Speaches, whisper.cpp and vLLM do.

Real sockets, HTTP written by hand so that every fault can be made. What they "hear" is how long the WAV is.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import io
import json
import wave
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Style: TypeAlias = Literal["speaches", "whisper.cpp", "vllm"]
Act: TypeAlias = "Callable[[FakeTranscription], Awaitable[None]]"


@dataclass(eq=False)
class FakeTranscription:
    """One request for a transcription, and the means to answer it."""

    headers: dict[str, str]
    form: dict[str, str]
    wav: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    keep: bool = False

    @property
    def seconds(self) -> float:
        """Length of the WAV."""
        with wave.open(io.BytesIO(self.wav)) as file:
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            return float(file.getnframes() / file.getframerate())

    async def send(self, body: bytes, status: int = 200, content_type: str = "application/json", **more: str) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"content-type: {content_type}", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await self.writer.drain()
        self.keep = True

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

    async def act(request: FakeTranscription) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await request.send(data, status, content_type, **more)

    return act


def failing(status: int, **more: str) -> Act:
    """An HTTP error in the server's own words, which quote the prompt."""
    return answering({"error": {"message": "prompt was: secret words"}}, status, **more)


async def silent(request: FakeTranscription) -> None:
    """Accept the request and say nothing, not even a header."""
    await request.until_gone()


async def hanging_up(request: FakeTranscription) -> None:
    """Close the connection without an answer."""


async def endless(request: FakeTranscription) -> None:
    """Send a body that never stops."""
    request.writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"text": "')
    try:
        while not request.writer.is_closing():
            request.writer.write(b"x" * 65_536)
            await request.writer.drain()
    except ConnectionError:
        pass
    request.gone.set()


class FakeTranscriptionServer:
    """Transcribes as one kind of server does; ``then`` sets how the next requests are answered instead."""

    def __init__(
        self, style: Style = "speaches", *, models: tuple[str, ...] = ("whisper-base",), key: str = ""
    ) -> None:
        self.style = style
        self.models = models
        self.key = key
        self.requests: list[FakeTranscription] = []
        self.connections = 0
        self.root = ""
        self._acts: list[Act] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Condition()

    def then(self, *acts: Act) -> None:
        """Answer the next requests so, one after the other; those after them properly again."""
        self._acts += acts

    async def __aenter__(self) -> FakeTranscriptionServer:
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

    async def request(self, number: int) -> FakeTranscription:
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
                request = _parsed(headers, body, reader, writer)
                if not await self._answer(method, path, request):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, request: FakeTranscription) -> bool:
        """Answer a request; whether the connection is kept."""
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            await failing(401)(request)
        elif (method, path) == ("GET", "/v1/models"):
            listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
            await (failing(404) if self.style == "whisper.cpp" else answering(listed))(request)
        elif (method, path) == ("POST", "/v1/audio/transcriptions"):
            async with self._news:
                self.requests.append(request)
                self._news.notify_all()
            await (self._acts.pop(0) if self._acts else self._transcribe)(request)
        else:
            await failing(404)(request)
        return request.keep

    async def _transcribe(self, request: FakeTranscription) -> None:
        text, verbose = f"heard {request.seconds:.2f} s", request.form["response_format"] == "verbose_json"
        words = request.form.get("timestamp_granularities[]") == "word"
        if self.style != "whisper.cpp" and request.form.get("model") not in self.models:
            await failing(404)(request)
        elif self.style == "vllm" and verbose:
            await failing(400)(request)
        elif not verbose:
            await answering({"text": f" {text}\n" if self.style == "whisper.cpp" else text})(request)
        elif self.style == "whisper.cpp":
            await answering(_whisper_cpp(text, request.seconds))(request)
        else:
            await answering(_speaches(text, request.seconds, request.form.get("language"), words=words))(request)


def segment(text: str, *, log_prob: float = -0.2, no_speech: float = 0.01, repetition: float = 1.0) -> dict[str, Any]:
    """A segment of a verbose answer, with Whisper's scores."""
    scores = {"avg_logprob": log_prob, "no_speech_prob": no_speech, "compression_ratio": repetition}
    return {"id": 1, "start": 0.0, "end": 1.0, "text": text, "tokens": [1], **scores}


def _speaches(text: str, seconds: float, language: str | None, *, words: bool) -> dict[str, Any]:
    listed = [{"word": f" {word}", "start": 0.1 * n, "end": 0.1 * n + 0.1} for n, word in enumerate(text.split())]
    said = {"task": "transcribe", "language": language or "de", "duration": seconds, "text": text}
    return {**said, "words": listed if words else None, "segments": [segment(f" {text}")]}


def _whisper_cpp(text: str, seconds: float) -> dict[str, Any]:
    listed = [
        {"word": f" {word}", "start": 0.1 * n, "end": 0.1 * n + 0.1, "t_dtw": -1, "probability": 0.9}
        for n, word in enumerate(text.split())
    ]
    found = {**segment(f" {text}"), "words": listed}
    del found["compression_ratio"]
    return {"task": "transcribe", "language": "english", "duration": seconds, "text": f" {text}\n", "segments": [found]}


def _parsed(
    headers: dict[str, str], body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> FakeTranscription:
    form: dict[str, str] = {}
    wav = b""
    if headers.get("content-type", "").startswith("multipart/"):
        head = f"content-type: {headers['content-type']}\r\n\r\n".encode()
        for part in email.message_from_bytes(head + body, policy=email.policy.HTTP).iter_parts():
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            assert isinstance(name, str)
            assert isinstance(content, bytes)
            if part.get_filename():
                wav = content
            else:
                form[name] = content.decode()
    return FakeTranscription(headers, form, wav, reader, writer)
