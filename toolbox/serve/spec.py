"""What a group runs: which process, with which settings, after which others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Exit status of a process whose settings are wrong (servicekit.process); starting it again would change nothing.
EXIT_SETTINGS = 2
# A bare `$` is left alone: a password may hold one.
_REFERENCE = re.compile(r"\$\{([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)\}")


@dataclass(frozen=True)
class ServiceSpec:
    """One process of a group.

    Attributes:
        name: What the group and its log call it, such as ``gateway``.
        module: Run as ``python -m module``; takes servicekit.process's flags.
        arguments: Further command line, before the settings.
        settings: ``section.key=value``, each passed as ``--set``. A value may name an address of another process of
            the group as ``${stt}`` (its only or first address) or ``${gateway.http}``; that process starts first.
        listen: The setting that holds its listen address. A restarted process gets the port it had, so that nobody
            has to be told; empty when it has none.
        environment: Added to this process's own.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    listen: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs(self) -> frozenset[str]:
        """Names of the processes whose addresses its settings hold."""
        return frozenset(found.partition(".")[0] for one in self.settings for found in _REFERENCE.findall(one))


def wire(settings: Sequence[str], addresses: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Fill addresses into settings.

    Raises:
        KeyError: A setting names a process or an address that is not there.
    """
    known = {}
    for name, by_key in addresses.items():
        if by_key:
            known[name] = next(iter(by_key.values()))
        known |= {f"{name}.{key}": address for key, address in by_key.items()}
    return [_REFERENCE.sub(lambda found: known[found[1]], setting) for setting in settings]


def start_order(specs: Sequence[ServiceSpec]) -> list[list[ServiceSpec]]:
    """Sort into waves: each needs only processes of the waves before it.

    Raises:
        ValueError: A name is used twice, or processes need one another or one that is not there.
    """
    if len({spec.name for spec in specs}) != len(specs):
        raise ValueError("two processes of a group have the same name")
    waves: list[list[ServiceSpec]] = []
    started: set[str] = set()
    waiting = list(specs)
    while waiting:
        wave = [spec for spec in waiting if spec.needs <= started]
        if not wave:
            unmet = {spec.name: sorted(spec.needs - started) for spec in waiting}
            raise ValueError(f"these processes wait for one another or for unknown ones: {unmet}")
        waves.append(wave)
        started |= {spec.name for spec in wave}
        waiting = [spec for spec in waiting if spec not in wave]
    return waves
