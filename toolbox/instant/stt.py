"""A recogniser that knows what was said before it is said."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import grpc

from parley.audio.v1 import audio_pb2
from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.audio import MULAW_8K, pcm, same_format, seconds_of
from servicekit.errors import Reason, abort
from servicekit.process import Process
from servicekit.protocol import OrderError, RecognizeOrder
from servicekit.server import GrpcServer, Slots
from toolbox.instant.settings import InstantSttSettings

_FORMATS = (MULAW_8K, pcm(8000), pcm(16000))
_SERVICE = "parley.stt.v1.SpeechToText"


class InstantSpeechToText(stt_pb2_grpc.SpeechToTextServicer):
    """Keeps the contract; of the sound it only knows whether there was any."""

    def __init__(self, settings: InstantSttSettings, server: GrpcServer, slots: Slots) -> None:
        self._settings = settings
        self._server = server
        self._slots = slots
        self._transcripts: Iterator[str] = itertools.cycle(settings.transcripts)

    async def Recognize(  # noqa: N802 - the contract's name
        self,
        request_iterator: AsyncIterator[stt_pb2.RecognizeRequest],
        context: grpc.aio.ServicerContext[stt_pb2.RecognizeRequest, stt_pb2.RecognizeResponse],
    ) -> AsyncIterator[stt_pb2.RecognizeResponse]:
        """Serve one utterance."""
        with await self._server.admit(self._slots, context):
            order = RecognizeOrder()
            utterance = _Utterance(next(self._transcripts), self._settings)
            async for request in request_iterator:
                try:
                    order.client(request)
                except OrderError as error:
                    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, error.reason, str(error))
                match request.WhichOneof("message"):
                    case "config":
                        if not any(same_format(request.config.format, known) for known in _FORMATS):
                            await abort(
                                context,
                                grpc.StatusCode.INVALID_ARGUMENT,
                                Reason.FORMAT_UNSUPPORTED,
                                "See GetInfo.formats.",
                            )
                        utterance.config = request.config
                        yield stt_pb2.RecognizeResponse(
                            ready=stt_pb2.Ready(engine="instant", partials=request.config.partials)
                        )
                    case "audio":
                        partial = utterance.hear(request.audio.payload)
                        if partial is not None:
                            yield partial
                    case "finalize":
                        await asyncio.sleep(self._settings.final_ms / 1000)
                        yield utterance.final(request.finalize.id)
                    case "finish":
                        await asyncio.sleep(self._settings.final_ms / 1000)
                        yield utterance.final(0)
                        return
            await abort(context, grpc.StatusCode.CANCELLED, Reason.MESSAGE_ORDER, "the stream ended without `finish`")

    async def GetInfo(  # noqa: N802 - the contract's name
        self, request: stt_pb2.GetInfoRequest, context: object
    ) -> stt_pb2.GetInfoResponse:
        """Say what it is."""
        info = stt_pb2.GetInfoResponse(
            contract="parley.stt.v1",
            engine="instant",
            engine_version="1",
            model="scripted",
            formats=_FORMATS,
            capacity=self._slots.capacity,
            in_use=self._slots.in_use,
            partials=True,
            limitations=["Understands nothing: it returns the transcripts it was given. For benches only."],
        )
        info.max_utterance.FromSeconds(3600)
        return info


class _Utterance:
    """One utterance: how much was heard of it, and which words that makes."""

    def __init__(self, text: str, settings: InstantSttSettings) -> None:
        self.config = stt_pb2.RecognizeConfig(format=audio_pb2.AudioFormat(sample_rate_hz=8000))
        self._words = text.split()
        self._every_s = settings.partial_every_ms / 1000
        self._heard_s = 0.0
        self._known = 0
        self._quiet = b""
        self._silent = True

    def hear(self, payload: bytes) -> stt_pb2.RecognizeResponse | None:
        """Take audio; a partial whenever it makes another word."""
        self._heard_s += seconds_of(self.config.format, len(payload))
        # One byte over and over is digital silence, in every format it takes.
        self._quiet = self._quiet or payload[:1]
        self._silent = self._silent and payload.count(self._quiet) == len(payload)
        if self._silent:
            return None
        known = min(len(self._words), int(self._heard_s / self._every_s))
        if known == self._known or not self.config.partials:
            return None
        self._known = known
        response = stt_pb2.RecognizeResponse(partial=stt_pb2.Partial(stable_text=" ".join(self._words[:known])))
        response.partial.audio_end.FromNanoseconds(round(self._heard_s * 1e9))
        return response

    def final(self, finalize_id: int) -> stt_pb2.RecognizeResponse:
        """The whole text, whatever was heard; nothing when nothing was."""
        language = self.config.languages[0] if self.config.languages else "en"
        text = "" if self._silent else " ".join(self._words)
        response = stt_pb2.RecognizeResponse(
            final=stt_pb2.Final(finalize_id=finalize_id, text=text, language=language, confidence=1.0)
        )
        response.final.audio_end.FromNanoseconds(round(self._heard_s * 1e9))
        return response


async def run(process: Process[InstantSttSettings]) -> None:
    """Serve until told to stop."""
    settings = process.settings
    server = GrpcServer(listen=settings.listen, telemetry=process.telemetry, drain=settings.drain, services=(_SERVICE,))
    slots = Slots(settings.capacity)
    servicer = InstantSpeechToText(settings, server, slots)
    stt_pb2_grpc.add_SpeechToTextServicer_to_server(servicer, server.grpc)
    address = await server.start()
    server.set_serving()
    process.report_ready(grpc=address)
    await process.stopping.wait()
    await server.drain(slots=slots)
