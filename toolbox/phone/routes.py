"""Where requests really go: a public origin may be served by a local address, as behind a reverse proxy.

Signatures and URLs stay the public ones, so a gateway configured for `https://voice.example` is called at
`http://127.0.0.1:8080` exactly as the real Twilio would call it through its proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit, urlunsplit

_SECURE = {"https": True, "wss": True, "http": False, "ws": False}


class Routes:
    """Maps origins (`https://voice.example`) to origins (`http://127.0.0.1:8080`); the rest goes where it says."""

    def __init__(self, origins: Mapping[str, str] | None = None) -> None:
        self._origins = {_origin(urlsplit(public)): urlsplit(local) for public, local in (origins or {}).items()}

    def actual(self, url: str) -> str:
        """The URL to connect to; its scheme stays of the same family (http or ws)."""
        parts = urlsplit(url)
        local = self._origins.get(_origin(parts))
        if local is None:
            return url
        family = "ws" if parts.scheme in ("ws", "wss") else "http"
        scheme = family + ("s" if _SECURE.get(local.scheme, True) else "")
        return urlunsplit((scheme, local.netloc, parts.path, parts.query, parts.fragment))


def _origin(parts: SplitResult) -> tuple[bool, str, int]:
    secure = _SECURE.get(parts.scheme, True)
    return secure, parts.hostname or "", parts.port or (443 if secure else 80)
