"""A fake of the cloud behind Microsoft Edge's "Read aloud", as the library edge-tts knows it.

The library does not let its address be given: `pretended` replaces two of its constants. So the library's own code
runs, over a real WebSocket, without its TLS; what the real cloud does nobody here has seen.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from xml.sax.saxutils import unescape

import pytest
from aiohttp import WSMsgType, web

from tests.fakes.speech_servers import RATE_HZ, encoded, spoken

VOICES = [
    {"ShortName": "de-DE-KatjaNeural", "Gender": "Female", "Locale": "de-DE", "Status": "GA"},
    {"ShortName": "en-US-AndrewNeural", "Gender": "Male", "Locale": "en-US", "Status": "GA"},
    {"ShortName": "en-US-EmmaMultilingualNeural", "Gender": "Female", "Locale": "en-US", "Status": "GA"},
    {"ShortName": "en-GB-OldNeural", "Gender": "Male", "Locale": "en-GB", "Status": "Deprecated"},
]


@dataclass
class FakeEdgeCloud:
    """Says what it is asked to; `faults` are what the next requests get instead: hang-up, nothing, rubbish, silence."""

    faults: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """The SSML of each request."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    root: str = ""

    async def voices(self, _: web.Request) -> web.Response:
        """The list."""
        return web.json_response(VOICES)

    async def speak(self, request: web.Request) -> web.WebSocketResponse:
        """One request for speech."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        config = (await socket.receive()).data
        assert '"wordBoundaryEnabled":"true"' in config
        ssml = (await socket.receive()).data
        self.asked.append(ssml)
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "hang up":
            await socket.close()
            return socket
        await socket.send_str("X-RequestId:1\r\nPath:turn.start\r\n\r\n{}")
        if fault == "silence":
            while (await socket.receive()).type not in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING}:
                pass
            self.gone.set()
            return socket
        if fault != "nothing":
            await self._say(socket, unescape(re.sub(r"(?s)^.*<prosody[^>]*>|</prosody>.*$", "", ssml)), fault)
        await socket.send_str("X-RequestId:1\r\nPath:turn.end\r\n\r\n{}")
        return socket

    async def _say(self, socket: web.WebSocketResponse, text: str, fault: str) -> None:
        samples = spoken(text)
        ticks = 10_000_000 * len(samples) // RATE_HZ
        for match in re.finditer(r"\w+", text):
            data = {
                "Offset": ticks * match.start() // len(text),
                "Duration": ticks * len(match.group()) // len(text),
                "text": {"Text": match.group(), "Length": len(match.group()), "BoundaryType": "WordBoundary"},
            }
            boundary = json.dumps({"Metadata": [{"Type": "WordBoundary", "Data": data}]})
            await socket.send_str(f"Path:audio.metadata\r\nContent-Type:application/json\r\n\r\n{boundary}")
        header = b"X-RequestId:1\r\nContent-Type:audio/mpeg\r\nPath:audio\r\n"
        sound = b"<html>no</html>" * 200 if fault == "rubbish" else encoded(samples, "mp3")
        for start in range(0, len(sound), 720):
            await socket.send_bytes(len(header).to_bytes(2, "big") + header + sound[start : start + 720])
        header = b"X-RequestId:1\r\nPath:audio\r\n"
        await socket.send_bytes(len(header).to_bytes(2, "big") + header)


@asynccontextmanager
async def pretended(patch: pytest.MonkeyPatch) -> AsyncIterator[FakeEdgeCloud]:
    """A fake cloud that edge-tts takes for the real one."""
    import edge_tts.communicate
    import edge_tts.voices

    cloud = FakeEdgeCloud()
    app = web.Application()
    app.add_routes([web.get("/voices/list", cloud.voices), web.get("/edge/v1", cloud.speak)])
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    patch.setenv("NO_PROXY", "127.0.0.1")
    patch.setattr(edge_tts.communicate, "WSS_URL", f"ws://{host}:{port}/edge/v1?TrustedClientToken=x")
    patch.setattr(edge_tts.voices, "VOICE_LIST", f"http://{host}:{port}/voices/list?trustedclienttoken=x")
    cloud.root = f"{host}:{port}"
    try:
        yield cloud
    finally:
        await runner.cleanup()
