"""Formats and languages: those offered are taken, others are refused."""

from __future__ import annotations

from parley.audio.v1 import audio_pb2
from parley.stt.v1 import stt_pb2
from servicekit.audio import describe, same_format, seconds_of
from toolbox.conformance.case import BrokenError, SkipError, case
from toolbox.conformance.refusals import refused
from toolbox.conformance.stt.peer import FINISH, SttExchange, SttPeer, audio, is_samples, require_within
from toolbox.conformance.stt.sound import speech

_UNSUPPORTED = "FORMAT_UNSUPPORTED"
_NEVER = (
    audio_pb2.AudioFormat(),
    audio_pb2.AudioFormat(sample_rate_hz=8000, channels=1),
    audio_pb2.AudioFormat(encoding=99, sample_rate_hz=8000, channels=1),  # type: ignore[arg-type]
)
_UNUSUAL = (
    audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_PCM_S16LE, sample_rate_hz=44_100, channels=2),
    audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_MULAW, sample_rate_hz=11_025, channels=1),
    audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_OPUS, sample_rate_hz=48_000, channels=1),
)


@case("GetInfoResponse.formats", "Formats it takes.")
async def every_format_offered_is_taken(peer: SttPeer) -> str | None:
    """Speech in each format is taken and answered, and its length is understood."""
    offered = (await peer.info()).formats
    for fmt in offered:
        config = await peer.config(fmt)
        if not is_samples(fmt):
            await peer.ready(await _opened(peer, config))
            continue
        sound = speech(fmt)
        try:
            heard = await peer.recognized([config, audio(sound), FINISH])
            require_within("the final's audio_end", heard.last.audio_end, seconds_of(fmt, len(sound)))
        except BrokenError as error:
            raise BrokenError(f"in {describe(fmt)}: {error.expected}", error.came) from None
    return f"{len(offered)} formats"


@case("SpeechToText.Recognize", "INVALID_ARGUMENT for a message out of order or a format not listed in GetInfo")
async def other_formats_are_refused(peer: SttPeer) -> str | None:
    """What GetInfo does not list, and what is no format at all, is refused by its reason."""
    offered = (await peer.info()).formats
    for fmt in (*_NEVER, *_UNUSUAL):
        if not any(same_format(fmt, one) for one in offered):
            await refused(peer, f"format {describe(fmt)}", await peer.config(fmt), reason=_UNSUPPORTED)
    no_format = stt_pb2.RecognizeRequest(config=stt_pb2.RecognizeConfig())
    await refused(peer, "a config without format", no_format, reason=_UNSUPPORTED)
    return None


@case("GetInfoResponse.languages", "BCP 47 languages it understands; empty means any.")
async def other_languages_are_refused(peer: SttPeer) -> str | None:
    """A language that GetInfo does not list is refused by its reason; one that it lists is taken."""
    languages = (await peer.info()).languages
    if not languages:
        raise SkipError("GetInfo says that it understands any language")
    await peer.ready(await _opened(peer, await peer.config(languages=[languages[0]])))
    known = {tag.partition("-")[0] for tag in languages}
    other = next(tag for tag in ("zu", "tlh", "eo", "la", "x-none") if tag not in known)
    await refused(peer, f"language {other}", await peer.config(languages=[other]), reason="LANGUAGE_UNSUPPORTED")
    return None


async def _opened(peer: SttPeer, config: stt_pb2.RecognizeRequest) -> SttExchange:
    exchange = peer.open()
    await exchange.send(config)
    return exchange


CASES = (every_format_offered_is_taken, other_formats_are_refused, other_languages_are_refused)
