"""Parley's text-to-speech service: one contract, `parley.tts.v1`, behind it the engine that the settings choose.

The public face for other packages is the embedded voice; importing it loads neither eSpeak NG nor torch.
"""

from tts_service.espeak import EspeakError, espeak_speech

__all__ = ["EspeakError", "espeak_speech"]
