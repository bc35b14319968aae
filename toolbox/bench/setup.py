"""The set-up that benches measure: the real gateway and orchestrator between instant engines."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toolbox.instant.brain import REPLY
from toolbox.otlp import OtlpCollector
from toolbox.serve import RestartPolicy, ServiceGroup, ServiceSpec, free_port, standard_specs

_TO = "+15005550006"
_QUESTION = "what time is it"
# Fewer exports than that would leave the end of a short run out of its histograms.
_METRICS_EVERY_S = 1.0


@dataclass(frozen=True)
class EngineDelays:
    """What the engines would cost if they were real. Milliseconds."""

    stt_final_ms: float = 0.0
    tts_first_audio_ms: float = 0.0
    llm_first_token_ms: float = 0.0
    llm_token_ms: float = 0.0


NO_DELAYS = EngineDelays()


@dataclass(frozen=True)
class BenchSetup:
    """A running set-up and how to call it."""

    group: ServiceGroup
    collector: OtlpCollector
    webhook_url: str
    account_sid: str
    auth_token: str = field(repr=False)
    to: str = _TO

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by service."""
        return self.group.pids()


@contextlib.asynccontextmanager
async def bench_setup(
    *,
    calls: int,
    delays: EngineDelays = NO_DELAYS,
    config: Path | None = None,
    settings: Sequence[str] = (),
) -> AsyncIterator[BenchSetup]:
    """Start gateway, orchestrator and instant engines, each a process; all end with the block.

    Args:
        calls: How many calls must fit.
        delays: What the engines shall cost.
        config: Settings file for gateway and orchestrator.
        settings: ``section.key=value``, over everything that the bench sets.

    Raises:
        ServiceFailedError: One of them cannot start.
    """
    url = f"http://127.0.0.1:{free_port()}"
    account_sid, auth_token = "AC" + secrets.token_hex(16), secrets.token_hex(16)
    async with OtlpCollector() as collector:
        specs = [
            *_engines(delays, calls),
            _with(
                "orchestrator",
                f"orchestrator.max_calls={calls + 4}",
                "orchestrator.brain.preset=none",
                "orchestrator.brain.base_url=http://${brain}/v1",
                "orchestrator.brain.model=instant",
                "orchestrator.prompts.greeting=Hello! How can I help you?",
            ),
            _with(
                "gateway",
                f"gateway.listen={url.removeprefix('http://')}",
                f"gateway.public_url={url}",
                f"gateway.max_calls={calls + 4}",
                "gateway.inbound.policy=open",
                "gateway.twilio.enabled=true",
                f"gateway.twilio.account_sid={account_sid}",
                # A command line can be read by every user of the machine; an environment cannot.
                environment={"PARLEY_GATEWAY__TWILIO__AUTH_TOKEN": auth_token},
            ),
        ]
        shared = (
            "logs.level=warning",
            "logs.format=json",
            f"telemetry.metrics_endpoint={collector.endpoint}",
            f"telemetry.metrics_interval_s={_METRICS_EVERY_S}",
        )
        specs = [
            ServiceSpec(
                name=spec.name,
                module=spec.module,
                arguments=spec.arguments,
                settings=(*shared, *spec.settings, *settings),
                listen=spec.listen,
                environment=spec.environment,
            )
            for spec in specs
        ]
        # A process that dies under measurement spoils it: the figures must not hide it behind a restart.
        policy: RestartPolicy | None = None
        async with ServiceGroup(specs, config=config, stop_timeout_s=8.0, restart=policy) as group:
            yield BenchSetup(group, collector, f"{url}/voice/webhook", account_sid, auth_token)


def _engines(delays: EngineDelays, calls: int) -> list[ServiceSpec]:
    capacity = max(16, 2 * calls)
    return [
        ServiceSpec(
            "stt",
            "toolbox.instant",
            ("stt",),
            (
                "stt.listen=127.0.0.1:0",
                f"stt.capacity={capacity}",
                f"stt.transcripts={_QUESTION}",
                f"stt.final_ms={delays.stt_final_ms}",
            ),
        ),
        ServiceSpec(
            "tts",
            "toolbox.instant",
            ("tts",),
            (
                "tts.listen=127.0.0.1:0",
                f"tts.capacity={capacity}",
                "tts.strict=false",
                f"tts.first_audio_ms={delays.tts_first_audio_ms}",
            ),
        ),
        ServiceSpec(
            "brain",
            "toolbox.instant",
            (
                *("brain", "--reply", REPLY),
                *("--first-token-ms", str(delays.llm_first_token_ms), "--token-ms", str(delays.llm_token_ms)),
            ),
        ),
    ]


def _with(name: str, *settings: str, environment: dict[str, str] | None = None) -> ServiceSpec:
    """One of Parley's own services between the engines, on a port of the system's choice."""
    (spec,) = [spec for spec in standard_specs(any_port=True) if spec.name == name]
    return ServiceSpec(spec.name, spec.module, (), (*spec.settings, *settings), environment=environment or {})
