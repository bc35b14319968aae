"""Reading one TwiML element's attributes: whatever does not fit the schema becomes a 12200 and the default."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypeVar
from xml.etree.ElementTree import Element

from toolbox.phone.notices import SCHEMA_VALIDATION, Notice

T = TypeVar("T")
Method = Literal["GET", "POST"]


class Attributes:
    """The attributes of one element; each is taken once, what is left at `done()` is unknown to Twilio."""

    def __init__(self, element: Element, notices: list[Notice]) -> None:
        self.element = element
        self._left = dict(element.attrib)
        self._notices = notices

    def warn(self, detail: str) -> None:
        """Report a schema violation of this element."""
        self._notices.append(Notice(SCHEMA_VALIDATION, f"<{self.element.tag}>: {detail}"))

    def text(self, name: str, default: str = "") -> str:
        """Any text."""
        return self._left.pop(name, default)

    def one_of(self, name: str, allowed: Iterable[str], default: str) -> str:
        """One of some words."""
        words = tuple(allowed)
        return self._take(name, default, lambda value: value if value in words else None, f"one of {', '.join(words)}")

    def method(self, name: str = "method") -> str:
        """GET or POST."""
        return self.one_of(name, ("GET", "POST"), "POST")

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number within bounds."""
        return self._take(name, default, lambda value: _whole(value, low, high), f"a whole number {low} to {high}")

    def optional_whole(self, name: str, low: int, high: int) -> int | None:
        """A whole number within bounds, or nothing."""
        return self._take(name, None, lambda value: _whole(value, low, high), f"a whole number {low} to {high}")

    def flag(self, name: str, *, default: bool) -> bool:
        """`true` or `false`."""
        return self._take(name, default, {"true": True, "false": False}.get, "true or false")

    def keys(self, name: str, default: str) -> str:
        """Digits, `*` and `#`."""

        def valid(value: str) -> str | None:
            return value if set(value) <= set("0123456789*#") else None

        return self._take(name, default, valid, "digits, * and #")

    def words(self, name: str, allowed: Iterable[str], default: tuple[str, ...]) -> tuple[str, ...]:
        """Words separated by blanks."""
        known = tuple(allowed)

        def read(value: str) -> tuple[str, ...] | None:
            found = tuple(value.split())
            return found if found and all(word in known for word in found) else None

        return self._take(name, default, read, f"some of {', '.join(known)}")

    def ignore(self, *names: str) -> None:
        """Take attributes that Twilio knows and this line does not act on."""
        for name in names:
            self._left.pop(name, None)

    def done(self) -> None:
        """Report what is left."""
        for name in self._left:
            self.warn(f"attribute {name!r} is not allowed here")

    def _take(self, name: str, default: T, read: Callable[[str], T | None], expected: str) -> T:
        if name not in self._left:
            return default
        value = read(self._left.pop(name).strip())
        if value is None:
            self.warn(f"attribute {name!r} must be {expected}")
            return default
        return value


def _whole(value: str, low: int, high: int) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 9 and low <= int(value) <= high else None
