"""Finals, what they answer and what they cover; and partials on the way to them."""

from __future__ import annotations

from servicekit.audio import seconds_of
from toolbox.conformance.case import BrokenError, SkipError, case
from toolbox.conformance.stt.peer import (
    FINISH,
    Heard,
    SttPeer,
    audio,
    finalize,
    in_pieces,
    require_within,
    seconds,
)
from toolbox.conformance.stt.sound import PIECE_S, QUESTION, SUM, length, silence, speech

_RPC = "SpeechToText.Recognize"
_PARTIAL_S = 2.0


@case(_RPC, "is answered by a `final` with its id. Audio may follow it: the utterance was not over.")
async def audio_after_finalize(peer: SttPeer) -> str | None:
    """What is said after a finalize belongs to the utterance, and its finals account for it."""
    fmt = await peer.fmt()
    exchange = peer.open()
    await exchange.send(await peer.config(), audio(speech(fmt, QUESTION)), finalize(1))
    first = await peer.final(exchange, 1)
    await exchange.send(audio(speech(fmt, SUM)), FINISH)
    await exchange.half_close()
    last = (await peer.served(exchange)).last
    if last.audio_end.ToNanoseconds() <= first.audio_end.ToNanoseconds():
        raise BrokenError(
            f"the last final to account for more than finalize 1 did ({seconds(first.audio_end):.3f} s)",
            f"{seconds(last.audio_end):.3f} s",
        )
    return None


@case(_RPC, "Texts are cumulative: each is the whole utterance from its start.")
async def texts_are_cumulative(peer: SttPeer) -> str | None:
    """Silence after a finalize takes nothing from the text: later finals are not what came since."""
    fmt = await peer.fmt()
    exchange = peer.open()
    await exchange.send(await peer.config(), audio(speech(fmt)), finalize(1))
    first = await peer.final(exchange, 1)
    await exchange.send(audio(silence(fmt, 0.4)), finalize(2))
    second = await peer.final(exchange, 2)
    await exchange.send(FINISH)
    await exchange.half_close()
    last = (await peer.served(exchange)).last
    if not first.text:
        peer.warnings.append("nothing was understood, so texts could not be compared")
    for name, text in (("finalize 2", second.text), ("`finish`", last.text)):
        if first.text and not text:
            raise BrokenError(f"the text of the whole utterance in the final for {name}", "an empty one")
    return None


@case(
    _RPC, "A `final` with a higher id supersedes those before; a finalize overtaken by a higher one may go unanswered."
)
async def finalize_twice(peer: SttPeer) -> str | None:
    """Two at once: the higher one is answered, the lower one before it or not at all."""
    exchange = peer.open()
    await exchange.send(await peer.config(), audio(speech(await peer.fmt())), finalize(1), finalize(5))
    answered: list[int] = []
    while not answered or answered[-1] != 5:
        answer = await exchange.next("a `final` for finalize 5")
        if answer is None:
            raise BrokenError("a `final` for finalize 5", str(await exchange.ending()))
        if answer.HasField("final"):
            answered.append(answer.final.finalize_id)
    if answered not in ([5], [1, 5]):
        raise BrokenError("finals for finalize 1 and 5, or for 5 alone", f"finals for {answered}")
    await exchange.send(FINISH)
    await exchange.half_close()
    later = [final.finalize_id for final in (await peer.served(exchange)).finals]
    if later != [0]:
        raise BrokenError("one last final, for `finish`, after finalize 5 was answered", f"finals for {later}")
    return "both answered" if len(answered) > 1 else "the overtaken one was left out"


@case("Partial.audio_end", "Audio that this text accounts for, from the utterance's start.")
async def offsets_rise(peer: SttPeer) -> str | None:
    """audio_end never goes back and never lies beyond what was sent."""
    fmt = await peer.fmt()
    sound = speech(fmt, QUESTION) + speech(fmt, SUM)
    exchange = peer.open()
    half = length(fmt, seconds_of(fmt, len(sound)) / 2)
    await exchange.send(await peer.config(partials=True), *in_pieces(sound[:half], length(fmt, PIECE_S)), finalize(1))
    seen = Heard()
    seen.finals.append(await peer.final(exchange, 1))
    require_within("audio_end for finalize 1", seen.finals[0].audio_end, seconds_of(fmt, half))
    await exchange.send(*in_pieces(sound[half:], length(fmt, PIECE_S)), FINISH)
    await exchange.half_close()
    reached = 0
    for message in await exchange.rest():
        kind = message.WhichOneof("message")
        if kind in ("partial", "final"):
            said = message.partial if kind == "partial" else message.final
            require_within(f"audio_end of a `{kind}`", said.audio_end, seconds_of(fmt, len(sound)))
            if said.HasField("audio_end"):
                end = said.audio_end.ToNanoseconds()
                if end < reached:
                    raise BrokenError(f"audio_end of at least {reached / 1e9:.3f} s, as before", f"{end / 1e9:.3f} s")
                reached = end
    if reached == 0:
        raise BrokenError("audio_end of finals, which says what they account for", "none")
    return None


@case("Partial.stable_text", "The part that will not change any more.")
async def stable_text_stays(peer: SttPeer) -> str | None:
    """Each partial's stable text begins with the one before."""
    if not (await peer.info()).partials:
        raise SkipError("GetInfo promises no partials")
    fmt = await peer.fmt()
    exchange = peer.open()
    await exchange.send(await peer.config(partials=True))
    stable, count = "", 0
    for text in (QUESTION, SUM, QUESTION):
        # Waited for, since whatever else is asked for is rightly answered first.
        await exchange.send(*in_pieces(speech(fmt, text), length(fmt, PIECE_S)))
        partial = await peer.partial(exchange, _PARTIAL_S)
        if partial is not None:
            count += 1
            if not partial.stable_text.startswith(stable):
                raise BrokenError(f"partial {count}'s stable text to begin with the stable text before it", "another")
            stable = partial.stable_text
    return f"{count} partials looked at"


CASES = (audio_after_finalize, texts_are_cumulative, finalize_twice, offsets_rise, stable_text_stays)
