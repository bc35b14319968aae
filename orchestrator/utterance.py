"""Everything that was sent of one utterance, so that another recogniser can be given it from its start."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

_COALESCE_BYTES = 16_384
# A reader that keeps up gets sound in pieces of this length: each message costs both sides more than what is in it.
# Whoever waits for a transcript asks for it by a finalize, which sends everything at once.
PIECE_MS = 60.0


@dataclass(frozen=True, slots=True)
class AudioEntry:
    """A piece of sound."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class FinalizeEntry:
    """A request for a transcript of what lies before it."""

    finalize_id: int


@dataclass(frozen=True, slots=True)
class FinishEntry:
    """The end of the utterance."""


Entry = AudioEntry | FinalizeEntry | FinishEntry


class UtteranceLog:
    """Sound and finalizes of an utterance in order; readers begin at 0 and may begin again.

    Holds at most ``max_bytes`` of sound: what comes beyond is refused, and the utterance is cut there. A waiting reader
    is woken by ``piece_bytes`` of sound, or by a finalize or the end.
    """

    def __init__(self, max_bytes: int, piece_bytes: int = 1) -> None:
        self._entries: list[Entry] = []
        self._room = max_bytes
        self._piece_bytes = piece_bytes
        self._unread = 0
        self._more = asyncio.Event()
        self.last_finalize = 0
        """Highest finalize id asked for; 0 for none."""
        self.finished = False

    def feed(self, payload: bytes) -> bool:
        """Append sound; False when it did not fit."""
        if self.finished or len(payload) > self._room:
            return False
        self._room -= len(payload)
        self._entries.append(AudioEntry(payload))
        self._unread += len(payload)
        if self._unread >= self._piece_bytes:
            self._more.set()
        return True

    def finalize(self, finalize_id: int) -> None:
        """Append a finalize."""
        if not self.finished:
            self.last_finalize = finalize_id
            self._append(FinalizeEntry(finalize_id))

    def finish(self) -> None:
        """Append the end."""
        if not self.finished:
            self.finished = True
            self._append(FinishEntry())

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._more.set()

    async def take(self, position: int) -> tuple[Entry, int]:
        """The entry at ``position``, waiting for it, and the position after it.

        Neighbouring sound comes in one piece, and no finalize that a later one supersedes.
        """
        while True:
            while position >= len(self._entries):
                self._unread = 0
                self._more.clear()
                await self._more.wait()
            entry = self._entries[position]
            position += 1
            if isinstance(entry, FinalizeEntry) and entry.finalize_id < self.last_finalize:
                continue
            if not isinstance(entry, AudioEntry):
                return entry, position
            pieces, size = [entry.payload], len(entry.payload)
            while position < len(self._entries):
                following = self._entries[position]
                if isinstance(following, FinalizeEntry) and following.finalize_id < self.last_finalize:
                    position += 1
                    continue
                if not isinstance(following, AudioEntry) or size + len(following.payload) > _COALESCE_BYTES:
                    break
                pieces.append(following.payload)
                size += len(following.payload)
                position += 1
            return AudioEntry(b"".join(pieces)), position
