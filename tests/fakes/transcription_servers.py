"""Fake servers with OpenAI's transcription API that behave, or misbehave, as Speaches, whisper.cpp and vLLM do.

What they "hear" is how long the WAV is.
"""

from __future__ import annotations

import email
import email.policy
import functools
import io
import wave
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Literal, TypeAlias

from tests.fakes.openai_server import FakeOpenAIServer, FakeRequest, answering, failing

Style: TypeAlias = Literal["speaches", "whisper.cpp", "vllm"]
Act: TypeAlias = "Callable[[FakeTranscription], Awaitable[None]]"


class FakeTranscription(FakeRequest):
    """One request for a transcription."""

    @functools.cached_property
    def form(self) -> dict[str, str]:
        """The fields of its form."""
        return {name: content.decode() for name, content, is_file in self._parts() if not is_file}

    @functools.cached_property
    def wav(self) -> bytes:
        """The file that it brings."""
        return next(content for _, content, is_file in self._parts() if is_file)

    @property
    def seconds(self) -> float:
        """Length of the WAV."""
        with wave.open(io.BytesIO(self.wav)) as file:
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            return float(file.getnframes() / file.getframerate())

    def _parts(self) -> Iterator[tuple[str, bytes, bool]]:
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        for part in email.message_from_bytes(head + self.content, policy=email.policy.HTTP).iter_parts():
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            assert isinstance(name, str)
            assert isinstance(content, bytes)
            yield name, content, bool(part.get_filename())


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


class FakeTranscriptionServer(FakeOpenAIServer[FakeTranscription]):
    """Transcribes as one kind of server does."""

    path = "/v1/audio/transcriptions"
    kind = FakeTranscription

    def __init__(
        self, style: Style = "speaches", *, models: tuple[str, ...] = ("whisper-base",), key: str = ""
    ) -> None:
        super().__init__(key=key, models=models)
        self.style = style

    def listing(self, path: str) -> object | None:
        return None if self.style == "whisper.cpp" else super().listing(path)

    async def work(self, request: FakeTranscription) -> None:
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
