"""Asking a speech server over HTTP: sound as it arrives, every wait bounded, asked again once where that is safe."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from tts_service.settings import OpenAiServerSettings
from tts_service.speech import EngineError

LARGEST_LIST = 4 << 20
"""Bytes of a list of voices or models."""
_REPEAT_AFTER_S = 0.1
_LONGEST_RETRY_AFTER_S = 1.0
_TRANSIENT = frozenset({429, 502, 503, 504})

T = TypeVar("T")


class StatusError(EngineError):
    """The server refused or failed; its own words stay out, since they may quote the text."""

    def __init__(self, message: str, status: int, retry_after_s: float = _REPEAT_AFTER_S) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class UnreachableError(EngineError):
    """No connection came about, or it broke."""


class SlowError(EngineError):
    """It did not come in time."""


class NothingError(EngineError):
    """The server said that all is well and sent nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request."""

    text: str
    voice: str
    audio_format: str
    speed: float
    patience_s: float = 0.0
    """How long its first sound may take; 0 means as the settings say."""


@dataclass(frozen=True, slots=True)
class Part:
    """The next bytes of an answer, and what the server says they are."""

    data: bytes
    media_type: str
    rate_hz: int
    """As a parameter of the media type tells, 0 where none does."""


class SpeechClient:
    """The server's client; its connections are kept and shared."""

    def __init__(self, settings: OpenAiServerSettings) -> None:
        """Connects when first asked."""
        self._settings = settings
        self.model = settings.model
        """What is asked for by name."""
        key = settings.api_key.get_secret_value()
        # A proxy set for the machine's way out must not catch a server on the machine itself.
        on_this_machine = urlsplit(settings.base_url).hostname in {"localhost", "127.0.0.1", "::1"}
        self._http = httpx.AsyncClient(
            # A compressed answer could unpack to any size.
            headers={"accept-encoding": "identity"} | ({"authorization": f"Bearer {key}"} if key else {}),
            # Waits are bounded where they are made: those of httpx count a slow reader against the server.
            timeout=httpx.Timeout(None, connect=settings.connect_timeout_s),
            limits=httpx.Limits(max_connections=settings.max_requests, max_keepalive_connections=settings.max_requests),
            trust_env=not on_this_machine,
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def speech(self, question: Question) -> AsyncGenerator[Part, None]:
        """Have a text spoken: its bytes as they come.

        A broken connection, an answer without a byte and a server that is busy are tried once more, as long as nothing
        has come. Raises EngineError; closing the generator closes the request's connection at once.
        """
        begun = False
        try:
            async with aclosing(self._attempt(question)) as parts:
                async for part in parts:
                    begun = True
                    yield part
                return
        except (UnreachableError, NothingError, StatusError) as error:
            if begun or (isinstance(error, StatusError) and error.status not in _TRANSIENT):
                raise
            pause_s = error.retry_after_s if isinstance(error, StatusError) else _REPEAT_AFTER_S
        await asyncio.sleep(pause_s)
        async with aclosing(self._attempt(question)) as parts:
            async for part in parts:
                yield part

    async def listed(self, path: str, timeout_s: float) -> Any:
        """A JSON document of the server's; None where it has none there. Raises EngineError."""
        try:
            async with asyncio.timeout(timeout_s), self._request("GET", path) as response:
                if response.status_code in {401, 403}:
                    raise self._refusal(response)
                if response.status_code != 200:
                    return None
                body = bytearray()
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > LARGEST_LIST:
                        return None
                return json.loads(body)
        except TimeoutError:
            raise SlowError(f"the speech server at {self._settings.where} did not answer in time") from None
        except (ValueError, RecursionError):
            return None

    async def _attempt(self, question: Question) -> AsyncGenerator[Part, None]:
        own = self._settings
        waited = _Waiting(own, question.patience_s)
        body = {
            **own.extra_body,
            "input": question.text,
            "voice": question.voice,
            "response_format": question.audio_format,
            # Some servers have a default of their own that is not 1.
            "speed": round(question.speed, 3),
        }
        if self.model:
            body.setdefault("model", self.model)
        begun = False
        async with self._request("POST", "/audio/speech", body=body, waiting=waited) as response:
            if response.status_code != 200:
                raise self._refusal(response)
            media_type, rate_hz = _media(response.headers.get("content-type", ""))
            pieces = response.aiter_raw()
            while (data := await waited.for_next(_next(pieces), begun=begun)) is not None:
                if data:
                    begun = True
                    yield Part(data, media_type, rate_hz)
        if not begun:
            raise NothingError(f"the speech server at {own.where} sent no sound")

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, waiting: _Waiting | None = None
    ) -> AsyncIterator[httpx.Response]:
        response: httpx.Response | None = None
        try:
            request = self._http.build_request(method, f"{self._settings.base_url}{path}", json=body)
            sending = self._http.send(request, stream=True)
            response = await (sending if waiting is None else waiting.for_next(sending, begun=False))
            yield response
        except httpx.HTTPError as error:
            reason = _reason(error)
            raise UnreachableError(f"the speech server at {self._settings.where} {reason}") from error
        finally:
            if response is not None:
                await response.aclose()

    def _refusal(self, response: httpx.Response) -> StatusError:
        status = response.status_code
        return StatusError(
            f"the speech server at {self._settings.where} answered HTTP {status}", status, _retry_after_s(response)
        )


class _Waiting:
    """How long one request has been waited for. What its reader takes for itself does not count."""

    def __init__(self, settings: OpenAiServerSettings, patience_s: float) -> None:
        self._where = settings.where
        self._first_s = patience_s or settings.first_byte_timeout_s
        self._gap_s = max(patience_s, settings.gap_timeout_s)
        self._total_s = max(patience_s, settings.timeout_s)
        self._spent_s = 0.0

    async def for_next(self, awaitable: Awaitable[T], *, begun: bool) -> T:
        loop = asyncio.get_running_loop()
        left_s = (self._gap_s if begun else self._first_s - self._spent_s, self._total_s - self._spent_s)
        at = loop.time()
        try:
            async with asyncio.timeout(max(0.0, min(left_s))):
                return await awaitable
        except TimeoutError:
            if begun and self._gap_s < self._total_s - self._spent_s:
                what = f"paused for more than {self._gap_s:g} s"
            elif begun:
                what = f"was not done within {self._total_s:g} s"
            else:
                what = f"sent no sound within {min(self._first_s, self._total_s):g} s"
            raise SlowError(f"the speech server at {self._where} {what}") from None
        finally:
            self._spent_s += loop.time() - at


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)


def _media(content_type: str) -> tuple[str, int]:
    """A media type without parameters, and the rate that they tell (RFC 2586: audio/L16;rate=16000)."""
    media_type, *parameters = (part.strip().lower() for part in content_type[:200].split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() in {"rate", "sample_rate"} and value.strip().isdecimal():
            rate_hz = int(value)
            return media_type, rate_hz if 4000 <= rate_hz <= 192_000 else 0
    return media_type, 0


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
