"""The service's life: load the engine, serve, drain."""

from __future__ import annotations

import asyncio

from parley.tts.v1 import tts_pb2_grpc
from servicekit.logs import get_logger
from servicekit.process import Process
from servicekit.server import GrpcServer, Slots
from tts_service.cache import SegmentCache
from tts_service.engines import open_engine
from tts_service.prerendering import prerender
from tts_service.service import SERVICE_NAME, TextToSpeech
from tts_service.settings import TtsSettings
from tts_service.speaking import Speaking

_log = get_logger(__name__)


async def run(process: Process[TtsSettings]) -> None:
    """Serve until the process is told to stop. Raises StartupError when the engine cannot be loaded."""
    settings = process.settings
    server = GrpcServer(
        listen=settings.listen, telemetry=process.telemetry, drain=settings.drain, services=[SERVICE_NAME]
    )
    engine = await open_engine(settings)
    cache = await SegmentCache.open(settings.cache, process.telemetry)
    try:
        speaking = Speaking(engine, settings, cache)
        slots = Slots(settings.capacity or engine.info.capacity)
        servicer = TextToSpeech(speaking, settings, server=server, slots=slots, telemetry=process.telemetry)
        tts_pb2_grpc.add_TextToSpeechServicer_to_server(servicer, server.grpc)
        address = await server.start()
        await speaking.warm_up()
        server.set_serving()
        _log.info("engine loaded", engine=engine.info.name, voice=engine.voices.default.name, capacity=slots.capacity)
        process.report_ready(grpc=address)
        prerendering = asyncio.create_task(prerender(speaking, settings.prerender, slots), name="prerender")
        try:
            await process.stopping.wait()
            await server.drain(slots=slots)
        finally:
            prerendering.cancel()
            await asyncio.gather(prerendering, return_exceptions=True)
    finally:
        await engine.close()
        await cache.close()
