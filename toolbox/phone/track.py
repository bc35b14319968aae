"""A stretch of μ-law audio addressed by sample position, with holes filled by silence and a bounded past."""

from __future__ import annotations

from toolbox.phone.knobs import MULAW_SILENCE

_SILENCE = bytes([MULAW_SILENCE])


class Track:
    """A growing 8 kHz μ-law track. Position 0 is the moment the call was answered."""

    def __init__(self, kept_samples: int) -> None:
        self._kept = kept_samples
        self._base = 0
        self._audio = bytearray()

    def __len__(self) -> int:
        """The position after the last sample."""
        return self._base + len(self._audio)

    @property
    def base(self) -> int:
        """The first position that is still kept."""
        return self._base

    def write(self, position: int, audio: bytes) -> None:
        """Append audio at a position at or after the end; a hole before it becomes silence."""
        hole = position - len(self)
        if hole < 0:
            raise ValueError("a track is written in order")
        if hole:
            self._audio += _SILENCE * min(hole, self._kept)
            self._base += max(0, hole - self._kept)
        self._audio += audio
        # Trimmed in steps of a tenth, so that a long call does not shift its bytes at every frame.
        if len(self._audio) > self._kept + self._kept // 10:
            excess = len(self._audio) - self._kept
            del self._audio[:excess]
            self._base += excess

    def truncate(self, position: int) -> None:
        """Forget everything from a position on."""
        del self._audio[max(0, position - self._base) :]

    def read(self, start: int, end: int) -> bytes:
        """The audio of [start, end); silence where nothing is kept or written."""
        kept_start = min(max(start, self._base), max(end, start))
        before = _SILENCE * (kept_start - start)
        audio = bytes(self._audio[max(0, kept_start - self._base) : max(0, end - self._base)])
        return before + audio + _SILENCE * (end - start - len(before) - len(audio))
