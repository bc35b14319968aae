"""A speech-to-text server of your own, complete: ``python stt_server.py 127.0.0.1:50062``.

`Ears` is the part to put your engine in; the rest is the contract. See docs/bring-your-own-stt.md.
"""

import asyncio
import signal
import sys
import threading
from pathlib import Path

import grpc
import numpy as np
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from pocketsphinx import Decoder

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.audio import MULAW_8K, WireDecoder, pcm, resample, same_format, to_int16
from servicekit.errors import Reason, abort
from servicekit.protocol import OrderError, RecognizeOrder

INFO = stt_pb2.GetInfoResponse(
    contract="parley.stt.v1",
    engine="example",
    engine_version="1",
    model="pocketsphinx en-us",
    languages=["en"],
    formats=[MULAW_8K, pcm(16000)],  # the telephone's format is the one that calls come in
    capacity=4,
    max_utterance=Duration(seconds=60),
    limitations=["It understands the sentences of stt_server.gram only."],
)
DRAIN_S = 30
INVALID = grpc.StatusCode.INVALID_ARGUMENT


class Ears:
    """Yours: samples in, words out."""

    def __init__(self):
        grammar = str(Path(__file__).with_suffix(".gram"))
        self._decoder = Decoder(jsgf=grammar, cmn="batch", bestpath=False, loglevel="FATAL")
        self._one_at_a_time = threading.Lock()

    def transcribe(self, samples, rate_hz):
        """Float32 samples [n] from -1 to 1; runs in a thread."""
        samples = resample(samples, rate_hz, 16000)
        with self._one_at_a_time:
            self._decoder.start_utt()
            self._decoder.process_raw(to_int16(samples).tobytes(), full_utt=True)
            self._decoder.end_utt()
            best = self._decoder.hyp()
        return best.hypstr if best else ""


class SpeechToText(stt_pb2_grpc.SpeechToTextServicer):
    def __init__(self):
        self._ears = Ears()
        self.in_use = 0
        self.draining = False

    async def GetInfo(self, request, context):
        info = stt_pb2.GetInfoResponse(in_use=self.in_use)
        info.MergeFrom(INFO)
        return info

    async def Recognize(self, requests, context):
        # It writes to its context: a generator that is cancelled at its `yield` would keep its slot for a while.
        order, slot, rate_hz, heard = RecognizeOrder(), 0, 0, [np.zeros(0, np.float32)]
        try:
            async for request in requests:
                kind = order.client(request)
                if kind == "config":
                    await self._admit(request.config, context)
                    slot = 1
                    self.in_use += slot
                    decoder, rate_hz = WireDecoder(request.config.format), request.config.format.sample_rate_hz
                    await context.write(stt_pb2.RecognizeResponse(ready=stt_pb2.Ready(engine=INFO.engine)))
                elif kind == "audio":
                    heard.append(decoder.decode(request.audio.payload))
                    if sum(map(len, heard)) > rate_hz * INFO.max_utterance.seconds:
                        await abort(context, INVALID, Reason.AUDIO_TOO_LONG, "longer than a minute")
                else:  # finalize or finish: all so far, from the start
                    heard = [np.concatenate(heard)]
                    final = stt_pb2.Final(finalize_id=request.finalize.id, language="en")
                    final.audio_end.FromMilliseconds(1000 * len(heard[0]) // rate_hz)
                    if heard[0].any():
                        final.text = await asyncio.to_thread(self._ears.transcribe, heard[0], rate_hz)
                    await context.write(stt_pb2.RecognizeResponse(final=final))
                    if kind == "finish":
                        return
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
        if config.languages and not any(tag.partition("-")[0] == "en" for tag in config.languages):
            await abort(context, INVALID, Reason.LANGUAGE_UNSUPPORTED, "English only")
        if self.in_use >= INFO.capacity:
            await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.CAPACITY, "all slots are taken")


async def serve(address):
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    healthy, stop = health.aio.HealthServicer(), asyncio.Event()
    servicer = SpeechToText()
    stt_pb2_grpc.add_SpeechToTextServicer_to_server(servicer, server)
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


asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50062"))
