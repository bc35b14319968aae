"""What stands for the world around the engine in virtual time, as figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Models:
    """Delays of everything that is not the engine. Milliseconds."""

    stt_ms: float = 80.0
    """From a finalize, or from a partial's last sample, to its transcript."""
    partial_every_ms: float = 300.0
    brain_ms: float = 50.0
    """From the request to the first content."""
    writing_ms: float = 30.0
    """From the first content to the last."""
    voice_ms: float = 15.0
    """From the first clause to its first sound."""
    line_ms: float = 4.0
    """One way between the engine and the caller's end, gateway included."""
    frame_ms: float = 20.0
    """What the line sends at once: a window is known when the frame with its last sample was sent."""
    detector_lag_ms: float = 1.5
    """Of the resampler before the detector."""
    mark_every_ms: float = 200.0


def window_known_ms(end_ms: float, models: Models) -> float:
    """When the engine learns of the window that ends at ``end_ms`` of media time."""
    frames = -(-(end_ms + models.detector_lag_ms) // models.frame_ms)
    return frames * models.frame_ms + models.line_ms
