"""Everything one call needs on one machine: the four services, a brain, a collector of traces, a telephone line."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from toolbox.demo_brain import MODEL, DemoBrain
from toolbox.otlp import OtlpCollector
from toolbox.phone import Knobs, SimulatedTwilio
from toolbox.serve import SERVICES, ServiceGroup, ServiceSpec, standard_specs

CALLER, PARLEY = "+15005550006", "+15005550001"
_ACCOUNT = "AC" + "0" * 32


@dataclass(frozen=True)
class Stage:
    """A running house and the line that leads to it; ``phone.call(to=PARLEY, from_=CALLER)`` reaches it."""

    group: ServiceGroup
    brain: DemoBrain
    collector: OtlpCollector
    phone: SimulatedTwilio
    call_logs: Path

    @property
    def gateway_url(self) -> str:
        """Base URL of the gateway's public port."""
        return f"http://{self.group.address('gateway')}"


@asynccontextmanager
async def stage(
    folder: Path,
    *,
    greeting: str = "Hello, this is Parley. What can I do for you?",
    settings: Sequence[str] = (),
    config: Path | None = None,
    services: Sequence[str] = SERVICES,
    brain: DemoBrain | None = None,
    knobs: Knobs | None = None,
    on_line: Callable[[str, str], None] | None = None,
    on_started: Callable[[], None] | None = None,
) -> AsyncIterator[Stage]:
    """Start it all; when the block ends all is stopped, and the services have flushed their spans and call logs.

    Args:
        folder: Where the call logs go.
        greeting: The agent's first words.
        settings: ``section.key=value`` for the services, over what the stage itself sets.
        config: Settings file for the services, below what the stage sets.
        services: Which of Parley's services to start; the settings say where the others are.
        brain: The brain to use, not yet started; a DemoBrain unless given.
        knobs: The simulated line's.
        on_line: Given each line of the services' output.
        on_started: Called when all is ready.

    Raises:
        ServiceFailedError: A service could not start; it says why.
    """
    token = secrets.token_hex(16)
    async with (
        OtlpCollector() as collector,
        brain or DemoBrain() as running_brain,
        # Outlived by brain and collector, so that the services' last words and spans find somebody.
        ServiceGroup(
            [
                _with(spec, _own(greeting, folder / "calls", running_brain, collector), settings, token)
                for spec in standard_specs(services, any_port=True)
            ],
            config=config,
            on_line=on_line,
        ) as group,
        SimulatedTwilio(_ACCOUNT, token, knobs=knobs) as phone,
    ):
        phone.add_number(PARLEY, f"http://{group.address('gateway')}/voice/webhook")
        if on_started is not None:
            on_started()
        yield Stage(group, running_brain, collector, phone, folder / "calls")


def _own(greeting: str, calls: Path, brain: DemoBrain, collector: OtlpCollector) -> tuple[str, ...]:
    return (
        "logs.format=json",
        f"telemetry.traces_endpoint={collector.endpoint}",
        "stt.engine=pocketsphinx",
        "tts.engine=espeak",
        "orchestrator.brain.preset=openai",
        f"orchestrator.brain.base_url={brain.base_url}",
        f"orchestrator.brain.model={MODEL}",
        f"orchestrator.prompts.greeting={greeting}",
        "gateway.public_url=http://127.0.0.1:{port}",
        "gateway.inbound.policy=open",
        "gateway.twilio.enabled=true",
        f"gateway.twilio.account_sid={_ACCOUNT}",
        f"gateway.call_log={calls}",
    )


def _with(spec: ServiceSpec, own: Sequence[str], settings: Sequence[str], token: str) -> ServiceSpec:
    return ServiceSpec(
        name=spec.name,
        module=spec.module,
        settings=(*own, *spec.settings, *settings),
        listen=spec.listen,
        # A command line can be read by every user of the machine; an environment cannot.
        environment={"PARLEY_GATEWAY__TWILIO__AUTH_TOKEN": token} if spec.name == "gateway" else {},
    )
