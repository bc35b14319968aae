"""A model of the buffer at the far end of the line: what is in there, and how much of it was played by now. Sans-IO.

The line plays what it is given first in, first out, at real time; echoes a mark when the sound before it was played;
and when emptied gives back every mark it still held, which proves nothing. Until a mark comes back, the clock says
how far playing should have come, less the lag that the echoes so far have shown.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class Sound:
    """A piece of one playout's sound."""

    playout_id: int
    payload: bytes
    begins: int
    """Bytes of the playout before this piece."""
    starts_at: float = 0.0
    """When the line should begin to play it; meaningless until sent."""
    ends_at: float = 0.0


@dataclass(slots=True)
class Mark:
    """A point in one playout's sound."""

    playout_id: int
    mark: int
    position: int
    """Bytes of the playout before this mark."""
    last: bool
    name: str = ""
    """What the line echoes; empty until sent."""
    due_at: float = 0.0


class LineBuffer:
    """What was sent to one line after another and is not known to be heard."""

    def __init__(self, *, bytes_per_second: int, mark_timeout_s: float) -> None:
        self._rate = bytes_per_second
        self._mark_timeout_s = mark_timeout_s
        self._items: deque[Sound | Mark] = deque()
        self._by_name: dict[str, Mark] = {}
        self._given_up: deque[str] = deque(maxlen=64)
        self._generation = 0
        self._marks_trusted = True
        self._lag_s = 0.0
        self.ends_at = 0.0
        """When the line will have played everything."""

    def __bool__(self) -> bool:
        return bool(self._items)

    # ------------------------------------------------------------------------------------------------ filling

    def push_sound(self, sound: Sound, now: float) -> None:
        """This was sent to the line."""
        sound.starts_at = max(now, self.ends_at)
        self.ends_at = sound.ends_at = sound.starts_at + len(sound.payload) / self._rate
        self._items.append(sound)

    def push_mark(self, mark: Mark, now: float) -> str:
        """This mark is to be sent to the line, under the name returned."""
        # The playout is for whoever reads the line's log. The generation tells an echo of this mark from one that an
        # emptied buffer gives back under its old name.
        mark.name = f"{mark.playout_id}.{mark.mark}.{self._generation}"
        mark.due_at = max(now, self.ends_at)
        self._items.append(mark)
        self._by_name[mark.name] = mark
        return mark.name

    # ----------------------------------------------------------------------------------------------- emptying

    def echoed(self, name: str, now: float) -> list[Mark]:
        """The marks that were reached by this echo, oldest first; none if it is unknown, late or repeated."""
        reached = self._by_name.get(name)
        if reached is None:
            if name in self._given_up:
                self._marks_trusted = True
            return []
        self._marks_trusted = True
        # Of the time an echo takes beyond the reckoned one, half is the way back: the rest is how late the line plays.
        excess_s = min(max(now - reached.due_at, 0.0), 1.0) / 2
        self._lag_s += (excess_s - self._lag_s) * 0.2
        return self._pop_through(reached)

    def given_up(self, now: float) -> list[Mark]:
        """The marks that must have been reached by now though no echo came, oldest first."""
        marks: list[Mark] = []
        while (mark := self._first_mark()) is not None and self._gives_up_at(mark) <= now:
            # From here on the clock is believed, lest every mark hold the orchestrator up for the whole timeout.
            self._marks_trusted = False
            self._given_up.append(mark.name)
            marks += self._pop_through(mark)
        return marks

    def heard_unmarked(self, now: float) -> list[Sound]:
        """Sound that no mark follows and that must have been played by now."""
        heard: list[Sound] = []
        if self._first_mark() is None:
            while self._items and isinstance(first := self._items[0], Sound):
                if first.ends_at + self._mark_timeout_s > now:
                    break
                heard.append(first)
                self._items.popleft()
        return heard

    def take_back(self, *, above: int = 0) -> list[Sound | Mark]:
        """Forget everything, for the line is empty or gone; what is of a playout higher than `above`, in order."""
        kept = [item for item in self._items if item.playout_id > above]
        self._items = deque()
        self._by_name.clear()
        self._generation += 1
        return kept

    def discard(self, through: int) -> list[Mark]:
        """Forget what is of `through` or a lower playout; the marks among it."""
        marks = [item for item in self._items if isinstance(item, Mark) and item.playout_id <= through]
        for mark in marks:
            self._by_name.pop(mark.name, None)
        self._items = deque(item for item in self._items if item.playout_id > through)
        return marks

    def begin(self, now: float) -> None:
        """The line's buffer is empty from now on."""
        self.ends_at = now

    def trust_marks(self) -> None:
        """Another line: give its marks the benefit of the doubt."""
        self._marks_trusted = True

    # ---------------------------------------------------------------------------------------------- questions

    def marks(self, through: int) -> list[Mark]:
        """The marks of `through` and lower playouts that are out."""
        return [item for item in self._items if isinstance(item, Mark) and item.playout_id <= through]

    def holds(self, through: int) -> bool:
        """Whether anything of `through` or a lower playout is out."""
        return any(item.playout_id <= through for item in self._items)

    def sounds_above(self, above: int, now: float) -> bool:
        """Whether a playout higher than `above` should be sounding already."""
        later = (item for item in self._items if item.playout_id > above)
        return any(isinstance(item, Sound) and item.starts_at <= now for item in later)

    def position(self, playout_id: int, heard: int, now: float) -> int:
        """Bytes of the playout that were played by now, of which `heard` are certain.

        Never beyond the first mark that has not come back: what it stands for is not proved.
        """
        position = heard
        for item in self._items:
            if item.playout_id != playout_id:
                continue
            if isinstance(item, Mark):
                return min(position, item.position)
            played = (now - self._lag_s - item.starts_at) * self._rate
            if played > 0:
                position = max(position, item.begins + min(int(played), len(item.payload)))
        return position

    def deadline(self) -> float | None:
        """When the oldest mark is given up."""
        mark = self._first_mark()
        return None if mark is None else self._gives_up_at(mark)

    # ------------------------------------------------------------------------------------------------- inside

    def _first_mark(self) -> Mark | None:
        return next(iter(self._by_name.values()), None)

    def _gives_up_at(self, mark: Mark) -> float:
        return mark.due_at + (self._mark_timeout_s if self._marks_trusted else self._lag_s)

    def _pop_through(self, reached: Mark) -> list[Mark]:
        """The line plays in order, so whatever came before the mark was reached too."""
        marks: list[Mark] = []
        while self._items:
            item = self._items.popleft()
            if isinstance(item, Mark):
                del self._by_name[item.name]
                marks.append(item)
                if item is reached:
                    break
        return marks
