"""Stream tokens."""

from __future__ import annotations

import pytest

from gateway.tokens import MemoryTokenLedger, TokenKind, TokenMint, TokenRejectedError
from tests.asyncs import async_test


class Wall:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_token_opens_its_own_call_until_it_expires() -> None:
    wall = Wall()
    mint = TokenMint(b"secret", ttl_s=30, now=wall)
    text = mint.issue(TokenKind.RESUME, "CA1")
    token = mint.check(text, "CA1")
    assert token.kind is TokenKind.RESUME
    assert TokenMint(b"secret", ttl_s=30, now=wall).check(text, "CA1") == token  # another replica
    wall.now += 31
    with pytest.raises(TokenRejectedError, match="expired"):
        mint.check(text, "CA1")


@pytest.mark.parametrize("text", ["", ".", "a.b.c.d", "f.9999999999.x.", "é", "x" * 5000, "f" + "." * 10])
def test_what_was_not_issued_is_rejected(text: str) -> None:
    mint = TokenMint(b"secret", ttl_s=30, now=Wall())
    with pytest.raises(TokenRejectedError):
        mint.check(text, "CA1")


def test_a_token_of_another_call_another_secret_or_another_kind_is_rejected() -> None:
    mint = TokenMint(b"secret", ttl_s=30, now=Wall())
    text = mint.issue(TokenKind.FIRST, "CA1")
    assert len(text) < 500
    for other, call in ((mint, "CA2"), (TokenMint(b"other", ttl_s=30, now=Wall()), "CA1")):
        with pytest.raises(TokenRejectedError):
            other.check(text, call)
    with pytest.raises(TokenRejectedError):
        mint.check(TokenKind.RESUME.value + text[1:], "CA1")


@async_test
async def test_the_ledger_takes_each_token_once_and_forgets_the_expired() -> None:
    wall = Wall()
    mint = TokenMint(b"secret", ttl_s=30, now=wall)
    ledger = MemoryTokenLedger(now=wall, capacity=2)
    first, second, third = (mint.check(mint.issue(TokenKind.FIRST, "CA1"), "CA1") for _ in range(3))
    assert await ledger.use(first)
    assert not await ledger.use(first)
    assert await ledger.use(second)
    assert not await ledger.use(third)  # full of tokens that are good still
    wall.now += 60
    later = mint.check(mint.issue(TokenKind.FIRST, "CA1"), "CA1")
    assert await ledger.use(later)
    assert len(ledger) == 1
