"""Speech to text behind the contract ``parley.stt.v1``: one RPC per utterance, engines chosen by settings."""

from stt_service.serve import run
from stt_service.service import SERVICE_NAME, SpeechToText
from stt_service.settings import (
    MoonshineSettings,
    OpenAiServerSettings,
    PocketsphinxSettings,
    SttSettings,
    WhisperSettings,
)

__all__ = [
    "SERVICE_NAME",
    "MoonshineSettings",
    "OpenAiServerSettings",
    "PocketsphinxSettings",
    "SpeechToText",
    "SttSettings",
    "WhisperSettings",
    "run",
]
