"""Whether a text can be made out in a reply: by the demo's recogniser, over the telephone."""

from __future__ import annotations

from stt_service.engines.pocketsphinx.engine import PocketsphinxEngine
from stt_service.settings import SttSettings
from tests.unit.stt_service.loopback import FINISH, config, in_pieces, recognize, serving


async def understood(mulaw: bytes) -> str:
    """What the demo's recogniser makes of μ-law speech at 8 kHz; its grammar knows the demo's sentences only."""
    silence = b"\xff" * 2400
    async with serving(PocketsphinxEngine(SttSettings(engine="pocketsphinx"))) as service:
        heard = await recognize(service.stub, [config(), *in_pieces(silence + mulaw + silence), FINISH])
    return heard.text
