"""Client channels between services: spread over replicas, away from draining ones, alive through silence."""

from __future__ import annotations

import json
from typing import Any, Final

import grpc
import grpc.aio

MAX_MESSAGE_BYTES: Final = (1 << 20) + (1 << 12)
"""Largest message taken by default: a payload of 1 MiB, the contracts' limit, and its envelope."""


def open_channel(
    target: str, *, service: str = "", max_message_bytes: int = MAX_MESSAGE_BYTES, secure: bool = False
) -> grpc.aio.Channel:
    """Open a channel to ``target``; it connects when first used and reconnects by itself.

    Args:
        target: ``host:port`` or any gRPC name; a headless Kubernetes service (``dns:///name:port``) spreads load.
        service: Full service name whose health decides where new RPCs go; empty asks for the server's overall health.
        max_message_bytes: Largest message sent or received.
        secure: Use TLS with the system's roots.

    Running streams stay where they are when a server starts draining; only new ones go elsewhere.
    """
    options = channel_options(service=service, max_message_bytes=max_message_bytes)
    if secure:
        return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=options)
    return grpc.aio.insecure_channel(target, options=options)


def channel_options(*, service: str = "", max_message_bytes: int = MAX_MESSAGE_BYTES) -> list[tuple[str, Any]]:
    """gRPC options of every client channel, for whoever opens one in another way."""
    config = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": service}}
    return [
        ("grpc.service_config", json.dumps(config)),
        # A firewall forgets silent connections. Servers of ours allow a ping every 10 s; 30 s pleases others too.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 0),
        # Flow control is the only bound on what a peer that does not read lets us pile up. With the bandwidth probe
        # it grows to 4 MiB, eight minutes of μ-law; without, and with this look-ahead, to 16 KiB, two seconds.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 16_384),
        # A call is waiting: try a returning server after a tenth of a second, not after 20 s.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1_000),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.dns_min_time_between_resolutions_ms", 1_000),
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        # Speech goes from service to service and through no proxy that an environment happens to name.
        ("grpc.enable_http_proxy", 0),
    ]
