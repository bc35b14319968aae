"""A voice that was rendered before it is asked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import grpc

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.audio import MULAW_8K, pcm, same_format
from servicekit.errors import Reason, abort
from servicekit.process import Process
from servicekit.protocol import OrderError, SynthesizeOrder
from servicekit.server import GrpcServer, Slots
from toolbox.instant.settings import InstantTtsSettings
from toolbox.instant.speech import RenderedSpeech

_FORMATS = (MULAW_8K, pcm(8000), pcm(16000), pcm(24000))
_SERVICE = "parley.tts.v1.TextToSpeech"
_LONGEST_SEGMENT = 10_000
_WORD = re.compile(r"\S+")


class InstantTextToSpeech(tts_pb2_grpc.TextToSpeechServicer):
    """Keeps the contract; says for every text the same, as long as the text would take."""

    def __init__(self, settings: InstantTtsSettings, speech: RenderedSpeech, server: GrpcServer, slots: Slots) -> None:
        self._settings = settings
        self._speech = speech
        self._server = server
        self._slots = slots

    async def Synthesize(  # noqa: N802 - the contract's name
        self,
        request_iterator: AsyncIterator[tts_pb2.SynthesizeRequest],
        context: grpc.aio.ServicerContext[tts_pb2.SynthesizeRequest, tts_pb2.SynthesizeResponse],
    ) -> AsyncIterator[tts_pb2.SynthesizeResponse]:
        """Speak one reply."""
        with await self._server.admit(self._slots, context):
            order = SynthesizeOrder()
            reply = _Reply()
            async for request in request_iterator:
                try:
                    order.client(request)
                except OrderError as error:
                    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, error.reason, str(error))
                match request.WhichOneof("message"):
                    case "config":
                        reply.config = request.config
                        if not any(same_format(reply.format, known) for known in _FORMATS):
                            await abort(
                                context,
                                grpc.StatusCode.INVALID_ARGUMENT,
                                Reason.FORMAT_UNSUPPORTED,
                                "See GetInfo.formats.",
                            )
                        await self._refuse_others(request.config.voice, request.config.language, context)
                        yield tts_pb2.SynthesizeResponse(
                            ready=tts_pb2.Ready(format=reply.format, voice=self._settings.voice, engine="instant")
                        )
                    case "text":
                        await self._refuse_others(request.text.voice, request.text.language, context)
                        for segment, text in reply.write(request.text):
                            async for response in self._say(reply, segment, text):
                                yield response
                        if len(reply.text) > _LONGEST_SEGMENT:
                            await abort(
                                context,
                                grpc.StatusCode.INVALID_ARGUMENT,
                                Reason.TEXT_TOO_LONG,
                                "A segment is too long.",
                            )
                    case "flush" | "finish" as kind:
                        for segment, text in reply.complete():
                            async for response in self._say(reply, segment, text):
                                yield response
                        if kind == "finish":
                            finished = tts_pb2.SynthesizeResponse(finished=tts_pb2.Finished())
                            rate = reply.format.sample_rate_hz
                            finished.finished.duration.FromNanoseconds(reply.samples * 1_000_000_000 // rate)
                            yield finished
                            return
            await abort(context, grpc.StatusCode.CANCELLED, Reason.MESSAGE_ORDER, "the stream ended without `finish`")

    async def _refuse_others(
        self,
        voice: str,
        language: str,
        context: grpc.aio.ServicerContext[tts_pb2.SynthesizeRequest, tts_pb2.SynthesizeResponse],
    ) -> None:
        if self._settings.strict and voice not in ("", self._settings.voice):
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, Reason.VOICE_UNKNOWN, "See ListVoices.")
        if self._settings.strict and language.partition("-")[0] not in ("", "en"):
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, Reason.LANGUAGE_UNSUPPORTED, "English only.")

    async def _say(self, reply: _Reply, segment: int, text: str) -> AsyncIterator[tts_pb2.SynthesizeResponse]:
        if not any(character.isalnum() for character in text):
            yield tts_pb2.SynthesizeResponse(segment_done=tts_pb2.SegmentDone(segment=segment, silent=True))
            return
        if self._settings.first_audio_ms:
            await asyncio.sleep(self._settings.first_audio_ms / 1000)
        samples = round(len(text) * self._settings.ms_per_character / 1000 * reply.format.sample_rate_hz)
        if reply.config.alignments:
            yield tts_pb2.SynthesizeResponse(alignment=_alignment(segment, text, samples))
        step = self._settings.chunk_ms * reply.format.sample_rate_hz // 1000
        for payload in self._speech.cut(reply.format, samples, step):
            reply.seq += 1
            piece = tts_pb2.Audio(segment=segment, seq=reply.seq, payload=payload, cached=True)
            yield tts_pb2.SynthesizeResponse(audio=piece)
        reply.samples += samples
        yield tts_pb2.SynthesizeResponse(segment_done=tts_pb2.SegmentDone(segment=segment, samples=samples))

    async def GetInfo(  # noqa: N802 - the contract's name
        self, request: tts_pb2.GetInfoRequest, context: object
    ) -> tts_pb2.GetInfoResponse:
        """Say what it is."""
        return tts_pb2.GetInfoResponse(
            contract="parley.tts.v1",
            engine="instant",
            engine_version="1",
            model="rendered once by eSpeak NG",
            languages=["en"],
            formats=_FORMATS,
            capacity=self._slots.capacity,
            in_use=self._slots.in_use,
            alignments=True,
            limitations=["Says the same words whatever the text: for benches only."],
            default_voice=self._settings.voice,
        )

    async def ListVoices(  # noqa: N802 - the contract's name
        self, request: tts_pb2.ListVoicesRequest, context: object
    ) -> tts_pb2.ListVoicesResponse:
        """List its one voice."""
        voice = tts_pb2.Voice(name=self._settings.voice, languages=["en"], display_name="Rendered speech")
        fits = not request.language or request.language.partition("-")[0] == "en"
        return tts_pb2.ListVoicesResponse(voices=[voice] if fits else [])


@dataclass
class _Reply:
    """What was sent for one reply so far."""

    config: tts_pb2.SynthesizeConfig = field(default_factory=tts_pb2.SynthesizeConfig)
    segment: int = 0
    text: str = ""
    open: bool = False
    seq: int = 0
    samples: int = 0

    @property
    def format(self) -> audio_pb2.AudioFormat:
        return self.config.format

    def write(self, piece: tts_pb2.Text) -> Iterator[tuple[int, str]]:
        """Take a piece of text; yields the segment it completes."""
        if piece.segment != self.segment:
            yield from self.complete()
            self.segment = piece.segment
        self.text += piece.text
        self.open = True

    def complete(self) -> Iterator[tuple[int, str]]:
        """Yield the open segment, if there is one."""
        text, was_open, self.text, self.open = self.text, self.open, "", False
        if was_open:
            yield self.segment, text


def _alignment(segment: int, text: str, samples: int) -> tts_pb2.Alignment:
    """Words in proportion to their characters."""
    return tts_pb2.Alignment(
        segment=segment,
        ranges=[
            tts_pb2.AlignedRange(
                text_start=word.start(),
                text_end=word.end(),
                start_sample=word.start() * samples // len(text),
                end_sample=word.end() * samples // len(text),
            )
            for word in _WORD.finditer(text)
        ],
    )


async def run(process: Process[InstantTtsSettings]) -> None:
    """Serve until told to stop."""
    settings = process.settings
    speech = await asyncio.to_thread(RenderedSpeech, settings.voice)
    # Before the first call rather than in it.
    await asyncio.to_thread(lambda: list(speech.cut(MULAW_8K, 8000, 8000)))
    server = GrpcServer(listen=settings.listen, telemetry=process.telemetry, drain=settings.drain, services=(_SERVICE,))
    slots = Slots(settings.capacity)
    servicer = InstantTextToSpeech(settings, speech, server, slots)
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(servicer, server.grpc)
    address = await server.start()
    server.set_serving()
    process.report_ready(grpc=address)
    await process.stopping.wait()
    await server.drain(slots=slots)
