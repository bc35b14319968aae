"""Peers of another version, and what stands around the RPC."""

from __future__ import annotations

from parley.tts.v1 import tts_pb2
from toolbox.conformance import surroundings
from toolbox.conformance.case import case
from toolbox.conformance.refusals import UNKNOWN_FIELD
from toolbox.conformance.tts.peer import TtsPeer, text

_RPC = "TextToSpeech.Synthesize"


@case(_RPC, "Fields that a server does not know are ignored.")
async def unknown_fields(peer: TtsPeer) -> str | None:
    """A newer client's fields, in the message and within the config, do no harm."""
    config = tts_pb2.SynthesizeConfig.FromString((await peer.config()).config.SerializeToString() + UNKNOWN_FIELD)
    newer = tts_pb2.SynthesizeRequest(config=config).SerializeToString() + UNKNOWN_FIELD
    await peer.spoken(tts_pb2.SynthesizeRequest.FromString(newer), text(1, "One."))
    return None


@case(_RPC, "a server that traces makes its spans children of them, any other ignores them.")
async def trace_context(peer: TtsPeer) -> str | None:
    """Trace context is honoured where that can be seen, and never harmful."""
    return await surroundings.trace_context(peer)


CASES = (unknown_fields, trace_context)
