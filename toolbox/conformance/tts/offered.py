"""Formats, voices and languages: those offered are to be had, others are refused."""

from __future__ import annotations

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2
from servicekit.audio import describe, same_format
from toolbox.conformance.case import BrokenError, case
from toolbox.conformance.refusals import refused
from toolbox.conformance.tts.peer import TtsPeer, is_samples, text

_RPC = "TextToSpeech.Synthesize"
_UNSUPPORTED = "FORMAT_UNSUPPORTED"
_NOT_HERE = "INVALID_ARGUMENT for a message out of order, a format or voice it does not have, a text too long"
_STRANGE = (
    audio_pb2.AudioFormat(),
    audio_pb2.AudioFormat(sample_rate_hz=8000, channels=1),
    audio_pb2.AudioFormat(encoding=99, sample_rate_hz=8000, channels=1),  # type: ignore[arg-type]
    audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_PCM_S16LE, sample_rate_hz=44_100, channels=2),
    audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_MULAW, sample_rate_hz=11_025, channels=1),
    audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_OPUS, sample_rate_hz=48_000, channels=1),
)
_NOBODY = "conformance-nobody"
_VOICES_TRIED = 3
_SAME_LENGTH = 0.1


@case("GetInfoResponse.formats", "Formats it delivers.")
async def every_format_offered_is_delivered(peer: TtsPeer) -> str | None:
    """The same words in each format: whole samples, and as long in one as in another."""
    offered, lengths = (await peer.info()).formats, {}
    for fmt in offered:
        spoken = await peer.spoken(await peer.config(fmt), text(1, "One two three four."))
        if not spoken.audio:
            raise BrokenError(f"sound in {describe(fmt)}", "none")
        if is_samples(fmt):
            lengths[describe(fmt)] = spoken.samples() / fmt.sample_rate_hz
    shortest, longest = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
    if lengths[longest] > lengths[shortest] * (1 + _SAME_LENGTH):
        raise BrokenError(
            f"the same words as long in {longest} as in {shortest} ({lengths[shortest]:.2f} s)",
            f"{lengths[longest]:.2f} s",
        )
    return f"{len(offered)} formats"


@case(_RPC, _NOT_HERE)
async def other_formats_are_refused(peer: TtsPeer) -> str | None:
    """What GetInfo does not list, and what is no format at all, is refused by its reason."""
    offered = (await peer.info()).formats
    for fmt in _STRANGE:
        if not any(same_format(fmt, one) for one in offered):
            await refused(peer, f"format {describe(fmt)}", await peer.config(fmt), reason=_UNSUPPORTED)
    no_format = tts_pb2.SynthesizeRequest(config=tts_pb2.SynthesizeConfig())
    await refused(peer, "a config without format", no_format, reason=_UNSUPPORTED)
    return None


@case("ListVoicesResponse.voices", "In the server's order of preference.")
async def voices_are_listed(peer: TtsPeer) -> str | None:
    """The default voice is among them, each has a name of its own, and asking for a language leaves those without."""
    voices, info = await peer.voices(), await peer.info()
    names = [voice.name for voice in voices]
    if info.default_voice not in names:
        raise BrokenError(f"the default voice, {info.default_voice!r}, among the voices", f"{len(names)} others")
    if len(set(names)) != len(names) or not all(names):
        raise BrokenError("voices with a name of their own", "empty or repeated names")
    language = info.languages[0].partition("-")[0]
    for voice in await peer.voices(language):
        if not any(tag.partition("-")[0] == language for tag in voice.languages):
            raise BrokenError(f"voices that speak {language}, which was asked for", f"{voice.name!r}, which does not")
    return f"{len(names)} voices"


@case("SynthesizeConfig.voice", "Voice name as ListVoices gives it; empty means the server's default for the language.")
async def listed_voices_speak(peer: TtsPeer) -> str | None:
    """The first of them can be named; `ready` says who speaks; none named is a voice that is listed."""
    voices = await peer.voices()
    for voice in voices[:_VOICES_TRIED]:
        ready = (await peer.spoken(await peer.config(voice=voice.name), text(1, "One."))).ready
        if ready is None or ready.voice != voice.name:
            raise BrokenError(f"ready.voice {voice.name!r}, which was asked for", f"{ready.voice if ready else None!r}")
    ready = (await peer.said("One.")).ready
    if ready is None or ready.voice not in {voice.name for voice in voices}:
        raise BrokenError("a listed voice where none is named", f"{ready.voice if ready else None!r}")
    return None


@case(_RPC, _NOT_HERE)
async def other_voices_are_refused(peer: TtsPeer) -> str | None:
    """A voice that nobody has is refused by its reason, in the config and for a segment."""
    await refused(peer, "an unknown voice", await peer.config(voice=_NOBODY), reason="VOICE_UNKNOWN")
    segment = (await peer.config(), text(1, "One.", voice=_NOBODY), text(2, "Two."))
    await refused(peer, "an unknown voice for a segment", *segment, reason="VOICE_UNKNOWN")
    return None


@case("GetInfoResponse.languages", "BCP 47 languages it speaks.")
async def other_languages_are_refused(peer: TtsPeer) -> str | None:
    """A language that GetInfo does not list is refused by its reason; one that it lists is taken."""
    languages = (await peer.info()).languages
    await peer.spoken(await peer.config(language=languages[0]), text(1, "One."))
    known = {tag.partition("-")[0] for tag in languages}
    other = next(tag for tag in ("zu", "x-none", "tlh", "qaa") if tag not in known)
    await refused(peer, f"language {other}", await peer.config(language=other), reason="LANGUAGE_UNSUPPORTED")
    return None


CASES = (
    every_format_offered_is_delivered,
    other_formats_are_refused,
    voices_are_listed,
    listed_voices_speak,
    other_voices_are_refused,
    other_languages_are_refused,
)
