"""A call that another process began: what its caller is still owed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.checkpoint import CallMemory
from orchestrator.playout import ms_of
from orchestrator.speech_text import Numbers, SpeechChunker, SpeechSegment
from parley.conversation.v1 import conversation_pb2 as conv

# How fast a voice speaks, where nothing better tells how far a reply was heard.
_CHARACTERS_PER_MS = 0.015
_PLAYED = conv.Playback.STATUS_PLAYED


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A turn that was committed and not heard to its end.

    ``segments`` is what is still to be said; empty where no reply is known, so that the brain must be asked.
    """

    turn_id: int
    question: str
    candidate_id: int = 0
    continues_playout_id: int = 0
    written: str = ""
    segments: tuple[SpeechSegment, ...] = ()
    text_offset: int = 0
    """Where ``segments`` begin in the reply's spoken text."""
    heard_length: int = 0
    """Code points of ``written`` that were heard."""


def left_over(memory: CallMemory, resume: conv.Resume, language: str, numbers: Numbers = "auto") -> LeftOver | None:
    """What the last turn still owes the caller; None when it owes nothing.

    A reply that turns out to have been heard to its end since the checkpoint was written is settled in the memory's
    history: checkpoints come after all else, so the last one is easily lost.
    """
    exchange = memory.history.exchanges[-1] if memory.history.exchanges else None
    if exchange is None or exchange.ended or not exchange.caller:
        return None
    pieces = [
        piece
        for piece in resume.transcripts
        if piece.turn_id == exchange.turn_id and piece.speaker == conv.SPEAKER_AGENT and piece.text
    ]
    written = memory.written or " ".join(piece.text for piece in pieces)
    if not written.strip():
        return LeftOver(exchange.turn_id, exchange.caller)
    chunker = SpeechChunker(language, numbers=numbers)
    segments = [*chunker.push(written), *chunker.finish()]
    playout_id = pieces[-1].playout_id if pieces else max((p.playout_id for p in resume.playback), default=0)
    heard = _heard_pieces(pieces, resume.playback) if pieces else _heard_by_time(segments, resume.playback)
    owed = tuple(segments[heard:])
    if not owed:
        exchange.reply = written.strip()
        memory.history.ended(exchange, interrupted=False)
        return None
    return LeftOver(
        exchange.turn_id,
        exchange.caller,
        candidate_id=memory.last_candidate_id,
        continues_playout_id=playout_id,
        written=written,
        segments=owed,
        text_offset=sum(len(segment.spoken) + 1 for segment in segments[:heard]),
        heard_length=owed[0].written_start,
    )


def _heard_pieces(pieces: Sequence[conv.Transcript], playback: Sequence[conv.Playback]) -> int:
    """How many pieces of a reply were heard to their end. The one that was cut is said again from its beginning."""
    heard = 0
    if any(p.playout_id == pieces[-1].playout_id and p.last and p.status == _PLAYED for p in playback):
        return len(pieces)
    for number, piece in enumerate(pieces):
        played_ms = _played_ms(playback, piece.playout_id)
        following = pieces[number + 1] if number + 1 < len(pieces) else None
        if following is not None and following.playout_id == piece.playout_id:
            ends_ms = ms_of(following.position)
        else:
            ends_ms = ms_of(piece.position) + len(piece.text) / _CHARACTERS_PER_MS
        if played_ms < ends_ms:
            break
        heard = number + 1
    return heard


def _heard_by_time(segments: Sequence[SpeechSegment], playback: Sequence[conv.Playback]) -> int:
    last = max((p.playout_id for p in playback), default=0)
    characters = _played_ms(playback, last) * _CHARACTERS_PER_MS
    heard = 0
    for segment in segments:
        characters -= len(segment.spoken)
        if characters < 0:
            break
        heard += 1
    return heard


def _played_ms(playback: Sequence[conv.Playback], playout_id: int) -> float:
    return max((ms_of(p.position) for p in playback if p.playout_id == playout_id), default=0.0)
