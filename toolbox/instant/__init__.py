"""Engines that cost next to nothing: what is measured with them is Parley itself.

``python -m toolbox.instant stt|tts|brain`` runs one as a process that keeps its contract: a recogniser that knows its
transcript beforehand, a voice rendered once at start, a model that always says the same. Delays are settings, so that
any real engine's timing can be put in their place.
"""

from toolbox.instant.settings import InstantSttSettings, InstantTtsSettings

__all__ = ["InstantSttSettings", "InstantTtsSettings"]
