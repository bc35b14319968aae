"""Languages as clients name them (BCP 47) and as engines know them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stt_service.engines.interface import LanguageUnsupportedError

# Tags that name the same language, or one that recognisers do not tell apart, by the one that engines use.
_SAME = {"nb": "no", "fil": "tl", "iw": "he", "in": "id", "ji": "yi", "cmn": "zh"}


def primary(tag: str) -> str:
    """The language itself of a BCP 47 tag, without script, region and the rest: ``en-GB`` is ``en``."""
    language = tag.replace("_", "-").split("-", 1)[0].lower()
    return _SAME.get(language, language)


def understood(wanted: Sequence[str], known: Iterable[str], *, detect: bool) -> tuple[str, ...]:
    """Those of the ``wanted`` tags that an engine of the ``known`` languages understands, in their order.

    Empty when nothing was asked for. Without ``detect`` only the first counts, since the caller is certain of it.
    Raises LanguageUnsupportedError when none remains.
    """
    asked = list(wanted if detect else wanted[:1])
    languages = {primary(tag) for tag in known}
    kept = tuple(tag for tag in asked if primary(tag) in languages)
    if asked and not kept:
        few = ", ".join(sorted(languages)[:12]) + (", …" if len(languages) > 12 else "")
        raise LanguageUnsupportedError(f"none of {', '.join(asked)} is understood; this model understands {few}")
    return kept
