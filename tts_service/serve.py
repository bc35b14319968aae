"""The service's life: load the engine, serve, drain."""

from __future__ import annotations

import asyncio

from parley.tts.v1 import tts_pb2_grpc
from servicekit.logs import get_logger
from servicekit.process import Process
from servicekit.server import GrpcServer, Slots
from tts_service.engines import choose_engine
from tts_service.service import SERVICE_NAME, TextToSpeech
from tts_service.settings import TtsSettings

_log = get_logger(__name__)


async def run(process: Process[TtsSettings]) -> None:
    """Serve until the process is told to stop. Raises StartupError when the engine cannot be loaded."""
    settings = process.settings
    server = GrpcServer(
        listen=settings.listen, telemetry=process.telemetry, drain=settings.drain, services=[SERVICE_NAME]
    )
    engine = await asyncio.to_thread(choose_engine, settings)
    try:
        slots = Slots(settings.capacity or engine.info.capacity)
        servicer = TextToSpeech(engine, settings, server=server, slots=slots, telemetry=process.telemetry)
        tts_pb2_grpc.add_TextToSpeechServicer_to_server(servicer, server.grpc)
        address = await server.start()
        await engine.warm_up()
        server.set_serving()
        _log.info("engine loaded", engine=engine.info.name, voice=engine.voices.default.name, capacity=slots.capacity)
        process.report_ready(grpc=address)
        await process.stopping.wait()
        await server.drain(slots=slots)
    finally:
        engine.close()
