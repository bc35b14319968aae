"""Languages as Whisper names them."""

from __future__ import annotations

from stt_service.engines.languages import primary

# Whisper's one code that is not BCP 47's: Javanese.
_FROM_WHISPER = {"jw": "jv"}
_TO_WHISPER = {"jv": "jw"}


def whisper_code(tag: str) -> str:
    """Whisper's code of a BCP 47 tag's language, which the model may not know."""
    language = primary(tag)
    return _TO_WHISPER.get(language, language)


def language_of(code: str) -> str:
    """BCP 47 of Whisper's code."""
    return _FROM_WHISPER.get(code, code)
