"""Cleaning sound as the wire carries it, so that speech to text may hear it cleaned."""

from __future__ import annotations

from orchestrator.clean_up.cleaning import CleanUp, open_clean_up
from orchestrator.clean_up.settings import CleanUpSettings
from parley.audio.v1 import audio_pb2
from servicekit.audio import WireDecoder, WireEncoder


def open_wire_clean_up(settings: CleanUpSettings, fmt: audio_pb2.AudioFormat) -> WireCleanUp | None:
    """The clean-up of one caller's payloads, for speech detection and speech to text alike.

    None unless the settings ask for it by ``for_recognition``. Errors as of `open_clean_up`.
    """
    clean_up = open_clean_up(settings, fmt.sample_rate_hz) if settings.for_recognition else None
    return WireCleanUp(clean_up, fmt) if clean_up is not None else None


class WireCleanUp:
    """Cleans one caller's payloads in a format of the wire. Not thread-safe; one instance per call."""

    def __init__(self, clean_up: CleanUp, fmt: audio_pb2.AudioFormat) -> None:
        """Clean payloads of ``fmt`` by ``clean_up``, which nobody else uses."""
        self._clean_up = clean_up
        self._decoder = WireDecoder(fmt)
        self._encoder = WireEncoder(fmt.sample_rate_hz, fmt)

    def clean(self, payload: bytes) -> bytes:
        """Take the next payload, give the cleaned sound that is ready: as much, where payloads are whole 10 ms.

        It sounds up to 9 ms later than what came in, for all that hear it alike.
        """
        return self._encoder.encode(self._clean_up.process(self._decoder.decode(payload)))
