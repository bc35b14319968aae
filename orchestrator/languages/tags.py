"""BCP 47 tags, as far as a conversation needs them."""

from __future__ import annotations

from collections.abc import Iterable


def primary(tag: str) -> str:
    """The primary subtag, lower case: "en" of "en-GB"; "" of an empty tag."""
    return tag.replace("_", "-").split("-", maxsplit=1)[0].strip().lower()


def same_language(tag: str, other: str) -> bool:
    """Whether two tags name one language, whatever their regions."""
    return bool(tag) and primary(tag) == primary(other)


def allowed_as(tag: str, allowed: Iterable[str]) -> str | None:
    """The allowed tag that stands for a language, the exact one first; None where the language is not allowed.

    "en" is spoken as "en-GB" where that is what is allowed.
    """
    candidates = [candidate for candidate in allowed if same_language(tag, candidate)]
    exact = [candidate for candidate in candidates if candidate.lower() == tag.replace("_", "-").lower()]
    return next(iter(exact or candidates), None)
