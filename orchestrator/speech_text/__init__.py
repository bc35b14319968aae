"""From what a model writes to what a voice says: markup out, segments early, and the way back for what was heard."""

from orchestrator.speech_text.chunker import SpeechChunker
from orchestrator.speech_text.segment import SpeechSegment

__all__ = ["SpeechChunker", "SpeechSegment"]
