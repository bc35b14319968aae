"""A text-to-speech server, as one case sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2
from servicekit.audio import MULAW_8K, UnsupportedFormatError, bytes_per_sample, same_format, seconds_of
from servicekit.protocol import SynthesizeOrder
from toolbox.conformance.case import BrokenError, SkipError
from toolbox.conformance.exchange import Exchange
from toolbox.conformance.peer import Peer, Target

TtsExchange = Exchange[tts_pb2.SynthesizeRequest, tts_pb2.SynthesizeResponse]

FINISH = tts_pb2.SynthesizeRequest(finish=tts_pb2.Finish())
FLUSH = tts_pb2.SynthesizeRequest(flush=tts_pb2.Flush())
LONGEST_SEGMENT = 10_000
"""Code points that the contract allows a segment."""


@dataclass
class Spoken:
    """What came back of a reply."""

    fmt: audio_pb2.AudioFormat
    ready: tts_pb2.Ready | None = None
    audio: list[tts_pb2.Audio] = field(default_factory=list)
    alignments: list[tts_pb2.Alignment] = field(default_factory=list)
    done: list[tts_pb2.SegmentDone] = field(default_factory=list)
    finished: tts_pb2.Finished | None = None

    def add(self, message: tts_pb2.SynthesizeResponse) -> None:
        """Keep a message."""
        match message.WhichOneof("message"):
            case "ready":
                self.ready = message.ready
            case "audio":
                self.audio.append(message.audio)
            case "alignment":
                self.alignments.append(message.alignment)
            case "segment_done":
                self.done.append(message.segment_done)
            case "finished":
                self.finished = message.finished

    def samples(self, segment: int | None = None) -> int:
        """Samples received, of a segment or of all; BrokenError when they are not whole."""
        width, n_bytes = bytes_per_sample(self.fmt), 0
        for audio in self.audio:
            if segment is None or audio.segment == segment:
                if len(audio.payload) % width:
                    raise BrokenError(f"payloads of whole samples, {width} bytes each", f"{len(audio.payload)} bytes")
                n_bytes += len(audio.payload)
        return n_bytes // width


class TtsPeer(Peer[tts_pb2.SynthesizeRequest, tts_pb2.SynthesizeResponse]):
    """Speaks Synthesize to the target."""

    service = "parley.tts.v1.TextToSpeech"
    method = "Synthesize"
    response = tts_pb2.SynthesizeResponse

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._info: tts_pb2.GetInfoResponse | None = None

    def order(self) -> SynthesizeOrder:
        """Synthesize's order."""
        return SynthesizeOrder()

    async def fresh_info(self) -> tts_pb2.GetInfoResponse:
        """GetInfo, asked now. Raises BrokenError."""
        return await self.ask("GetInfo", tts_pb2.GetInfoRequest(), tts_pb2.GetInfoResponse)

    async def info(self) -> tts_pb2.GetInfoResponse:
        """GetInfo, asked once for each case."""
        if self._info is None:
            self._info = await self.fresh_info()
        return self._info

    async def usage(self) -> tuple[int, int]:
        """GetInfo's in_use and capacity."""
        info = await self.fresh_info()
        return info.in_use, info.capacity

    async def voices(self, language: str = "") -> list[tts_pb2.Voice]:
        """ListVoices. Raises BrokenError."""
        request = tts_pb2.ListVoicesRequest(language=language)
        return list((await self.ask("ListVoices", request, tts_pb2.ListVoicesResponse)).voices)

    async def sample_formats(self) -> list[audio_pb2.AudioFormat]:
        """The formats offered that are plain samples. Raises SkipError when there is none."""
        found = [fmt for fmt in (await self.info()).formats if is_samples(fmt)]
        if not found:
            raise SkipError("GetInfo offers packets only, whose length this kit cannot tell")
        return found

    async def fmt(self) -> audio_pb2.AudioFormat:
        """The format that cases listen in: the telephone's where it is offered, else the first."""
        offered = await self.sample_formats()
        return next((fmt for fmt in offered if same_format(fmt, MULAW_8K)), offered[0])

    async def config(self, fmt: audio_pb2.AudioFormat | None = None, **more: Any) -> tts_pb2.SynthesizeRequest:
        """A config that GetInfo allows."""
        return tts_pb2.SynthesizeRequest(config=tts_pb2.SynthesizeConfig(format=fmt or await self.fmt(), **more))

    async def opening(self) -> list[tts_pb2.SynthesizeRequest]:
        """A config and a word."""
        return [await self.config(), text(1, "One.")]

    def finish(self) -> tts_pb2.SynthesizeRequest:
        """`finish`."""
        return FINISH

    def too_large(self, n_bytes: int) -> tts_pb2.SynthesizeRequest:
        """A text of so many bytes."""
        return text(1, "a" * n_bytes)

    async def spoken(self, config: tts_pb2.SynthesizeRequest, *messages: tts_pb2.SynthesizeRequest) -> Spoken:
        """Send a reply and `finish`, hear it to its end, which must be OK and `finished`. Raises BrokenError."""
        exchange = self.open()
        await exchange.send(config, *messages, FINISH)
        await exchange.half_close()
        return await self.served(exchange, config.config.format)

    async def said(self, words: str) -> Spoken:
        """One segment, from config to `finished`."""
        return await self.spoken(await self.config(), text(1, words))

    async def served(self, exchange: TtsExchange, fmt: audio_pb2.AudioFormat) -> Spoken:
        """Read a reply that was finished to its end, which must be OK and `finished`."""
        spoken = Spoken(fmt)
        for message in await exchange.rest("the rest of the reply"):
            spoken.add(message)
        ending = await exchange.ending()
        if ending.code is not grpc.StatusCode.OK:
            raise BrokenError("OK for a reply that keeps the contract", str(ending))
        if spoken.finished is None:
            raise BrokenError("`finished` at the end", "the stream's end without")
        return spoken

    async def until(self, exchange: TtsExchange, kind: str, what: str) -> list[tts_pb2.SynthesizeResponse]:
        """Read up to the next message of a kind, which is the last given. Raises BrokenError."""
        found: list[tts_pb2.SynthesizeResponse] = []
        while (answer := await exchange.next(what)) is not None:
            found.append(answer)
            if answer.WhichOneof("message") == kind:
                return found
        raise BrokenError(what, str(await exchange.ending()))


def text(segment: int, words: str, **more: Any) -> tts_pb2.SynthesizeRequest:
    """A text message."""
    return tts_pb2.SynthesizeRequest(text=tts_pb2.Text(segment=segment, text=words, **more))


def is_samples(fmt: audio_pb2.AudioFormat) -> bool:
    """Whether a format is plain samples at a stated rate."""
    try:
        return seconds_of(fmt, 0) == 0.0
    except UnsupportedFormatError:
        return False


def numbers(messages: Sequence[tts_pb2.SegmentDone]) -> list[int]:
    """Their segments."""
    return [message.segment for message in messages]
