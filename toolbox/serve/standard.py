"""Parley's own four services as a group."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from toolbox.serve.spec import ServiceSpec

# In starting order: name, module, where it finds others.
_TARGETS: dict[str, tuple[str, dict[str, str]]] = {
    "stt": ("stt_service", {}),
    "tts": ("tts_service", {}),
    "orchestrator": ("orchestrator", {"orchestrator.stt.target": "stt", "orchestrator.tts.target": "tts"}),
    "gateway": ("gateway", {"gateway.orchestrator.target": "orchestrator"}),
}
SERVICES = tuple(_TARGETS)


def standard_specs(
    names: Sequence[str] = SERVICES, *, any_port: bool = False, keep: frozenset[str] = frozenset()
) -> list[ServiceSpec]:
    """Parley's services, each told where the others of the group are.

    Args:
        names: Which of SERVICES to run; one that is left out is looked for where the settings say.
        any_port: Let the system choose the ports instead of taking the settings'.
        keep: Names of settings that somebody chose and that are therefore not wired.
    """
    specs = []
    for name in SERVICES:
        if name not in names:
            continue
        module, targets = _TARGETS[name]
        settings = [f"{name}.listen=127.0.0.1:0"] if any_port else []
        settings += [
            f"{setting}=${{{other}}}" for setting, other in targets.items() if other in names and setting not in keep
        ]
        specs.append(ServiceSpec(name=name, module=module, settings=tuple(settings), listen=f"{name}.listen"))
    return specs


def elsewhere(settings: Sequence[str]) -> dict[str, str]:
    """Services that the settings look for at an address of their own, and that address: these need not be run.

    ``orchestrator.stt.target=10.0.0.7:50052`` is the one setting that puts a recogniser of somebody else's in the place
    of ours; not so when ours is told to listen at that very address.
    """
    named = dict(one.partition("=")[::2] for one in settings)
    return {
        service: named[setting]
        for _, targets in _TARGETS.values()
        for setting, service in targets.items()
        if setting in named and named[setting] != named.get(f"{service}.listen")
    }


def free_port() -> int:
    """A port of loopback that is free now: for a process whose settings must name its own address beforehand."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
