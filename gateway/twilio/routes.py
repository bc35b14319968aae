"""Where Twilio knocks."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.routing import BaseRoute, Route, WebSocketRoute

from gateway.observing import GatewayMetrics
from gateway.settings import GatewaySettings
from gateway.switchboard import Switchboard
from gateway.tokens import MemoryTokenLedger, TokenLedger, TokenMint
from gateway.twilio.signature import SignatureCheck
from gateway.twilio.stream import StreamEndpoint
from gateway.twilio.webhook import RESUME_PATH, STREAM_PATH, TwilioWebhooks


def twilio_routes(
    switchboard: Switchboard,
    *,
    settings: GatewaySettings,
    public_url: str,
    metrics: GatewayMetrics,
    ledger: TokenLedger | None = None,
    wall_clock: Callable[[], float] = time.time,
) -> list[BaseRoute]:
    """Twilio's routes. `public_url` is the settings' with its port filled in; `ledger` is in memory by default."""
    auth_token = settings.twilio.auth_token.get_secret_value()
    signatures = SignatureCheck(auth_token=auth_token, public_url=public_url)
    mint = TokenMint(auth_token.encode(), ttl_s=settings.stream.token_ttl_s, now=wall_clock)
    webhooks = TwilioWebhooks(
        switchboard,
        settings=settings,
        public_url=public_url,
        signatures=signatures,
        mint=mint,
        metrics=metrics,
    )
    stream = StreamEndpoint(
        switchboard,
        settings=settings,
        signatures=signatures,
        mint=mint,
        ledger=ledger or MemoryTokenLedger(now=wall_clock),
        metrics=metrics,
    )
    return [
        Route("/voice/webhook", webhooks.voice, methods=["POST"]),
        Route(RESUME_PATH + "/{nonce}", webhooks.resume, methods=["POST"]),
        Route("/voice/status", webhooks.status, methods=["POST"]),
        WebSocketRoute(STREAM_PATH, stream),
    ]
