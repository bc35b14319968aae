"""Reading what a transcription server answered. Nothing in it is trusted: neither its shape nor its words."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stt_service.engines.interface import Word
from stt_service.engines.openai_compatible.languages import to_bcp47
from stt_service.settings import OpenAiServerSettings

# What Whisper models write for silence and noise: the ends of the subtitles they were trained on. Dropped when it is
# all of an answer that brings no scores to judge it by.
_BOILERPLATE = frozenset(
    (
        "thank you for watching",
        "thanks for watching",
        "thank you so much for watching",
        "thank you for watching and see you next time",
        "please subscribe",
        "please subscribe to my channel",
        "like and subscribe",
        "subtitles by the amara.org community",
        "subtitles by amara.org",
        "untertitel der amara.org-community",
        "untertitel im auftrag des zdf für funk, 2017",
        "sous-titres réalisés par la communauté d'amara.org",
        "subtítulos realizados por la comunidad de amara.org",
        "sottotitoli creati dalla comunità amara.org",
        "legendas pela comunidade amara.org",
        "ondertiteld door de amara.org gemeenschap",
        "ご視聴ありがとうございました",
        "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
    )
)


class UnreadableError(Exception):
    """It is no transcription; the message says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server understood."""

    text: str
    language: str
    """BCP 47; empty where the server did not say."""
    confidence: float
    """Geometric mean of the tokens' probabilities, 0 to 1; 0 where the server gives no scores."""
    words: tuple[Word, ...]


def read_answer(body: bytes, settings: OpenAiServerSettings) -> Answer:
    """Read a JSON answer, plain or verbose. Raises UnreadableError."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableError("it is not JSON") from None
    if not isinstance(found, dict):
        raise UnreadableError("it is not a JSON object")
    # whisper.cpp once answered errors with status 200.
    if "error" in found and "text" not in found:
        raise UnreadableError("it is an error")
    text = found.get("text")
    if not isinstance(text, str):
        raise UnreadableError("it has no text")
    segments = [segment for segment in _objects(found.get("segments")) if isinstance(segment.get("text"), str)]
    language = to_bcp47(found["language"]) if isinstance(found.get("language"), str) else ""
    judged = [segment for segment in segments if _number(segment.get("avg_logprob")) is not None]
    if not judged:
        return Answer("" if _is_boilerplate(text) else _plain(text), language, 0.0, tuple(_words(found, segments)))
    kept = [segment for segment in segments if not _is_doubtful(segment, settings)]
    if len(kept) < len(segments):
        text = " ".join(segment["text"].strip() for segment in kept)
    words = _words(found, kept) if len(kept) == len(segments) else _words({}, kept)
    return Answer(_plain(text), language, _confidence(kept), tuple(words))


def _plain(text: str) -> str:
    """One line: whisper.cpp writes each segment on its own."""
    return " ".join(text.split())


def _is_boilerplate(text: str) -> bool:
    return _plain(text).lower().strip(" .!?…。！♪[]()") in _BOILERPLATE


def _is_doubtful(segment: dict[str, Any], settings: OpenAiServerSettings) -> bool:
    """As Whisper itself judges: nobody spoke and it is unsure, it is very unsure, or it repeats itself."""
    log_prob = _number(segment.get("avg_logprob"))
    silence = _number(segment.get("no_speech_prob")) or 0.0
    repetition = _number(segment.get("compression_ratio")) or 0.0
    unsure = log_prob is not None and log_prob < settings.log_prob_threshold
    nobody = silence > settings.no_speech_threshold and (log_prob is None or log_prob < settings.log_prob_threshold / 2)
    return unsure or nobody or repetition > settings.compression_ratio_threshold


def _confidence(segments: list[dict[str, Any]]) -> float:
    weight = total = 0.0
    for segment in segments:
        log_prob = _number(segment.get("avg_logprob"))
        if log_prob is not None:
            weight += len(segment["text"])
            total += len(segment["text"]) * log_prob
    return math.exp(min(0.0, total / weight)) if weight else 0.0


def _words(found: dict[str, Any], segments: list[dict[str, Any]]) -> Iterator[Word]:
    """Words at the top (OpenAI, Speaches, vLLM) or within the segments (whisper.cpp)."""
    listed = _objects(found.get("words")) or [word for segment in segments for word in _objects(segment.get("words"))]
    for word in listed:
        text, start, end = word.get("word"), _number(word.get("start")), _number(word.get("end"))
        if isinstance(text, str) and text.strip() and start is not None and end is not None and 0 <= start <= end:
            yield Word(text.strip(), start, end, min(1.0, max(0.0, _number(word.get("probability")) or 0.0)))


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    """A finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
