"""The real text-to-speech service as a process, with a client's channel to it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from parley.tts.v1 import tts_pb2_grpc
from servicekit.channels import open_channel
from toolbox.otlp import OtlpCollector
from toolbox.serve import ServiceGroup, standard_specs
from toolbox.serve.spec import ServiceSpec

_METRICS_EVERY_S = 1.0


@dataclass(frozen=True)
class RunningVoice:
    """A running service."""

    stub: tts_pb2_grpc.TextToSpeechAsyncStub
    pid: int
    collector: OtlpCollector


@contextlib.asynccontextmanager
async def running_voice(
    *settings: str, config: Path | None = None, more: Sequence[str] = (), ready_timeout_s: float = 120.0
) -> AsyncIterator[RunningVoice]:
    """Start it with these settings, and `more` over them; it ends with the block. It keeps nothing on disk.

    Raises ServiceFailedError.
    """
    async with OtlpCollector() as collector:
        (spec,) = standard_specs(("tts",), any_port=True)
        own = (
            *spec.settings,
            "logs.level=warning",
            "logs.format=json",
            f"telemetry.metrics_endpoint={collector.endpoint}",
            f"telemetry.metrics_interval_s={_METRICS_EVERY_S}",
            "tts.cache.disk_mb=0",
        )
        specs = [ServiceSpec("tts", spec.module, (), (*own, *settings, *more), listen=spec.listen)]
        group = ServiceGroup(specs, config=config, restart=None, ready_timeout_s=ready_timeout_s, stop_timeout_s=8.0)
        async with group, open_channel(group.address("tts")) as channel:
            yield RunningVoice(tts_pb2_grpc.TextToSpeechStub(channel), group.pid("tts"), collector)
