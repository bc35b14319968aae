"""A speech-to-text server, as one case sees it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration

from parley.audio.v1 import audio_pb2
from parley.stt.v1 import stt_pb2
from servicekit.audio import MULAW_8K, UnsupportedFormatError, describe, same_format, seconds_of
from servicekit.protocol import RecognizeOrder
from toolbox.conformance.case import BrokenError, SkipError
from toolbox.conformance.exchange import Exchange
from toolbox.conformance.peer import Peer, Target
from toolbox.conformance.stt.sound import silence

SttExchange = Exchange[stt_pb2.RecognizeRequest, stt_pb2.RecognizeResponse]

FINISH = stt_pb2.RecognizeRequest(finish=stt_pb2.Finish())


@dataclass
class Heard:
    """What came back of an utterance."""

    ready: stt_pb2.Ready | None = None
    partials: list[stt_pb2.Partial] = field(default_factory=list)
    finals: list[stt_pb2.Final] = field(default_factory=list)
    ends_of_turn: list[stt_pb2.EndOfTurn] = field(default_factory=list)

    def add(self, message: stt_pb2.RecognizeResponse) -> None:
        """Keep a message."""
        match message.WhichOneof("message"):
            case "ready":
                self.ready = message.ready
            case "partial":
                self.partials.append(message.partial)
            case "final":
                self.finals.append(message.final)
            case "end_of_turn":
                self.ends_of_turn.append(message.end_of_turn)

    @property
    def last(self) -> stt_pb2.Final:
        """The final that answers `finish`. Raises BrokenError when there is none."""
        if not self.finals or self.finals[-1].finalize_id != 0:
            raise BrokenError("a last `final` with finalize_id 0, which answers `finish`", "the stream's end without")
        return self.finals[-1]


class SttPeer(Peer[stt_pb2.RecognizeRequest, stt_pb2.RecognizeResponse]):
    """Speaks Recognize to the target."""

    service = "parley.stt.v1.SpeechToText"
    method = "Recognize"
    response = stt_pb2.RecognizeResponse

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._info: stt_pb2.GetInfoResponse | None = None

    def order(self) -> RecognizeOrder:
        """Recognize's order."""
        return RecognizeOrder()

    async def fresh_info(self) -> stt_pb2.GetInfoResponse:
        """GetInfo, asked now. Raises BrokenError."""
        return await self.ask("GetInfo", stt_pb2.GetInfoRequest(), stt_pb2.GetInfoResponse)

    async def info(self) -> stt_pb2.GetInfoResponse:
        """GetInfo, asked once for each case."""
        if self._info is None:
            self._info = await self.fresh_info()
        return self._info

    async def usage(self) -> tuple[int, int]:
        """GetInfo's in_use and capacity."""
        info = await self.fresh_info()
        return info.in_use, info.capacity

    async def sample_formats(self) -> list[audio_pb2.AudioFormat]:
        """The formats offered that this kit can write: all but packets. Raises SkipError when there is none."""
        found = [fmt for fmt in (await self.info()).formats if is_samples(fmt)]
        if not found:
            raise SkipError("GetInfo offers packets only, which this kit does not encode")
        return found

    async def fmt(self) -> audio_pb2.AudioFormat:
        """The format that cases speak in: the telephone's where it is offered, else the first."""
        offered = await self.sample_formats()
        return next((fmt for fmt in offered if same_format(fmt, MULAW_8K)), offered[0])

    async def language(self) -> list[str]:
        """English where it is understood, else the first language; none where any is."""
        languages = list((await self.info()).languages)
        return [next((tag for tag in languages if tag.partition("-")[0] == "en"), languages[0])] if languages else []

    async def config(self, fmt: audio_pb2.AudioFormat | None = None, **more: Any) -> stt_pb2.RecognizeRequest:
        """A config that GetInfo allows."""
        more.setdefault("languages", await self.language())
        return stt_pb2.RecognizeRequest(
            config=stt_pb2.RecognizeConfig(format=fmt or await self.fmt(), profile=stt_pb2.PROFILE_LIVE, **more)
        )

    async def opening(self) -> list[stt_pb2.RecognizeRequest]:
        """A config and half a second of silence."""
        fmt = await self.fmt()
        return [await self.config(), audio(silence(fmt, 0.5))]

    def finish(self) -> stt_pb2.RecognizeRequest:
        """`finish`."""
        return FINISH

    def too_large(self, n_bytes: int) -> stt_pb2.RecognizeRequest:
        """An audio message of so many bytes."""
        return audio(bytes(n_bytes))

    async def recognized(self, messages: Sequence[stt_pb2.RecognizeRequest], **how: Any) -> Heard:
        """Send a whole utterance, read it to its end, which must be OK and hold the last final. Raises BrokenError."""
        exchange = self.open(**how)
        await exchange.send(*messages)
        await exchange.half_close()
        return await self.served(exchange)

    async def served(self, exchange: SttExchange) -> Heard:
        """Read an utterance that was finished to its end, which must be OK and hold the last final."""
        heard = Heard()
        for message in await exchange.rest("the answer to `finish`"):
            heard.add(message)
        ending = await exchange.ending()
        if ending.code is not grpc.StatusCode.OK:
            raise BrokenError("OK for an utterance that keeps the contract", str(ending))
        _ = heard.last
        return heard

    async def final(self, exchange: SttExchange, finalize_id: int) -> stt_pb2.Final:
        """The next final, which must be of this id; other messages are passed over. Raises BrokenError."""
        while True:
            answer = await exchange.next(f"a `final` for finalize {finalize_id}")
            if answer is None:
                raise BrokenError(f"a `final` for finalize {finalize_id}", str(await exchange.ending()))
            if answer.HasField("final"):
                if answer.final.finalize_id != finalize_id:
                    raise BrokenError(f"a `final` for finalize {finalize_id}", f"one for {answer.final.finalize_id}")
                return answer.final

    async def partial(self, exchange: SttExchange, within_s: float) -> stt_pb2.Partial | None:
        """The next partial, other messages being passed over; None when none comes in time or the stream ends."""
        try:
            while (answer := await exchange.next("a partial", min(self.patience.step_s, within_s))) is not None:
                if answer.HasField("partial"):
                    return answer.partial
        except BrokenError:
            return None
        return None


def audio(payload: bytes) -> stt_pb2.RecognizeRequest:
    """An audio message."""
    return stt_pb2.RecognizeRequest(audio=stt_pb2.AudioChunk(payload=payload))


def finalize(number: int) -> stt_pb2.RecognizeRequest:
    """A finalize message."""
    return stt_pb2.RecognizeRequest(finalize=stt_pb2.Finalize(id=number))


def in_pieces(payload: bytes, *sizes: int) -> Iterable[stt_pb2.RecognizeRequest]:
    """Audio messages of these sizes in turn, in bytes, until all is cut."""
    start = number = 0
    while start < len(payload):
        size = sizes[number % len(sizes)]
        yield audio(payload[start : start + size])
        start, number = start + size, number + 1


def is_samples(fmt: audio_pb2.AudioFormat) -> bool:
    """Whether a format is plain samples at a stated rate."""
    try:
        return seconds_of(fmt, 0) == 0.0
    except UnsupportedFormatError:
        return False


def seconds(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.ToNanoseconds() / 1e9


def require_within(what: str, end: Duration, sent_s: float) -> None:
    """Raise BrokenError when an offset lies beyond the audio sent, a sample's rounding aside."""
    if seconds(end) > sent_s + 0.001:
        raise BrokenError(f"{what} of at most {sent_s:.3f} s, which is all that was sent", f"{seconds(end):.3f} s")


def named(formats: Iterable[audio_pb2.AudioFormat]) -> str:
    """Formats in words."""
    return ", ".join(describe(fmt) for fmt in formats)
