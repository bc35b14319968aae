"""What the agent says of itself, per language, as data in ``prompts/``."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from orchestrator.languages.tags import primary

FALLBACK_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class SpokenPrompts:
    """The texts of one language, in a polite telephone register."""

    greeting: str
    apology: str
    apology_with_message_offer: str
    """The brain gave no answer: said instead of one, and offers to take a message."""
    not_understood: str
    fillers: tuple[str, ...]
    """Short things to say while the answer takes long, to be varied."""
    idle_first: str
    idle_second: str
    idle_goodbye: str
    """The last words to a caller who stays silent."""
    call_ending_soon: str
    """Said a minute before the call reaches its longest duration."""
    call_over: str
    transferring: str
    transfer_failed: str
    message_taken: str
    please_go_on: str
    """After a fault that may have cost the caller's last words."""
    goodbye: str

    def with_overrides(self, texts: Mapping[str, str | Sequence[str] | None]) -> SpokenPrompts:
        """These prompts with some texts replaced; empty ones and None leave what is there.

        Raises:
            ValueError: there is no such prompt.
        """
        known = {field.name for field in dataclasses.fields(self)}
        if unknown := sorted(set(texts) - known):
            raise ValueError(f"no prompt is named {unknown[0]!r}; there are {', '.join(sorted(known))}")
        changes: dict[str, Any] = {
            name: (text if isinstance(text, str) else tuple(text)) for name, text in texts.items() if text
        }
        return dataclasses.replace(self, **changes)

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text, fillers included: what to render before it is needed."""
        values = (getattr(self, field.name) for field in dataclasses.fields(self))
        return tuple(text for value in values for text in ((value,) if isinstance(value, str) else value))


@functools.cache
def prompts_of(language: str) -> SpokenPrompts:
    """The prompts of a BCP 47 language, by its primary subtag; English where there are none for it."""
    name = primary(language)
    if name not in spoken_languages():
        return prompts_of(FALLBACK_LANGUAGE)
    source = resources.files(__package__) / "prompts" / f"{name}.toml"
    table = tomllib.loads(source.read_text(encoding="utf-8"))
    texts: dict[str, Any] = {name: (text if isinstance(text, str) else tuple(text)) for name, text in table.items()}
    return SpokenPrompts(**texts)


@functools.cache
def spoken_languages() -> frozenset[str]:
    """Primary subtags of the languages that there are prompts for."""
    names = (entry.name for entry in (resources.files(__package__) / "prompts").iterdir())
    return frozenset(name.removesuffix(".toml") for name in names if name.endswith(".toml"))
