"""What a tester may turn: everything Twilio does not document, and the bounds of the simulation."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATE_HZ = 8000
"""Telephone audio: μ-law, one byte a sample."""

MULAW_SILENCE = 0xFF
"""The μ-law code of sample 0."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """Settings of one simulated Twilio. Times are seconds, sizes bytes.

    The fields marked (u) stand for behaviour that Twilio leaves undocumented: a gateway must be right for any value.
    """

    # The voice webhook.
    webhook_timeout_s: float = 15.0
    """Total time a webhook may take before error 11205."""
    max_twiml_bytes: int = 64 * 1024
    """A larger document is error 11750."""
    max_steps: int = 200
    """Documents one call may fetch before it is ended: a loop of redirects is a fault, not a feature. (u)"""

    # The media stream.
    allow_plain_ws: bool = True
    """Accept `ws://` where the host is loopback. The real service accepts `wss://` only (31922)."""
    handshake_timeout_s: float = 10.0
    """From connect to 101. (u)"""
    stream_idle_timeout_s: float | None = None
    """End a stream whose server has sent nothing for so long. (u)"""
    max_message_bytes: int = 1024 * 1024
    """A larger message from the server is a protocol error (31924). (u)"""
    playout_cap_s: float = 600.0
    """Audio buffered beyond this is dropped. (u)"""
    fall_through_delay_s: float = 0.0
    """From the end of a stream to the next verb. (u)"""
    frame_bytes: int = 160
    """Audio per media message: 20 ms is usual, not promised."""

    # Time that passes in calls.
    ring_s: float = 0.0
    """How long an inbound call rings before its webhook is answered by the call."""
    time_limit_s: float = 4 * 3600.0
    """The longest call."""
    say_s_per_character: float = 0.0
    """How long `<Say>` lasts when no `say_voice` renders it."""
    voice_floor_dbfs: float = -45.0
    """A 20 ms frame louder than this counts as voice: in recordings' silence time-out and in what was heard."""
    underrun_limit_s: float = 0.5
    """A longer hole between two pieces of agent audio is a pause the agent meant, not an underrun."""

    # Callbacks.
    status_callback_copies: int = 1
    """How often each status callback is delivered: the real service may repeat them."""
    status_callback_shuffle: bool = False
    """Deliver the later event of each pair first: the real service promises no order."""

    # Recordings over REST.
    recording_misses: int = 0
    """How many fetches of a recording's media are answered 404 before the file is there."""

    # Bounds.
    max_calls: int = 1000
    """Live calls of one simulated Twilio."""
    kept_calls: int = 1000
    """Ended calls that the REST API still lists."""
    kept_call_audio: int = 100
    """Ended calls that still hold their audio; the oldest lose it first."""
    kept_audio_s: float = 3600.0
    """Audio kept per direction of a call; older audio is dropped."""
    websocket_close_s: float = 1.0
    """How long a closing handshake may take before the socket is dropped."""
