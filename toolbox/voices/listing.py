"""A voice as the command shows it."""

from __future__ import annotations

from dataclasses import dataclass

from parley.tts.v1 import tts_pb2
from servicekit.enum_names import enum_name


@dataclass(frozen=True)
class ListedVoice:
    """One voice; `gender` is female, male, neutral or empty."""

    name: str
    display_name: str
    languages: tuple[str, ...]
    gender: str
    engine: str
    is_default: bool


def listed(voice: tts_pb2.Voice, info: tts_pb2.GetInfoResponse) -> ListedVoice:
    """A voice of the contract, with what GetInfo knows besides."""
    gender = enum_name(tts_pb2.Gender, voice.gender, "GENDER_")
    return ListedVoice(
        name=voice.name,
        display_name=voice.display_name,
        languages=tuple(voice.languages),
        gender="" if gender == "unspecified" else gender,
        engine=voice.engine or info.engine,
        is_default=voice.name == info.default_voice,
    )
