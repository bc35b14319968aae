"""From what a model writes to what a voice says: markup out, numbers in words, segments early, and the way back for
what was heard."""

from orchestrator.speech_text.chunker import Numbers, SpeechChunker
from orchestrator.speech_text.numbers import prepare as prepare_speech_text
from orchestrator.speech_text.segment import SpeechSegment
from orchestrator.speech_text.settings import SpeechTextSettings

__all__ = ["Numbers", "SpeechChunker", "SpeechSegment", "SpeechTextSettings", "prepare_speech_text"]
