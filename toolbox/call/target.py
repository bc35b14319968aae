"""Which gateway to call, and with which account."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gateway import GatewaySettings
from servicekit.settings import SettingsError, load


@dataclass(frozen=True)
class Target:
    """A gateway's webhook and the account that signs for it."""

    webhook_url: str
    account_sid: str
    auth_token: str = field(repr=False)


def target_of(url: str, account_sid: str, auth_token: str, config: Path | None) -> Target:
    """Fill what was not given from the gateway's own settings.

    Raises:
        LookupError: Something is neither given nor set; the message says what to do.
    """
    if url and auth_token and account_sid:
        return Target(url, account_sid, auth_token)
    if config is None and Path("parley.toml").is_file():
        config = Path("parley.toml")
    try:
        settings = load("gateway", GatewaySettings, config=config).service
    except SettingsError as error:
        raise LookupError(f"the gateway's settings cannot be used:\n{error}") from None
    url = url or (f"{settings.public_url}/voice/webhook" if settings.public_url else "")
    account_sid = account_sid or settings.twilio.account_sid
    auth_token = auth_token or settings.twilio.auth_token.get_secret_value()
    missing = {"--url": url, "--account-sid": account_sid, "--auth-token": auth_token}
    if absent := [name for name, value in missing.items() if not value]:
        raise LookupError(f"give {', '.join(absent)}, or name the gateway's settings file with --config")
    return Target(url, account_sid, auth_token)
