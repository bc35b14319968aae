"""Masking what logs must not hold: telephone numbers, tokens, and what was said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

SECRET: Final = "[secret]"
NUMBER: Final = "[number]"

_TEXT_KEYS: Final = frozenset(
    ("transcript", "text", "heard", "said", "prompt", "content", "utterance", "reply", "answer", "question", "words",
     "history", "messages", "arguments")
)  # fmt: skip
_NUMBER_KEYS: Final = frozenset(
    ("caller", "caller_id", "caller_name", "dialled", "dialed", "from", "from_number", "to", "to_number", "number",
     "phone", "phone_number", "forwarded_from", "digits")
)  # fmt: skip
_SECRET_KEY: Final = re.compile(
    r"(^|[_\-.])(token|secret|password|passphrase|authorization|authorisation|cookie|credentials?|signature|nonce"
    r"|api_?key|auth_token|access_key|private_key|bearer)s?$",
    re.IGNORECASE,
)

_SECRETS: Final = (
    # Authorization headers and what looks like one.
    (re.compile(r"\b(bearer|basic)(\s+|%20)[A-Za-z0-9._~+/=\-]{6,}", re.IGNORECASE), rf"\1 {SECRET}"),
    # JSON Web Tokens, and other dotted base64url such as our stream tokens.
    (re.compile(r"\beyJ[A-Za-z0-9_\-]{5,}(\.[A-Za-z0-9_\-]*){1,4}"), SECRET),
    # API keys by their customary prefixes.
    (re.compile(r"\b(sk|pk|rk|ghp|gho|xox[abp]|hf|glpat)[-_][A-Za-z0-9_\-]{8,}"), SECRET),
    # Credentials within a URL: user and password, or a query parameter or a form field that names itself.
    (re.compile(r"(\w+://)[^/\s:@]+:[^/\s@]+@"), rf"\1{SECRET}@"),
    (
        re.compile(
            r"\b((?:[a-z]+_)?(?:token|secret|password|passwd|signature|api_?key|apikey|key|nonce|authorization))"
            r"(['\"]?\s*[=:]\s*['\"]?)(?!\[secret\]|bearer\b|basic\b)[^\s&'\",;)}\]]{4,}",
            re.IGNORECASE,
        ),
        rf"\1\2{SECRET}",
    ),
    # The gateway's resume path holds a nonce.
    (re.compile(r"(/voice/resume/)[^\s/?#'\"]+"), rf"\1{SECRET}"),
)
_NUMBERS: Final = (
    # E.164 and its customary punctuation.
    re.compile(r"(?<![\w+])\+\d(?:[\s().\-]{0,2}\d){6,14}(?!\d)"),
    # A bare run of digits long enough for a number with area code; not part of an id or a decimal fraction.
    re.compile(r"(?<![\w.\-:/])\d{10,15}(?![\w.\-])"),
)
_DEEPEST: Final = 8


def mask_secrets(text: str) -> str:
    """Replace whatever looks like a token, a password or a key inside a text."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def mask_numbers(text: str) -> str:
    """Replace whatever looks like a telephone number inside a text."""
    for pattern in _NUMBERS:
        text = pattern.sub(NUMBER, text)
    return text


def masked(key: str, value: Any, *, show_private: bool, depth: int = 0) -> Any:
    """A value as it may be logged under ``key``: by the key's name first, by what its text looks like otherwise.

    ``show_private`` lets through what was said, never numbers nor tokens.
    """
    if value is None or isinstance(value, bool):
        return value
    name = key.lower()
    if _SECRET_KEY.search(name) and not (name.endswith("tokens") and isinstance(value, int | float)):
        return SECRET  # a number of tokens is what a model counts
    if name in _NUMBER_KEYS:
        return NUMBER
    if isinstance(value, int | float):
        return value
    if name in _TEXT_KEYS and not show_private:
        return f"[{name}, {len(value)} long]" if hasattr(value, "__len__") else f"[{name}]"
    return _inspected(value, show_private=show_private, depth=depth)


def _inspected(value: Any, *, show_private: bool, depth: int) -> Any:
    """A value whose key says nothing, masked by what it looks like."""
    if isinstance(value, str):
        return mask_numbers(mask_secrets(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping | list | tuple | set | frozenset) and depth >= _DEEPEST:
        return "[too deep]"
    if isinstance(value, Mapping):
        return {
            str(key): masked(str(key), item, show_private=show_private, depth=depth + 1) for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [masked("", item, show_private=show_private, depth=depth + 1) for item in value]
    return mask_numbers(mask_secrets(str(value)))
