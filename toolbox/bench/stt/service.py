"""The service under measurement: the real process with one model of random weights."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from toolbox.bench.stt.client import SttClient, client_of
from toolbox.bench.stt.plan import TOKENS
from toolbox.serve import ServiceGroup, ServiceSpec

_SPARE_SLOTS = 8


@contextlib.asynccontextmanager
async def stt_service(model: Path, slots: int, settings: Sequence[str] = ()) -> AsyncIterator[tuple[SttClient, int]]:
    """Run the service on a model; yields a client and the process's id. Raises ServiceFailedError."""
    own = (
        "stt.listen=127.0.0.1:0",
        "stt.engine=faster-whisper",
        f"stt.whisper.model={model}",
        "stt.whisper.device=cpu",
        f"stt.capacity={slots + _SPARE_SLOTS}",
        # Random weights are never sure of anything: with these shut, no text would come out at all.
        "stt.whisper.log_prob_threshold=-100",
        "stt.whisper.compression_ratio_threshold=1000",
        "stt.whisper.no_speech_threshold=1",
        f"stt.whisper.max_tokens={TOKENS}",
        "logs.level=warning",
        "logs.format=json",
    )
    spec = ServiceSpec("stt", "stt_service", (), (*own, *settings))
    async with ServiceGroup([spec], restart=None) as group, client_of(group.address("stt")) as client:
        yield client, group.pid("stt")
