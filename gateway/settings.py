"""What can be set for the gateway: the `[gateway]` section, parsed once at start and frozen."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from servicekit.server import DrainSettings
from servicekit.settings import SettingsModel

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class InboundSettings(SettingsModel):
    """Who may call in."""

    policy: Literal["disabled", "allowlist", "open"] = "disabled"
    allow: tuple[str, ...] = ()
    """Callers let in under `allowlist`, in E.164 (`+15005550006`)."""

    @model_validator(mode="after")
    def _allowlist_is_not_empty(self) -> Self:
        if self.policy == "allowlist" and not self.allow:
            raise ValueError("policy 'allowlist' with an empty `allow` refuses everybody: list the callers")
        return self


class TwilioSettings(SettingsModel):
    """The Twilio account whose calls are taken."""

    enabled: bool = False
    account_sid: str = ""
    auth_token: SecretStr = SecretStr("")
    apology: str = "I am sorry, something went wrong. Please call again later."
    """Said by Twilio's own voice when ours cannot be reached any more."""
    apology_language: str = "en-US"

    # Checked field by field, so that the mistake is reported under the setting's own name.
    @field_validator("account_sid")
    @classmethod
    def _account_is_known(cls, account_sid: str, info: ValidationInfo) -> str:
        if info.data.get("enabled") and not account_sid:
            raise ValueError("must be set when Twilio is enabled: it says whose calls are taken")
        return account_sid

    @field_validator("auth_token")
    @classmethod
    def _requests_can_be_checked(cls, auth_token: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("enabled") and not auth_token.get_secret_value():
            raise ValueError(
                "must be set when Twilio is enabled (or auth_token_file): without it no request can be told from a "
                "forged one"
            )
        return auth_token


class OrchestratorSettings(SettingsModel):
    """Where conversations are held, and how long a caller waits for one."""

    target: str = "127.0.0.1:50051"
    prepare_timeout_s: Seconds = 1.5
    """How long the telephone rings on while the orchestrator is asked to make ready."""
    ready_timeout_s: Seconds = 5.0
    """How long one attempt to open a conversation may take."""
    patience_s: Seconds = 12.0
    """How long a call is held without any orchestrator before it ends with an apology."""
    write_stall_s: Seconds = 5.0
    """An orchestrator that takes no message for so long counts as dead."""
    profile: str = ""
    language: str = ""


class StreamSettings(SettingsModel):
    """Limits on the media socket."""

    token_ttl_s: Seconds = 30.0
    start_deadline_s: Seconds = 5.0
    idle_s: Seconds = 10.0
    """A line that sends nothing for so long is dead (a live one sends 50 messages a second)."""
    stall_s: Seconds = 5.0
    """A line that takes nothing for so long is closed."""
    resume_wait_s: Seconds = 10.0
    """How long a call waits for its line to come back after the socket was lost."""
    max_resumes: Annotated[int, Field(ge=0, le=50)] = 5
    max_frame_bytes: Annotated[int, Field(ge=1024, le=1 << 20)] = 65_536
    max_malformed: Annotated[int, Field(ge=1)] = 20
    """Malformed messages after which the socket is closed."""
    speed_cap: Annotated[float, Field(ge=1.0, le=10.0)] = 1.25
    """Caller's audio is taken at this multiple of real time at most; what exceeds it is dropped."""
    speed_burst_s: Annotated[float, Field(ge=1.0, le=60.0)] = 10.0
    """Audio that may arrive at once, as after a hiccup of the network."""
    retain_s: Annotated[float, Field(ge=1.0, le=60.0)] = 60.0
    """Caller's audio kept since the last checkpoint, for a successor orchestrator."""
    ping_interval_s: Seconds = 20.0
    ping_timeout_s: Seconds = 20.0


class PlayoutSettings(SettingsModel):
    """How the agent's audio is sent to the line."""

    max_ahead_ms: Annotated[int, Field(ge=100, le=5_000)] = 1_000
    chunk_ms: Annotated[int, Field(ge=20, le=500)] = 100
    """Audio per message once a playout runs; the first goes out at once, whatever its size."""
    mark_timeout_ms: Annotated[int, Field(ge=100, le=10_000)] = 1_500
    """A mark that is not echoed so long after its audio should have played is reckoned by the clock."""
    max_queued_ms: Annotated[int, Field(ge=1_000, le=300_000)] = 30_000
    """Agent audio that may wait to be sent; what exceeds it is dropped and counted."""


class WebSettings(SettingsModel):
    """Deadlines and limits on the public port."""

    header_deadline_s: Seconds = 5.0
    body_deadline_s: Seconds = 5.0
    keep_alive_s: Annotated[int, Field(ge=1, le=600)] = 5
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 20)] = 65_536
    max_connections: Annotated[int, Field(ge=1)] = 1_000


class TransferSettings(SettingsModel):
    """To whom a call may be passed: names the agent may say, and the numbers behind them."""

    targets: dict[str, str] = Field(default_factory=dict)

    @field_validator("targets")
    @classmethod
    def _are_numbers(cls, targets: dict[str, str]) -> dict[str, str]:
        for name, number in targets.items():
            digits = number.removeprefix("+")
            if not digits.isdigit() or not number.startswith("+") or len(digits) > 15:
                raise ValueError(f"target {name!r} needs a number in E.164, such as +15005550006")
        return {name.strip().casefold(): number for name, number in targets.items()}


class GatewaySettings(SettingsModel):
    """Everything of `[gateway]`."""

    listen: str = "127.0.0.1:8080"
    max_calls: Annotated[int, Field(ge=1, le=10_000)] = 50
    inbound: InboundSettings = InboundSettings()
    twilio: TwilioSettings = TwilioSettings()
    # After `twilio`, because its validator looks at it.
    public_url: str = ""
    """How the world reaches this gateway, such as `https://voice.example.org`; signatures are checked against it."""
    orchestrator: OrchestratorSettings = OrchestratorSettings()
    stream: StreamSettings = StreamSettings()
    playout: PlayoutSettings = PlayoutSettings()
    web: WebSettings = WebSettings()
    transfer: TransferSettings = TransferSettings()
    drain: DrainSettings = DrainSettings()
    call_log: str = ""
    """Folder for a log of each call, which holds what was said; empty for none."""

    @field_validator("public_url")
    @classmethod
    def _is_the_way_in(cls, url: str, info: ValidationInfo) -> str:
        twilio = info.data.get("twilio")
        if not url:
            if twilio is not None and twilio.enabled:
                raise ValueError("must be set when Twilio is enabled: Twilio signs the address it calls")
            return url
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must look like https://voice.example.org, without query")
        return url.rstrip("/")

    @field_validator("listen")
    @classmethod
    def _is_host_and_port(cls, listen: str) -> str:
        host, separator, port = listen.rpartition(":")
        if not separator or not host or not port.isdigit() or int(port) > 65_535:
            raise ValueError("must be host:port, such as 127.0.0.1:8080 (port 0 lets the system choose)")
        return listen
