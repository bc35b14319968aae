"""Twilio's requests to the gateway: signed, bounded in time and size, with the headers the real ones carry."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx

from toolbox.phone.knobs import Knobs
from toolbox.phone.notices import (
    HTTP_CONNECTION_FAILURE,
    HTTP_RETRIEVAL_FAILURE,
    HTTP_TIMEOUT,
    RESPONSE_TOO_LARGE,
    Notice,
)
from toolbox.phone.routes import Routes
from toolbox.phone.signature import sign


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request ready to be sent, and to be sent again."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def signed_request(
    auth_token: str,
    url: str,
    parameters: Mapping[str, str],
    *,
    method: str = "POST",
    signature: str | None = None,
) -> SignedRequest:
    """Build a webhook request.

    Args:
        auth_token: The account's secret.
        url: The full URL, as configured.
        parameters: In the body of a POST, in the query of a GET.
        method: POST or GET.
        signature: Sent instead of the right one (for tests); an empty one is left out.
    """
    headers = {
        "User-Agent": "TwilioProxy/1.1",
        "Accept": "*/*",
        "Cache-Control": "max-age=259200",
        "X-Home-Region": "us1",
        "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
    }
    if method == "GET":
        parts = urlsplit(url)
        query = "&".join(filter(None, (parts.query, urlencode(parameters))))
        url = urlunsplit(parts._replace(query=query))
        body = b""
        right = sign(auth_token, url)
    else:
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        body = urlencode(parameters).encode("ascii")
        right = sign(auth_token, url, parameters)
    sent = right if signature is None else signature
    if sent:
        headers["X-Twilio-Signature"] = sent
    return SignedRequest(method, url, headers, body)


@dataclass(frozen=True, slots=True)
class WebhookReply:
    """What the gateway answered."""

    status: int
    content_type: str
    body: bytes
    seconds: float


class WebhookError(Exception):
    """The gateway could not be asked, or answered no 2xx; `notice` holds Twilio's code."""

    def __init__(self, notice: Notice, reply: WebhookReply | None = None) -> None:
        super().__init__(str(notice))
        self.notice = notice
        self.reply = reply


class WebhookClient:
    """Sends requests; follows no redirects, as a signature holds for one URL."""

    def __init__(self, knobs: Knobs, routes: Routes, tls: ssl.SSLContext | None) -> None:
        self._knobs = knobs
        self._routes = routes
        self._tls = tls
        self._clients: dict[bool, httpx.AsyncClient] = {}

    def _client(self, url: str) -> httpx.AsyncClient:
        """One client with TLS and one without, made when first needed: reading the trusted roots takes a while."""
        secure = urlsplit(url).scheme == "https"
        if secure not in self._clients:
            self._clients[secure] = httpx.AsyncClient(
                timeout=None,  # one total deadline below, as Twilio has
                verify=(True if self._tls is None else self._tls) if secure else False,
                trust_env=False,
                limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
            )
        return self._clients[secure]

    async def send(self, request: SignedRequest) -> WebhookReply:
        """Send a request and read its answer.

        Raises:
            WebhookError: 11205 after the time limit, 11210 no connection, 11200 no 2xx, 11750 answer too large.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        url = self._routes.actual(request.url)
        try:
            async with (
                asyncio.timeout(self._knobs.webhook_timeout_s),
                self._client(url).stream(
                    request.method,
                    url,
                    headers=dict(request.headers) | {"Host": urlsplit(request.url).netloc},
                    content=request.body or None,
                ) as response,
            ):
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > self._knobs.max_twiml_bytes and "audio" not in _type(response):
                        raise WebhookError(Notice(RESPONSE_TOO_LARGE, f"over {self._knobs.max_twiml_bytes} bytes"))
        except TimeoutError as error:
            detail = f"no answer within {self._knobs.webhook_timeout_s:g} s"
            raise WebhookError(Notice(HTTP_TIMEOUT, detail)) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise WebhookError(Notice(HTTP_CONNECTION_FAILURE, type(error).__name__)) from error
        reply = WebhookReply(response.status_code, _type(response), bytes(body), loop.time() - began)
        if not 200 <= reply.status < 300:
            raise WebhookError(Notice(HTTP_RETRIEVAL_FAILURE, f"HTTP status {reply.status}"), reply)
        return reply

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()


def _type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()
