"""Which brain answers, and how it is asked."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from servicekit.settings import SettingsModel

Preset: TypeAlias = Literal["openclaw", "ollama", "vllm", "openai", "none"]

TELEPHONE_MANNERS: Final = (
    "You are talking with somebody on the telephone; what you write is read aloud. Answer in one to three short, "
    "plain sentences unless you are asked for more. Write no markdown, lists, tables, emoji, links or code. If words "
    "seem misheard, ask. When the caller says goodbye, say goodbye."
)

# What each preset fills in where nothing else was set. Facts about OpenClaw: docs/, and its own handbook's chapter on
# the OpenAI-compatible endpoint (off until gateway.http.endpoints.chatCompletions.enabled).
_PRESETS: Final[dict[str, dict[str, Any]]] = {
    "openclaw": {
        "base_url": "http://127.0.0.1:18789/v1",
        "model": "openclaw/default",
        "stateful": True,
        "session_header": "x-openclaw-session-key",
        "warm": "request",
        "warm_timeout_s": 10.0,  # Its first request after a start takes up to 6.5 s.
    },
    "ollama": {"base_url": "http://127.0.0.1:11434/v1", "model": "llama3.2", "warm": "request"},
    "vllm": {"base_url": "http://127.0.0.1:8000/v1", "model": "default", "warm": "request"},
    "openai": {"base_url": "https://api.openai.com/v1", "model": "gpt-4.1-mini", "warm": "connect"},
    "none": {},
}


class BrainSettings(SettingsModel):
    """Settings of `[orchestrator.brain]`; a preset fills in whatever is not set."""

    preset: Preset = "openclaw"
    # The endpoint up to and with /v1.
    base_url: str = ""
    model: str = ""
    # Sent as a bearer token; give api_key_file instead to read it from a file.
    api_key: SecretStr = SecretStr("")
    # Sent with every request, such as a proxy's own key.
    extra_headers: dict[str, SecretStr] = Field(default_factory=dict)

    # First message of each request; empty sends none.
    system_prompt: str = TELEPHONE_MANNERS
    # What the model can read at once, prompt and reply together; oldest turns are left out beyond it.
    max_context_tokens: int = Field(default=8192, ge=256)
    max_reply_tokens: int = Field(default=1024, ge=1)
    # How the endpoint calls that limit; OpenAI's reasoning models want max_completion_tokens.
    reply_limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    # Longest reply in characters, whatever the endpoint says; the rest is cut off.
    max_reply_chars: int = Field(default=8000, ge=1)
    # None leaves it to the endpoint.
    temperature: float | None = Field(default=None, ge=0, le=2)
    # True for a model whose chat template opens <think> in the prompt, so that replies begin in reasoning.
    reasoning_open: bool = False

    # Whether the brain keeps the conversation itself: then only the newest turn is sent.
    stateful: bool = False
    # Header that carries the call's id to a stateful brain; empty sends the id as `user`.
    session_header: str = ""
    # `safe`: may be asked questions that are perhaps thrown away; `auto`: whenever it is stateless.
    speculation: Literal["auto", "safe", "off"] = "auto"

    # While the telephone rings: `request` asks for one token, `connect` opens the connection, `off` does nothing.
    warm: Literal["off", "connect", "request"] = "connect"
    warm_timeout_s: float = Field(default=5.0, gt=0)
    # A brain that answered within this time counts as warm.
    warm_for_s: float = Field(default=240.0, ge=0)

    connect_timeout_s: float = Field(default=2.0, gt=0)
    # From the question to the last word.
    total_timeout_s: float = Field(default=120.0, gt=0)
    # Tries in all where asking again is safe, before the first byte of an answer.
    attempts: int = Field(default=2, ge=1, le=5)
    # Send the W3C trace context along, so that a brain that traces joins the turn's trace.
    propagate_trace: bool = True

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        preset = data.get("preset", "openclaw")
        filled = dict(_PRESETS.get(preset, {})) if isinstance(preset, str) else {}
        # An empty string means "not set", so that an unset environment variable in a manifest is harmless.
        filled.update({name: value for name, value in data.items() if name not in filled or value != ""})
        return filled

    @field_validator("base_url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if not url:
            return url
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http:// or https:// address, such as http://127.0.0.1:11434/v1")
        if parts.username or parts.password:
            raise ValueError("must hold no user or password; use api_key or extra_headers")
        if parts.query or parts.fragment:
            raise ValueError("must hold no query; use extra_headers")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _check_together(self) -> BrainSettings:
        if not self.base_url:
            raise ValueError('base_url must be set when preset is "none"')
        if not self.model:
            raise ValueError('model must be set when preset is "none"')
        if self.stateful and self.speculation == "safe":
            raise ValueError("speculation must be off for a stateful brain: it would remember thrown-away questions")
        if self.max_reply_tokens >= self.max_context_tokens:
            raise ValueError("max_reply_tokens must be smaller than max_context_tokens")
        return self

    @property
    def speculation_safe(self) -> bool:
        """Whether a reply may be begun before it is certain that the caller has finished."""
        return self.speculation != "off" and not self.stateful

    @property
    def where(self) -> str:
        """Host and port, for messages and spans."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
