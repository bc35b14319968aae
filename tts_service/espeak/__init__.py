"""eSpeak NG through ctypes: the embedded voice, small, instant, robotic, in 130 languages. Loads nothing on import."""

from tts_service.espeak.library import SAMPLE_RATE_HZ, EspeakError, version
from tts_service.espeak.synthesis import EspeakChunk, WordStart, espeak_speech, speak

__all__ = ["SAMPLE_RATE_HZ", "EspeakChunk", "EspeakError", "WordStart", "espeak_speech", "speak", "version"]
