"""The service's life: load the engine, serve, drain."""

from __future__ import annotations

from parley.stt.v1 import stt_pb2_grpc
from servicekit.logs import get_logger
from servicekit.process import Process
from servicekit.server import GrpcServer, Slots
from stt_service.engines import choose_engine
from stt_service.service import SERVICE_NAME, SpeechToText
from stt_service.settings import SttSettings

_log = get_logger(__name__)


async def run(process: Process[SttSettings]) -> None:
    """Serve until the process is told to stop. Raises StartupError when the engine cannot be loaded."""
    settings = process.settings
    server = GrpcServer(
        listen=settings.listen, telemetry=process.telemetry, drain=settings.drain, services=[SERVICE_NAME]
    )
    engine = choose_engine(settings, process.telemetry)
    try:
        await engine.open()
        slots = Slots(settings.capacity or engine.info.capacity)
        servicer = SpeechToText(engine, settings, server=server, slots=slots, telemetry=process.telemetry)
        stt_pb2_grpc.add_SpeechToTextServicer_to_server(servicer, server.grpc)
        address = await server.start()
        server.set_serving()
        _log.info("listening to speech", engine=engine.info.name, model=engine.info.model, capacity=slots.capacity)
        process.report_ready(grpc=address)
        await process.stopping.wait()
        await server.drain(slots=slots)
    finally:
        await engine.close()
