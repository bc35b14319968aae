"""Asking a transcription server over HTTP: one question, one bounded answer, asked again once where that is safe."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from stt_service.engines.interface import EngineError
from stt_service.engines.openai_compatible.answer import Answer, UnreadableError, read_answer
from stt_service.settings import OpenAiServerSettings

LARGEST_ANSWER: int = 4 << 20
"""Bytes; an hour's words with their times are less."""
_REPEAT_AFTER_S = 0.1
_LONGEST_RETRY_AFTER_S = 1.0
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,40}")


class StatusError(EngineError):
    """The server refused or failed; its own words stay out, since they may quote the prompt."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(EngineError):
    """No connection came about, or it broke."""


class SlowError(EngineError):
    """There was no answer in time."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request."""

    wav: bytes
    language: str = ""
    """Whisper's code; empty lets the server decide."""
    prompt: str = ""
    verbose: bool = False
    word_times: bool = False
    timeout_s: float = 10.0


class TranscriptionClient:
    """The server's client; its connections are kept and shared."""

    def __init__(self, settings: OpenAiServerSettings) -> None:
        """Connects when first asked."""
        self._settings = settings
        self._model = settings.model
        key = settings.api_key.get_secret_value()
        # A proxy set for the machine's way out must not catch a server on the machine itself.
        on_this_machine = urlsplit(settings.base_url).hostname in {"localhost", "127.0.0.1", "::1"}
        self._http = httpx.AsyncClient(
            # A compressed answer could unpack to any size.
            headers={"accept": "application/json", "accept-encoding": "identity"}
            | ({"authorization": f"Bearer {key}"} if key else {}),
            # The whole is bounded where it is asked.
            timeout=httpx.Timeout(None, connect=settings.connect_timeout_s),
            limits=httpx.Limits(max_connections=settings.max_requests, max_keepalive_connections=settings.max_requests),
            trust_env=not on_this_machine,
            follow_redirects=False,
        )

    @property
    def model(self) -> str:
        """The model that is asked for by name; empty when none is."""
        return self._model

    def use_model(self, name: str) -> None:
        """Ask for this model from now on."""
        self._model = name

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def ask(self, question: Question) -> Answer:
        """Have one WAV transcribed. Raises EngineError; being cancelled closes the request's connection."""
        try:
            async with asyncio.timeout(question.timeout_s):
                body, media_type = await self._body(question)
        except TimeoutError:
            raise SlowError(
                f"the transcription server at {self._settings.where} did not answer within {question.timeout_s:g} s"
            ) from None
        try:
            return read_answer(body, self._settings)
        except UnreadableError as error:
            raise EngineError(
                f"the transcription server at {self._settings.where} sent no usable answer: {error} ({media_type})"
            ) from None

    async def models(self, timeout_s: float) -> list[str] | None:
        """Names of the models that the server lists; None where it has no such list. Raises EngineError."""
        try:
            async with asyncio.timeout(timeout_s), self._request("GET", "/models") as response:
                if response.status_code in {401, 403}:
                    raise self._refusal(response)
                if response.status_code != 200:
                    return None
                found = json.loads(await self._read(response))
        except TimeoutError:
            raise SlowError(f"the transcription server at {self._settings.where} did not answer in time") from None
        except (ValueError, RecursionError):
            return None
        listed = found.get("data") if isinstance(found, dict) else None
        if not isinstance(listed, list):
            return None
        return [item["id"] for item in listed if isinstance(item, dict) and isinstance(item.get("id"), str)]

    async def _body(self, question: Question) -> tuple[bytes, str]:
        try:
            return await self._attempt(question)
        except UnreachableError:
            await asyncio.sleep(_REPEAT_AFTER_S)
        except _BusyError as busy:
            await asyncio.sleep(busy.after_s)
        try:
            return await self._attempt(question)
        except _BusyError as busy:
            raise busy.refusal from None

    async def _attempt(self, question: Question) -> tuple[bytes, str]:
        given = {"model": self._model, "language": question.language, "prompt": question.prompt}
        form: dict[str, str | list[str]] = {name: value for name, value in given.items() if value}
        form |= {"response_format": "verbose_json" if question.verbose else "json", "temperature": "0"}
        if question.verbose and question.word_times:
            form["timestamp_granularities[]"] = ["word"]
        files = {"file": ("utterance.wav", question.wav, "audio/wav")}
        async with self._request("POST", "/audio/transcriptions", data=form, files=files) as response:
            if response.status_code == 503:
                raise _BusyError(self._refusal(response), _retry_after_s(response))
            if response.status_code != 200:
                raise self._refusal(response)
            media_type = _MEDIA_TYPE.match(response.headers.get("content-type", ""))
            return await self._read(response), media_type[0] if media_type else "no content type"

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        *,
        data: dict[str, str | list[str]] | None = None,
        files: dict[str, tuple[str, bytes, str]] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        try:
            async with self._http.stream(
                method, f"{self._settings.base_url}{path}", data=data, files=files
            ) as response:
                yield response
        except httpx.HTTPError as error:
            reason = _reason(error)
            raise UnreachableError(f"the transcription server at {self._settings.where} {reason}") from error

    async def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > LARGEST_ANSWER:
                raise EngineError(
                    f"the transcription server at {self._settings.where} sent more than {LARGEST_ANSWER >> 20} MiB"
                )
        return bytes(body)

    def _refusal(self, response: httpx.Response) -> StatusError:
        status = response.status_code
        return StatusError(f"the transcription server at {self._settings.where} answered HTTP {status}", status)


class _BusyError(Exception):
    def __init__(self, refusal: StatusError, after_s: float) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.after_s = after_s


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "did not accept a connection in time"
    if isinstance(error, httpx.ConnectError):
        return "cannot be reached"
    return "broke the connection off"


def _retry_after_s(response: httpx.Response) -> float:
    try:
        asked = float(response.headers.get("retry-after", _REPEAT_AFTER_S))
    except ValueError:  # a date
        asked = _LONGEST_RETRY_AFTER_S
    return min(max(0.0, asked), _LONGEST_RETRY_AFTER_S) if math.isfinite(asked) else _REPEAT_AFTER_S
