"""Durations of the contracts, from and to seconds."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration


def duration(seconds: float) -> Duration:
    """`seconds`, which must not be negative, as a message."""
    # Rounded to the microsecond: a sample lasts 125 of them, and floats bring noise below.
    whole, micros = divmod(round(seconds * 1e6), 1_000_000)
    return Duration(seconds=whole, nanos=micros * 1000)


def in_seconds(message: Duration) -> float:
    """The message in seconds."""
    return message.seconds + message.nanos / 1e9
