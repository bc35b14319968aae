"""What the engine reports of itself: how long work waits, how much is done together, how fast."""

from __future__ import annotations

from servicekit import semconv
from servicekit.telemetry import Telemetry
from stt_service.engines.whisper.scheduling import Batch


class Measures:
    """Histograms of one engine. Any thread may record."""

    def __init__(self, telemetry: Telemetry) -> None:
        """Create the instruments; inert where ``telemetry`` is."""
        self._queue_wait = telemetry.meter.create_histogram(
            semconv.METRIC_STT_QUEUE_WAIT,
            unit="ms",
            description="How long a decode waited for the model",
            explicit_bucket_boundaries_advisory=list(semconv.MS_BUCKETS),
        )
        self._batch_size = telemetry.meter.create_histogram(
            semconv.METRIC_STT_BATCH_SIZE,
            unit="{utterance}",
            description="Utterances in one inference",
            explicit_bucket_boundaries_advisory=list(semconv.BATCH_BUCKETS),
        )
        self._real_time_factor = telemetry.meter.create_histogram(
            semconv.METRIC_STT_REAL_TIME_FACTOR,
            unit="1",
            description="Time of one inference divided by the audio that it understood",
            explicit_bucket_boundaries_advisory=list(semconv.RATIO_BUCKETS),
        )

    def record_batch(self, batch: Batch) -> None:
        """Count what was begun together."""
        attributes = {semconv.VOICE_STT_URGENCY: batch.urgency.name.lower()}
        for wait_s in batch.waits_s:
            self._queue_wait.record(1000 * wait_s, attributes)
        self._batch_size.record(len(batch.waits_s), attributes)

    def record_speed(self, inference_s: float, audio_s: float) -> None:
        """Count a finished inference."""
        if audio_s > 0:
            self._real_time_factor.record(inference_s / audio_s)
