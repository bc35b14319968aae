"""Recordings of an account, as the REST API serves them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from toolbox.phone.capture import recording_seconds
from toolbox.phone.identifiers import new_sid
from toolbox.phone.wav import mulaw_to_wav


@dataclass(eq=False)
class Recording:
    """One recording: μ-law channels of equal length."""

    call_sid: str
    channels: tuple[bytes, ...]
    source: str
    started: datetime
    misses_left: int = 0
    """Fetches of the media still answered 404: the file is not there at once."""
    sid: str = field(default_factory=lambda: new_sid("RE"))

    @property
    def seconds(self) -> int:
        """The reported duration."""
        return recording_seconds(self.channels[0])

    def fetch_wav(self) -> bytes | None:
        """The file, or None while it is not ready."""
        if self.misses_left > 0:
            self.misses_left -= 1
            return None
        return mulaw_to_wav(*self.channels)


class RecordingShelf:
    """Keeps the newest recordings of an account."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, Recording] = OrderedDict()

    def add(self, recording: Recording) -> Recording:
        """Keep a recording; the oldest goes when the shelf is full."""
        self._kept[recording.sid] = recording
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return recording

    def get(self, sid: str) -> Recording | None:
        """One recording."""
        return self._kept.get(sid)

    def remove(self, sid: str) -> bool:
        """Delete one; whether it was there."""
        return self._kept.pop(sid, None) is not None

    def newest_first(self) -> list[Recording]:
        """All of them."""
        return list(reversed(self._kept.values()))
