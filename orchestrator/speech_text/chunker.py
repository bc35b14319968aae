"""Cutting a reply into segments for the synthesiser while it is still being written."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from orchestrator.speech_text.numbers import number_reader
from orchestrator.speech_text.pieces import Piece
from orchestrator.speech_text.reader import WrittenReader
from orchestrator.speech_text.segment import SpeechSegment
from orchestrator.speech_text.sentences import CLOSERS, SENTENCE_ENDS, Boundaries, Boundary

# Whether numbers are put into words where the language's are known ("auto"), or left to the voice.
Numbers: TypeAlias = Literal["auto", "off"]
FIRST_CLAUSE_ALNUM: Final = 10
FIRST_CLAUSE_CHARS: Final = 60
SENTENCE_CHARS: Final = 20
SEGMENT_CHARS: Final = 200
# What of the text before a place its judging may need.
_TAIL: Final = 48
# From here on, a sign is a word or half a word: it takes as long to say as two or three letters.
_WIDE_FROM: Final = "\u2e80"


class _Place(NamedTuple):
    """Where the text at hand may be cut: `length` characters are said, `consumed` are done with."""

    length: int
    consumed: int
    kind: Boundary
    weight: int
    alnum: int


class SpeechChunker:
    """Turns the deltas of one reply into segments of speech, as early as they are certain.

    The first segment is the first clause with at least 10 letters or digits, at most 60 characters long, so that
    synthesis can begin; the others are sentences of at least 20 characters, cut at a clause or a word beyond 200.
    Wide characters (Chinese, Japanese, Korean) count double. Shorter sentences join the next. Numbers are put into
    words unless `numbers` is "off"; a number is said when it is whole, and not cut if there is any other place.

    The segments depend on the text alone, not on how it was cut into deltas: a decision falls when the character
    behind the blank is known, and never earlier or later than that in the text. Holds at most one segment and what the
    reader holds.
    """

    def __init__(
        self,
        language: str = "en",
        *,
        first_chars: int = FIRST_CLAUSE_CHARS,
        first_alnum: int = FIRST_CLAUSE_ALNUM,
        sentence_chars: int = SENTENCE_CHARS,
        segment_chars: int = SEGMENT_CHARS,
        numbers: Numbers = "auto",
    ) -> None:
        self._reader = WrittenReader(language, number_reader(language) if numbers == "auto" else None)
        self._boundaries = Boundaries(language)
        self._first_chars = first_chars
        self._first_alnum = first_alnum
        self._sentence_chars = sentence_chars
        self._segment_chars = segment_chars
        self._deltas: list[str] = []
        self._written_length = 0
        self._number = 0
        self._start = 0
        self._finished = False
        self._chars: list[str] = []
        self._ends: list[int] = []
        self._weight = 0
        self._alnum = 0
        self._behind_blank = ""
        self._places: list[_Place] = []
        self._ready: list[SpeechSegment] = []

    @property
    def written(self) -> str:
        """All text pushed so far."""
        if len(self._deltas) > 1:
            self._deltas = ["".join(self._deltas)]
        return self._deltas[0] if self._deltas else ""

    def push(self, delta: str) -> list[SpeechSegment]:
        """Segments that are certain with this much more text.

        Raises:
            RuntimeError: after `finish`.
        """
        if self._finished:
            raise RuntimeError("the reply was finished; a new reply needs a new SpeechChunker")
        self._deltas.append(delta)
        self._written_length += len(delta)
        return self._take(self._reader.push(delta))

    def finish(self) -> list[SpeechSegment]:
        """The rest of the reply, which is complete now; nothing when called again."""
        if self._finished:
            return []
        self._finished = True
        self._take_all(self._reader.finish())
        while self._chars and self._chars[-1] == " ":
            self._chars.pop()
            self._ends.pop()
        if self._alnum:
            self._emit(len(self._chars), self._written_length)
        ready, self._ready = self._ready, []
        return ready

    def settle(self) -> list[SpeechSegment]:
        """The whole sentences that are held; for a model that pauses (a tool, a stall) or fails behind a full stop.

        Otherwise a sentence waits for the character behind it, so that "3." can become "3.14", and a short one for
        the next. Call it only when the deltas have stopped for a while: it is the one place where segments depend on
        time.
        """
        if self._finished or not self._alnum:
            return []
        written = ("".join(self._chars[-_TAIL:]) + self._reader.held).rstrip().rstrip("".join(CLOSERS))
        if written[-1:] in SENTENCE_ENDS:
            self._take_all(self._reader.settle())
            if self._chars:
                length = len(self._chars)
                blank = self._chars[-1] == " "
                self._cut(_Place(length - blank, length, Boundary.SENTENCE, self._weight, self._alnum))
        elif whole := [place for place in self._places if place.kind is Boundary.SENTENCE and place.alnum]:
            self._cut(whole[-1])
        ready, self._ready = self._ready, []
        return ready

    def _take(self, pieces: list[Piece]) -> list[SpeechSegment]:
        self._take_all(pieces)
        ready, self._ready = self._ready, []
        return ready

    def _take_all(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            last = len(piece.spoken) - 1
            for index, character in enumerate(piece.spoken):
                end = piece.start + index + 1 if piece.literal else piece.end if index == last else piece.start
                if character == " ":
                    following = piece.following if index == last else piece.spoken[index + 1]
                    self._blank(end, following, inside=0 < index < last and not piece.literal)
                else:
                    self._sound(character, end)
            if piece.breaks:
                self._consider(Boundary.SENTENCE)

    def _sound(self, character: str, end: int) -> None:
        """One more character to say."""
        if self._chars and self._chars[-1] > "\x7f" and character > "\x7f":
            kind = self._boundaries.inside("".join(self._chars[-_TAIL:]), character)
            if kind is not Boundary.NONE:
                self._consider(kind)
        if character in ",.;:!?" and self._chars and self._chars[-1] == " " and self._behind_blank != character:
            self._chars.pop()  # What stood between the word and its mark was left out: the blank goes with it.
            self._ends.pop()
            self._weight -= 1
        self._chars.append(character)
        self._ends.append(end)
        self._weight += 2 if character >= _WIDE_FROM else 1
        self._alnum += character.isalnum()
        if self._weight > self._longest:
            self._cut(self._best_place())

    def _blank(self, end: int, following: str, *, inside: bool) -> None:
        if not self._chars:
            return
        self._behind_blank = following
        if self._chars[-1] == " ":
            self._ends[-1] = end
            return
        # Within what stands for one written thing (an amount, a date) a cut is the last resort.
        kind = Boundary.NONE if inside else self._boundaries.at_blank("".join(self._chars[-_TAIL:]), following)
        self._chars.append(" ")
        self._ends.append(end)
        self._weight += 1
        self._consider(kind)

    @property
    def _longest(self) -> int:
        return self._segment_chars if self._number else self._first_chars

    def _consider(self, kind: Boundary) -> None:
        """Cut behind what there is if this place is good enough, else remember it."""
        blank = bool(self._chars) and self._chars[-1] == " "
        length = len(self._chars) - blank
        place = _Place(length, len(self._chars), kind, self._weight - blank, self._alnum)
        if self._number == 0:
            good = kind >= Boundary.CLAUSE and self._alnum >= self._first_alnum
        else:
            good = kind is Boundary.SENTENCE and place.weight >= self._sentence_chars and self._alnum > 0
        if good:
            self._cut(place)
        elif length:
            self._places.append(place)

    def _best_place(self) -> _Place:
        """The best of the remembered places now that the text is too long: the last clause, else the last word."""
        whole = [place for place in self._places if place.weight <= self._longest and place.alnum]
        if self._number == 0:
            whole = [place for place in whole if place.alnum >= self._first_alnum] or whole
        clauses = [place for place in whole if place.kind >= Boundary.CLAUSE and place.weight >= self._sentence_chars]
        words = [place for place in whole if place.kind is not Boundary.NONE]
        if clauses or words or whole:
            return (clauses or words or whole)[-1]
        before = len(self._chars) - 1
        return _Place(before, before, Boundary.NONE, 0, 0)

    def _cut(self, place: _Place) -> None:
        """Emit everything up to a place and go on with the rest."""
        self._emit(place.length, self._ends[place.consumed - 1])
        gone = place.consumed
        self._chars = self._chars[gone:]
        self._ends = self._ends[gone:]
        self._weight = sum(2 if character >= _WIDE_FROM else 1 for character in self._chars)
        self._alnum = sum(map(str.isalnum, self._chars))
        self._places = [
            later._replace(
                length=later.length - gone,
                consumed=later.consumed - gone,
                weight=later.weight - place.weight - (place.consumed - place.length),
                alnum=later.alnum - place.alnum,
            )
            for later in self._places
            if later.length > gone
        ]

    def _emit(self, length: int, written_end: int) -> None:
        """Make a segment of the first `length` characters, unless there is nothing in them to say."""
        spoken = "".join(self._chars[:length])
        if not any(map(str.isalnum, spoken)):
            return  # Its written range goes to the next one.
        self._number += 1
        self._ready.append(SpeechSegment(self._number, spoken, self._start, written_end, tuple(self._ends[:length])))
        self._start = written_end
