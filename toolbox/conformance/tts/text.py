"""Text of every length and kind, in pieces of every size."""

from __future__ import annotations

from toolbox.conformance.case import BrokenError, case
from toolbox.conformance.refusals import message_too_large, refused
from toolbox.conformance.tts.peer import FLUSH, LONGEST_SEGMENT, TtsPeer, text

_RPC = "TextToSpeech.Synthesize"
_LENGTH = "Plain text ready to be pronounced; at most 10,000 code points for a whole segment."
_SENTENCE = "The lighthouse keeper counts every ship that passes. "
_LONG = (_SENTENCE * (LONGEST_SEGMENT // len(_SENTENCE) + 1))[:LONGEST_SEGMENT]
_SAME_LENGTH = 0.25
_UNICODE = (
    "Grüße aus Ångström, naïve café.",
    "e\u0301 and \u00e9 are the same letter.",
    "東京は夜の七時。",
    "שלום and مرحبا side by side.",
    "Well done 👩‍👩‍👧‍👦 👍🏽 🇩🇪!",
    "𝕬 𝖇𝖔𝖑𝖉 word, an ﬁ ligature, ½ a litre.",
)
_CONTROLS = (
    "Hello\x00 there\x07.",
    "\x1b[31mRed\x1b[0m alert.",
    "Line one.\r\nLine two.\vLine three.\f",
    "\ufeffMarks \u202eturned\u202c and \u200bhidden\u2060.",
    "\ue000 private, \ufffe none, \x7f delete.",
)


@case("Text.text", _LENGTH)
async def ten_thousand_characters(peer: TtsPeer) -> str | None:
    """A segment of the greatest length is spoken; a barge-in ends the test before it is over."""
    exchange = peer.open()
    await exchange.send(await peer.config(), text(1, _LONG), text(2, "Two."), FLUSH)
    await peer.until(exchange, "audio", "sound for a segment of 10,000 code points")
    exchange.cancel()
    return None


@case("Text.text", _LENGTH)
async def a_text_too_long(peer: TtsPeer) -> str | None:
    """One more code point is refused by its reason, in one message or in many."""
    config = await peer.config()
    await refused(peer, "10,001 code points", config, text(1, _LONG + "a"), reason="TEXT_TOO_LONG")
    in_two = (config, text(1, _LONG[:9000]), text(1, "a" * 1001))
    await refused(peer, "10,001 code points in two messages", *in_two, reason="TEXT_TOO_LONG")
    return None


@case(_RPC, "RESOURCE_EXHAUSTED when all slots are taken or a message is too large")
async def five_mebibytes_in_one_message(peer: TtsPeer) -> str | None:
    """A message far beyond the limit is refused, and the server lives on."""
    return await message_too_large(peer)


@case(_RPC, "(several messages of one segment are joined)")
async def one_character_at_a_time(peer: TtsPeer) -> str | None:
    """A sentence that arrives letter by letter is spoken as one: it is as long as in one message."""
    whole = (await peer.said(_SENTENCE)).samples()
    letters = (text(1, letter) for letter in _SENTENCE)
    in_letters = (await peer.spoken(await peer.config(), *letters)).samples()
    if abs(in_letters - whole) > _SAME_LENGTH * whole:
        raise BrokenError(f"about {whole} samples, as for the sentence in one message", f"{in_letters}")
    return None


@case("Text.text", _LENGTH)
async def unicode(peer: TtsPeer) -> str | None:
    """Letters, emoji and scripts of all kinds are spoken or passed over, and never end the reply."""
    await _survives(peer, _UNICODE)
    return None


@case("Text.text", _LENGTH)
async def control_characters(peer: TtsPeer) -> str | None:
    """Control characters are passed over, and never end the reply."""
    await _survives(peer, _CONTROLS)
    return None


async def _survives(peer: TtsPeer, texts: tuple[str, ...]) -> None:
    messages = [text(number, words) for number, words in enumerate((*texts, "One."), 1)]
    spoken = await peer.spoken(await peer.config(alignments=True), *messages)
    last = len(messages)
    if len(spoken.done) != last or not spoken.samples(last):
        raise BrokenError(f"{last} segments done, the last with sound", f"{len(spoken.done)}")


CASES = (
    ten_thousand_characters,
    a_text_too_long,
    five_mebibytes_in_one_message,
    one_character_at_a_time,
    unicode,
    control_characters,
)
