"""Peers of another version, and what stands around the RPC."""

from __future__ import annotations

from parley.stt.v1 import stt_pb2
from toolbox.conformance import surroundings
from toolbox.conformance.case import case
from toolbox.conformance.refusals import UNKNOWN_FIELD
from toolbox.conformance.stt.peer import FINISH, SttPeer, audio
from toolbox.conformance.stt.sound import silence

_RPC = "SpeechToText.Recognize"


@case(_RPC, "Fields that a server does not know are ignored.")
async def unknown_fields(peer: SttPeer) -> str | None:
    """A newer client's fields, in the message and within the config, do no harm."""
    config = stt_pb2.RecognizeConfig.FromString((await peer.config()).config.SerializeToString() + UNKNOWN_FIELD)
    newer = stt_pb2.RecognizeRequest(config=config).SerializeToString() + UNKNOWN_FIELD
    await peer.recognized([stt_pb2.RecognizeRequest.FromString(newer), FINISH])
    return None


@case("Profile.PROFILE_UNSPECIFIED", "Treated as PROFILE_LIVE, as is a value that the server does not know.")
async def unknown_enums(peer: SttPeer) -> str | None:
    """A profile that is unspecified, and one that nobody has defined yet, are served."""
    for profile in (0, 99):
        config = await peer.config()
        config.config.profile = profile  # type: ignore[assignment]
        await peer.recognized([config, audio(silence(await peer.fmt(), 0.2)), FINISH])
    return None


@case(_RPC, "a server that traces makes its spans children of them, any other ignores them.")
async def trace_context(peer: SttPeer) -> str | None:
    """Trace context is honoured where that can be seen, and never harmful."""
    return await surroundings.trace_context(peer)


CASES = (unknown_fields, unknown_enums, trace_context)
