"""Who may call in."""

from __future__ import annotations

from gateway.settings import InboundSettings


def may_call(settings: InboundSettings, caller: str) -> bool:
    """Whether this caller is let in. A withheld number is on no list."""
    if settings.policy == "open":
        return True
    return settings.policy == "allowlist" and caller in settings.allow
