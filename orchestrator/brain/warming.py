"""Waking the brain while the telephone still rings."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import openai
from openai import AsyncOpenAI

from orchestrator.brain.question import add_session
from orchestrator.brain.settings import BrainSettings
from servicekit.logs import get_logger

log = get_logger(__name__)

# A stateful brain keeps this exchange in a session of its own, away from any call's.
WARMING_SESSION: Final = "parley-warm"


class Warmth:
    """Knows whether the brain is warm and warms it; callers that ordered it together share one request."""

    def __init__(self, client: AsyncOpenAI, settings: BrainSettings) -> None:
        self._client = client
        self._settings = settings
        self._one_at_a_time = asyncio.Lock()
        self._warm_until = float("-inf")

    def answered(self) -> None:
        """The brain has just answered a real question: nothing could be warmer."""
        self._warm_until = asyncio.get_running_loop().time() + self._settings.warm_for_s

    async def warm(self) -> None:
        """Warm it unless it is warm; bounded by `warm_timeout_s`; a failure is logged, not raised."""
        if self._settings.warm == "off":
            return
        try:
            async with asyncio.timeout(self._settings.warm_timeout_s), self._one_at_a_time:
                if asyncio.get_running_loop().time() < self._warm_until:
                    return
                await self._touch()
                self.answered()
        except TimeoutError:
            log.warning("brain not warm in time", brain=self._settings.where, timeout_s=self._settings.warm_timeout_s)
        except openai.OpenAIError as error:
            log.warning("brain could not be warmed", brain=self._settings.where, error=type(error).__name__)
        except Exception as error:  # The call must not suffer for a courtesy.
            log.warning("brain could not be warmed", brain=self._settings.where, error=type(error).__name__)

    async def _touch(self) -> None:
        settings = self._settings
        if settings.warm == "connect":
            await self._client.get(_probe_url(settings), cast_to=object)
            return
        # One token: loads the model, and leaves our system prompt in the endpoint's prefix cache.
        messages: list[dict[str, object]] = [{"role": "user", "content": "Hello."}]
        if settings.system_prompt:
            messages.insert(0, {"role": "system", "content": settings.system_prompt})
        arguments: dict[str, Any] = {
            "model": settings.model,
            "messages": messages,
            settings.reply_limit_field: 16 if settings.reply_limit_field == "max_completion_tokens" else 1,
        }
        add_session(arguments, {}, settings, WARMING_SESSION)
        async with self._client.chat.completions.with_streaming_response.create(**arguments) as response:
            await response.read()


def _probe_url(settings: BrainSettings) -> str:
    """Something cheap to fetch: OpenClaw's readiness, everybody else's list of models."""
    if settings.preset == "openclaw":
        parts = urlsplit(settings.base_url)
        return urlunsplit((parts.scheme, parts.netloc, "/readyz", "", ""))
    return f"{settings.base_url}/models"
