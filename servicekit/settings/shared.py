"""The sections that every service reads besides its own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from servicekit.settings.model import SettingsModel


def _collector(value: str) -> str:
    address = value.strip().removeprefix("http://").removeprefix("https://").rstrip("/")
    if address and not address.startswith(("unix:", "dns:", "ipv4:", "ipv6:")):
        host, _, port = address.rpartition(":")
        if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError("should be host:port of an OTLP/gRPC collector, such as 127.0.0.1:4317")
    return address


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _listen(value: str) -> str:
    address = value.strip()
    if not address.startswith(("unix:", "unix-abstract:")):
        host, _, port = address.rpartition(":")
        if not (host and port.isascii() and port.isdigit() and int(port) < 65536):
            raise ValueError("should be host:port, such as 127.0.0.1:50051; port 0 lets the system choose")
    return address


Collector = Annotated[str, AfterValidator(_collector)]
"""``host:port`` of an OTLP/gRPC collector, or empty."""
ListenAddress = Annotated[str, AfterValidator(_listen)]
"""``host:port`` or ``unix:path`` that a server listens on."""


class TelemetrySettings(SettingsModel):
    """Section ``[telemetry]``: where traces and metrics go; both off by default."""

    traces_endpoint: Collector = ""
    """``host:port`` of an OTLP/gRPC collector for spans; empty turns them off."""
    metrics_endpoint: Collector = ""
    """``host:port`` of an OTLP/gRPC collector for metrics; empty turns them off."""
    metrics_interval_s: float = Field(default=10.0, gt=0)
    """Seconds between two exports of metrics."""
    insecure: bool = True
    """Plain text to the collector; false means TLS with the system's roots."""
    service_instance: str = ""
    """Name of this replica in traces; empty takes host and process id."""


class LogSettings(SettingsModel):
    """Section ``[logs]``: how a process tells what it does."""

    format: Annotated[Literal["auto", "json", "console"], BeforeValidator(_lower)] = "auto"
    """``console`` for people, ``json`` for machines; ``auto`` asks whether standard error is a terminal."""
    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    """Least severe level that is written."""
    show_private: bool = False
    """Write what was said. Telephone numbers and tokens stay masked even then."""
