"""A brain behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import openai
import tenacity
from openai import AsyncOpenAI

from orchestrator.brain.body import read_events, too_long
from orchestrator.brain.contract import BrainEvent, BrainRequest, Finished, TextDelta
from orchestrator.brain.errors import BrainError, from_request, may_ask_again
from orchestrator.brain.question import completion_arguments
from orchestrator.brain.settings import BrainSettings
from orchestrator.brain.span import ChatSpan
from orchestrator.brain.stream import ReplyReader
from orchestrator.brain.warming import Warmth
from servicekit import semconv
from servicekit.logs import get_logger
from servicekit.telemetry import Telemetry

log = get_logger(__name__)


class EndpointBrain:
    """Asks an OpenAI-compatible endpoint; one connection pool for all calls."""

    def __init__(self, settings: BrainSettings, telemetry: Telemetry, section: str = "orchestrator.brain") -> None:
        """`section` is where the settings stand, for what the operator is told."""
        self._settings = settings
        self._section = section
        self._telemetry = telemetry
        self._client = _client(settings)
        self._warmth = Warmth(self._client, settings)
        self._closed = False
        self._first_content_ms = telemetry.meter.create_histogram(
            semconv.METRIC_LLM_FIRST_CONTENT,
            unit="ms",
            description="Request sent until the first content that can be spoken.",
            explicit_bucket_boundaries_advisory=semconv.MS_BUCKETS,
        )

    @property
    def name(self) -> str:
        """The model's name."""
        return self._settings.model

    @property
    def speculation_safe(self) -> bool:
        """Whether a question may be asked that is perhaps thrown away."""
        return self._settings.speculation_safe

    async def warm(self) -> None:
        """Load the model or open the connection, as set; at most once at a time, bounded, never raises."""
        if not self._closed:
            await self._warmth.warm()

    async def close(self) -> None:
        """Close the connections."""
        self._closed = True
        await self._client.close()

    async def reply(self, request: BrainRequest) -> AsyncGenerator[BrainEvent, None]:
        """Answer; see `Brain.reply`.

        Raises:
            BrainError: no answer, or no more of it.
        """
        loop = asyncio.get_running_loop()
        asked = loop.time()
        deadline = asked + self._settings.total_timeout_s
        reader = ReplyReader(reasoning_open=self._settings.reasoning_open, section=self._section)
        length = 0
        # On leaving, for whatever reason, the response is closed; one not read to its end takes its socket along.
        with ChatSpan(self._telemetry, self._settings, request) as span:
            async with contextlib.AsyncExitStack() as stack:
                response = await self._ask(request, span, stack, deadline)
                events = read_events(response, reader, deadline, where=self._settings.where, section=self._section)
                await stack.enter_async_context(contextlib.aclosing(events))
                async for event in events:
                    if isinstance(event, TextDelta):
                        if not length:
                            span.first_content(loop.time() - asked)
                            self._first_content_ms.record((loop.time() - asked) * 1000)
                        room = self._settings.max_reply_chars - length
                        length += len(event.text)
                        if len(event.text) > room:
                            log.warning("reply cut", limit_chars=self._settings.max_reply_chars)
                            span.finished("max_chars", reader)
                            if room:
                                yield TextDelta(event.text[:room])
                            yield Finished("max_chars")
                            return
                    elif isinstance(event, Finished):
                        span.finished(event.reason, reader)
                        self._warmth.answered()
                        if reader.stray_reasoning:
                            log.warning("reasoning was spoken; set reasoning_open", section=self._section)
                        if reader.unreadable_tool_calls:
                            log.warning("tool calls unreadable", count=reader.unreadable_tool_calls)
                    yield event
                span.usage(reader)

    async def _ask(
        self, request: BrainRequest, span: ChatSpan, stack: contextlib.AsyncExitStack, deadline: float
    ) -> openai.AsyncAPIResponse[Any]:
        """Send the question until an answer begins; the stack closes what it returns."""
        settings = self._settings
        if self._closed:
            raise BrainError("cancelled", "The brain's client was closed: the service is going down.")
        arguments = completion_arguments(request, settings, span.headers() if settings.propagate_trace else {})
        attempts = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(settings.attempts),
            wait=tenacity.wait_random(0.05, 0.25),
            retry=tenacity.retry_if_exception(lambda error: may_ask_again(error, stateful=settings.stateful)),
            reraise=True,
        )

        async def ask() -> openai.AsyncAPIResponse[Any]:
            create = self._client.chat.completions.with_streaming_response.create
            response: openai.AsyncAPIResponse[Any] = await stack.enter_async_context(create(**arguments))
            return response

        try:
            async with asyncio.timeout_at(deadline):
                return await attempts(ask)
        except TimeoutError as error:
            raise too_long(settings.where, self._section) from error
        except openai.OpenAIError as error:
            raise from_request(error, where=settings.where, model=settings.model, section=self._section) from error


def _client(settings: BrainSettings) -> AsyncOpenAI:
    # A proxy set for the machine's way out must not catch a brain on the machine itself.
    on_this_machine = urlsplit(settings.base_url).hostname in {"localhost", "127.0.0.1", "::1"}
    return AsyncOpenAI(
        # The library insists on a key; brains without one ignore it. Never taken from the environment by surprise.
        api_key=settings.api_key.get_secret_value() or "none",
        base_url=settings.base_url,
        max_retries=0,
        # Only connecting is bounded here: content, gaps and the whole are watched where their meaning is known.
        timeout=openai.Timeout(None, connect=settings.connect_timeout_s, pool=settings.connect_timeout_s),
        default_headers={name: value.get_secret_value() for name, value in settings.extra_headers.items()},
        http_client=openai.DefaultAsyncHttpxClient(trust_env=not on_this_machine),
    )
