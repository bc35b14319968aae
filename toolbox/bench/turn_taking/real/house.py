"""The house a real run measures: gateway, orchestrator and voice as processes, a brain of set speed, a recogniser."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolbox.bench.turn_taking.real.oracle import OracleSpeechToText, serving_oracle
from toolbox.bench.turn_taking.replies import AGENT_VOICE, GREETING
from toolbox.otlp import OtlpCollector
from toolbox.phone import SimulatedTwilio
from toolbox.serve import ServiceGroup, ServiceSpec, standard_specs

CALLED = "+15005550006"
BRAIN_MS = 50.0


@dataclass(frozen=True)
class House:
    """A running house; ``oracle`` is None where the embedded recogniser listens."""

    phone: SimulatedTwilio
    collector: OtlpCollector
    group: ServiceGroup
    oracle: OracleSpeechToText | None
    call_logs: Path


@contextlib.asynccontextmanager
async def house(
    folder: Path,
    *,
    reply: str,
    calls: int,
    oracle_ms: float | None,
    config: Path | None,
    settings: Sequence[str],
) -> AsyncIterator[House]:
    """Start it; all ends with the block.

    Args:
        folder: Where the call logs go.
        reply: What the brain says to everything.
        calls: How many calls must fit at once.
        oracle_ms: Delay of the oracle; None runs the embedded recogniser.
        config: Settings file for the services.
        settings: ``section.key=value``, over everything that the bench sets.

    Raises:
        ServiceFailedError: A process cannot start.
    """
    account_sid, token = "AC" + secrets.token_hex(16), secrets.token_hex(16)
    logs = folder / "calls"
    async with contextlib.AsyncExitStack() as stack:
        collector = await stack.enter_async_context(OtlpCollector())
        oracle, target = None, ""
        if oracle_ms is not None:
            oracle, target = await stack.enter_async_context(serving_oracle(oracle_ms))
        specs = _specs(logs, collector.endpoint, reply, calls, target, account_sid, token, settings)
        group = await stack.enter_async_context(ServiceGroup(specs, config=config, stop_timeout_s=8.0, restart=None))
        phone = await stack.enter_async_context(SimulatedTwilio(account_sid, token, rest_port=None))
        phone.add_number(CALLED, f"http://{group.address('gateway')}/voice/webhook")
        yield House(phone, collector, group, oracle, logs)


def _specs(
    logs: Path,
    metrics: str,
    reply: str,
    calls: int,
    stt: str,
    account_sid: str,
    token: str,
    settings: Sequence[str],
) -> list[ServiceSpec]:
    own = {
        "stt": ("stt.engine=pocketsphinx",),
        "tts": ("tts.engine=espeak",),
        "orchestrator": (
            f"orchestrator.max_calls={calls + 4}",
            "orchestrator.brain.preset=none",
            "orchestrator.brain.base_url=http://${brain}/v1",
            "orchestrator.brain.model=instant",
            f"orchestrator.tts.voice={AGENT_VOICE}",
            f"orchestrator.prompts.greeting={GREETING}",
            *((f"orchestrator.stt.target={stt}",) if stt else ()),
        ),
        "gateway": (
            "gateway.public_url=http://127.0.0.1:{port}",
            f"gateway.max_calls={calls + 4}",
            "gateway.inbound.policy=open",
            "gateway.twilio.enabled=true",
            f"gateway.twilio.account_sid={account_sid}",
            f"gateway.call_log={logs}",
        ),
    }
    names = ("tts", "orchestrator", "gateway") if stt else ("stt", "tts", "orchestrator", "gateway")
    shared = (
        "logs.level=warning",
        "logs.format=json",
        f"telemetry.metrics_endpoint={metrics}",
        "telemetry.metrics_interval_s=1",
    )
    brain = ServiceSpec("brain", "toolbox.instant", ("brain", "--reply", reply, "--first-token-ms", str(BRAIN_MS)))
    # A command line can be read by every user of the machine; an environment cannot.
    secret = {"PARLEY_GATEWAY__TWILIO__AUTH_TOKEN": token}
    return [
        brain,
        *(
            ServiceSpec(
                spec.name,
                spec.module,
                (),
                (*shared, *spec.settings, *own[spec.name], *settings),
                listen=spec.listen,
                environment=secret if spec.name == "gateway" else {},
            )
            for spec in standard_specs(names, any_port=True)
        ),
    ]
