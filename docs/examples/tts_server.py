"""A text-to-speech server of your own, complete: ``python tts_server.py 127.0.0.1:50063``.

`Voice` is the part to put your engine in; the rest is the contract. See docs/bring-your-own-tts.md.
"""

import asyncio
import re
import signal
import sys

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.audio import MULAW_8K, WireEncoder, bytes_per_sample, pcm, same_format
from servicekit.errors import Reason, abort
from servicekit.protocol import OrderError, SynthesizeOrder
from tts_service import espeak_speech

INFO = tts_pb2.GetInfoResponse(
    contract="parley.tts.v1",
    engine="example",
    engine_version="1",
    model="eSpeak NG",
    languages=["en"],
    formats=[MULAW_8K, pcm(24000)],  # the telephone's format is the one that calls want
    capacity=8,
    limitations=["It sends no alignments: where an interrupted reply ended is then estimated."],
    default_voice="en-us",
)
LONGEST = 10_000
DRAIN_S = 30
INVALID = grpc.StatusCode.INVALID_ARGUMENT


class Voice:
    """Yours: words in, samples out."""

    def speak(self, text):
        """Float32 samples [n] from -1 to 1 for a sentence, and their rate in Hz; runs in a thread."""
        return espeak_speech(text, INFO.default_voice)


class TextToSpeech(tts_pb2_grpc.TextToSpeechServicer):
    def __init__(self):
        self._voice = Voice()
        self.in_use = 0
        self.draining = False

    async def GetInfo(self, request, context):
        info = tts_pb2.GetInfoResponse(in_use=self.in_use)
        info.MergeFrom(INFO)
        return info

    async def ListVoices(self, request, context):
        fits = request.language.partition("-")[0] in ("", "en")
        voice = tts_pb2.Voice(name=INFO.default_voice, languages=["en-US"], display_name="eSpeak NG")
        return tts_pb2.ListVoicesResponse(voices=[voice] if fits else [])

    async def Synthesize(self, requests, context):
        # It writes to its context: a generator that is cancelled at its `yield` would keep its slot for a while.
        order, slot, segment, text = SynthesizeOrder(), 0, 0, ""
        try:
            async for request in requests:
                kind = order.client(request)
                if kind == "config":
                    await self._admit(request.config, context)
                    slot = 1
                    self.in_use += slot
                    reply = Reply(self._voice, request.config.format, context)
                    ready = tts_pb2.Ready(format=reply.format, voice=INFO.default_voice, engine=INFO.engine)
                    await context.write(tts_pb2.SynthesizeResponse(ready=ready))
                elif kind == "text":
                    await self._refuse_others(request.text, context)
                    if segment and request.text.segment != segment:
                        await reply.speak(segment, text)
                        text = ""
                    segment, text = request.text.segment, text + request.text.text
                    if len(text) > LONGEST:
                        await abort(context, INVALID, Reason.TEXT_TOO_LONG, "longer than 10,000 characters")
                else:  # flush or finish: what was sent is complete
                    if segment:
                        await reply.speak(segment, text)
                    segment, text = 0, ""
                    if kind == "finish":
                        return await reply.finish()
            await abort(context, grpc.StatusCode.CANCELLED, Reason.MESSAGE_ORDER, "the stream ended without `finish`")
        except OrderError as error:
            await abort(context, INVALID, error.reason, str(error))
        finally:
            self.in_use -= slot

    async def _admit(self, config, context):
        if self.draining:
            await abort(context, grpc.StatusCode.UNAVAILABLE, Reason.DRAINING, "going down")
        if not any(same_format(config.format, known) for known in INFO.formats):
            await abort(context, INVALID, Reason.FORMAT_UNSUPPORTED, "see GetInfo.formats")
        await self._refuse_others(config, context)
        if self.in_use >= INFO.capacity:
            await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.CAPACITY, "all slots are taken")

    async def _refuse_others(self, wanted, context):
        if wanted.voice not in ("", INFO.default_voice):
            await abort(context, INVALID, Reason.VOICE_UNKNOWN, "see ListVoices")
        if wanted.language.partition("-")[0] not in ("", "en"):
            await abort(context, INVALID, Reason.LANGUAGE_UNSUPPORTED, "English only")


class Reply:
    """What is sent for one reply."""

    def __init__(self, voice, fmt, context):
        self.format = fmt
        self._voice, self._context = voice, context
        self._seq = self._samples = 0

    async def speak(self, segment, text):
        before = self._samples
        for sentence in re.split(r"(?<=[.!?])\s+", text):  # short steps: a barge-in waits for one at most
            if any(char.isalnum() for char in sentence):
                await self._send(segment, await asyncio.to_thread(self._encoded, sentence))
        samples = self._samples - before
        done = tts_pb2.SegmentDone(segment=segment, samples=samples, silent=not samples)
        await self._context.write(tts_pb2.SynthesizeResponse(segment_done=done))

    def _encoded(self, sentence):
        samples, rate_hz = self._voice.speak(sentence)
        encoder = WireEncoder(rate_hz, self.format)
        return encoder.encode(samples) + encoder.flush()

    async def _send(self, segment, sound):
        for start in range(0, len(sound), 4000):
            self._seq += 1
            audio = tts_pb2.Audio(segment=segment, seq=self._seq, payload=sound[start : start + 4000])
            await self._context.write(tts_pb2.SynthesizeResponse(audio=audio))  # waits for a slow reader
        self._samples += len(sound) // bytes_per_sample(self.format)

    async def finish(self):
        finished = tts_pb2.Finished()
        finished.duration.FromNanoseconds(self._samples * 1_000_000_000 // self.format.sample_rate_hz)
        await self._context.write(tts_pb2.SynthesizeResponse(finished=finished))


async def serve(address):
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    healthy, stop = health.aio.HealthServicer(), asyncio.Event()
    servicer = TextToSpeech()
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    await healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    port = server.add_insecure_port(address)
    await server.start()
    print(f"listening on {address.rpartition(':')[0]}:{port}", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    # What was begun is finished, what is new is refused: `server.stop` alone would cancel what comes in between.
    servicer.draining = True
    await healthy.enter_graceful_shutdown()
    for _ in range(DRAIN_S * 20):
        if servicer.in_use:
            await asyncio.sleep(0.05)
    await server.stop(grace=1)


asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50063"))
