"""Stream tokens: signed, short-lived, bound to one carrier call, good for one stream.

A token is `kind.expiry.id.signature`. The signature covers the carrier's call id too, which the token does not carry:
a token shown by another call is indistinguishable from a forged one. Single use is an insert into a `TokenLedger` at
the stream's start; without a ledger the signature and the short expiry still stand.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

MAX_TOKEN_CHARS = 200


class TokenKind(enum.Enum):
    """What a token opens."""

    FIRST = "f"
    RESUME = "r"
    """May supersede a live stream of its call."""


class TokenRejectedError(Exception):
    """The token opens nothing; the text says why, for a log, and holds no part of the token."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token whose signature and expiry were found good."""

    kind: TokenKind
    token_id: str
    expires_at: float
    """Seconds since the epoch."""


class TokenLedger(Protocol):
    """Remembers which tokens were used, at least until they expire."""

    async def use(self, token: Token) -> bool:
        """Mark the token as used, atomically. False when it was used before."""


class MemoryTokenLedger:
    """The ledger of a single gateway process, bounded: a token is forgotten once it has expired."""

    def __init__(self, *, now: Callable[[], float], capacity: int = 100_000) -> None:
        self._now = now
        self._capacity = capacity
        self._used: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._used)

    async def use(self, token: Token) -> bool:
        """Mark the token as used. False when it was used before, or when no more can be remembered."""
        if token.token_id in self._used:
            return False
        now = self._now()
        # Tokens are issued with one lifetime, so the oldest entry is the first to expire.
        while self._used and next(iter(self._used.values())) < now:
            self._used.popitem(last=False)
        if len(self._used) >= self._capacity:
            return False
        self._used[token.token_id] = token.expires_at
        return True


class TokenMint:
    """Issues and checks tokens with one secret, which replicas of a gateway share."""

    def __init__(self, secret: bytes, *, ttl_s: float, now: Callable[[], float]) -> None:
        """`now` gives seconds since the epoch: expiry has to mean the same to every replica."""
        # A key of its own purpose, so that the secret it comes from signs nothing but what it was made for.
        self._key = hmac.new(secret, b"parley stream token v1", hashlib.sha256).digest()
        self._ttl_s = ttl_s
        self._now = now

    def issue(self, kind: TokenKind, carrier_call_id: str) -> str:
        """A new token for this call."""
        body = f"{kind.value}.{int(self._now() + self._ttl_s)}.{secrets.token_urlsafe(12)}"
        return f"{body}.{self._signature(body, carrier_call_id)}"

    def check(self, text: str, carrier_call_id: str) -> Token:
        """The token behind the text.

        Raises:
            TokenRejectedError: it is malformed, was not issued by us for this call, or has expired.
        """
        if len(text) > MAX_TOKEN_CHARS or not text.isascii():
            raise TokenRejectedError("malformed")
        body, _, signature = text.rpartition(".")
        if not hmac.compare_digest(signature, self._signature(body, carrier_call_id)):
            raise TokenRejectedError("not issued for this call")
        kind, expiry, token_id = body.split(".")
        if int(expiry) < self._now():
            raise TokenRejectedError("expired")
        return Token(TokenKind(kind), token_id, float(expiry))

    def _signature(self, body: str, carrier_call_id: str) -> str:
        digest = hmac.new(self._key, f"{body}|{carrier_call_id}".encode("utf-8", "replace"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
