"""What the server says of itself, whether that is so, and how its RPC goes when nothing is wrong."""

from __future__ import annotations

import time

from parley.audio.v1 import audio_pb2
from parley.stt.v1 import stt_pb2
from servicekit.audio import describe, seconds_of
from toolbox.conformance import surroundings
from toolbox.conformance.case import BrokenError, case
from toolbox.conformance.stt.peer import FINISH, Heard, SttPeer, audio, in_pieces
from toolbox.conformance.stt.sound import PIECE_S, QUESTION, SUM, length, speech

_CONTRACT = "parley.stt.v1"
_CHEAP_S = 2.0
_PARTIAL_S = 5.0
_RPC = "SpeechToText.Recognize"


@case("SpeechToText.GetInfo", "Says what this server is and can do. Cheap: never loads or runs a model.")
async def get_info(peer: SttPeer) -> str | None:
    """Everything that a client must know is there and makes sense."""
    began = time.monotonic()
    info = await peer.info()
    took_s = time.monotonic() - began
    if info.contract != _CONTRACT:
        raise BrokenError(f"contract {_CONTRACT!r}", f"{info.contract!r}")
    if not info.engine:
        raise BrokenError("the engine's name", "an empty one")
    if not info.formats:
        raise BrokenError("at least one format", "none")
    for fmt in info.formats:
        if fmt.encoding == audio_pb2.ENCODING_UNSPECIFIED or not fmt.sample_rate_hz or not fmt.channels:
            raise BrokenError("formats with encoding, sample rate and channels", describe(fmt))
    if info.capacity < 1:
        raise BrokenError("a capacity of at least 1", "0")
    if info.in_use > info.capacity:
        raise BrokenError(f"in_use of at most the capacity, {info.capacity}", str(info.in_use))
    if took_s > _CHEAP_S:
        raise BrokenError(f"an answer within {_CHEAP_S:g} s", f"one after {took_s:.1f} s")
    return f"{info.engine} {info.engine_version}, {info.model}; {info.capacity} at once"


@case(_RPC, "Beside this service stands grpc.health.v1: SERVING while utterances are taken")
async def health(peer: SttPeer) -> str | None:
    """It is SERVING."""
    return await surroundings.health(peer)


@case(_RPC, "answers it (its finalize_id is 0), then the stream ends with OK.")
async def plain_utterance(peer: SttPeer) -> str | None:
    """A sentence: `ready`, one last final, OK; the engine is the one of GetInfo."""
    heard = await peer.recognized([await peer.config(), audio(speech(await peer.fmt())), FINISH])
    if len(heard.finals) != 1:
        raise BrokenError("one final", f"{len(heard.finals)}")
    engine = heard.ready.engine if heard.ready else ""
    if engine != (await peer.info()).engine:
        raise BrokenError(f"ready.engine {(await peer.info()).engine!r}, as in GetInfo", f"{engine!r}")
    return None


@case("Ready.partials", "Whether partials will come.")
async def partials_as_promised(peer: SttPeer) -> str | None:
    """They come when they were asked for and promised, and only then."""
    info, fmt = await peer.info(), await peer.fmt()
    sound = list(in_pieces(speech(fmt, QUESTION) + speech(fmt, SUM), length(fmt, PIECE_S)))
    unasked = await peer.recognized([await peer.config(partials=False), *sound, FINISH])
    if unasked.partials or (unasked.ready and unasked.ready.partials):
        raise BrokenError("no partials, for none were asked for", f"{len(unasked.partials)}, or a promise of them")
    exchange = peer.open()
    await exchange.send(await peer.config(partials=True))
    ready = (await peer.ready(exchange)).ready
    if ready.partials != info.partials:
        raise BrokenError(f"ready.partials {info.partials}, as GetInfo says", f"{ready.partials}")
    await exchange.send(*sound)
    heard = Heard()
    if info.partials:
        # Before `finish`, which is rightly answered first.
        partial = await peer.partial(exchange, _PARTIAL_S)
        heard.partials += [partial] if partial is not None else []
    await exchange.send(FINISH)
    await exchange.half_close()
    for message in await exchange.rest():
        heard.add(message)
    if heard.partials and not info.partials:
        raise BrokenError("no partials, as GetInfo says", f"{len(heard.partials)}")
    if info.partials and not heard.partials:
        if heard.last.text:
            raise BrokenError("partials, as GetInfo and `ready` promise", "none, and then a final with text")
        peer.warnings.append("no partial came, but nothing was understood at all")
    return f"{len(heard.partials)} partials" if info.partials else "none promised, none sent"


@case("GetInfoResponse.word_times", "Whether finals can carry word times.")
async def word_times_as_promised(peer: SttPeer) -> str | None:
    """They are there only where asked for and promised; each lies within the audio, in order."""
    info, fmt = await peer.info(), await peer.fmt()
    sound = speech(fmt)
    unasked = await peer.recognized([await peer.config(word_times=False), audio(sound), FINISH])
    if unasked.last.words:
        raise BrokenError("no word times, for none were asked for", f"{len(unasked.last.words)}")
    last = (await peer.recognized([await peer.config(word_times=True), audio(sound), FINISH])).last
    if not info.word_times:
        if last.words:
            raise BrokenError("no word times, as GetInfo says", f"{len(last.words)}")
        return "none promised, none sent"
    if last.text and not last.words:
        raise BrokenError("word times, as GetInfo promises", "none, and a text")
    sent, at = round(seconds_of(fmt, len(sound)) * fmt.sample_rate_hz), 0
    for number, word in enumerate(last.words, 1):
        if not at <= word.start_sample <= word.end_sample <= sent:
            raise BrokenError(
                f"word {number} between samples {at} and {sent}", f"from {word.start_sample} to {word.end_sample}"
            )
        at = word.start_sample
    return f"{len(last.words)} words"


@case("Final.confidence", "Confidence in the text, 0 to 1; 0 when the engine has none.")
async def figures_make_sense(peer: SttPeer) -> str | None:
    """Confidences lie between 0 and 1, a text has a language, and nothing comes that GetInfo denies."""
    info = await peer.info()
    heard = await peer.recognized([await peer.config(), audio(speech(await peer.fmt())), FINISH])
    last = heard.last
    for name, value in (("confidence", last.confidence), ("language_confidence", last.language_confidence)):
        if not 0.0 <= value <= 1.0:
            raise BrokenError(f"{name} from 0 to 1", f"{value}")
    if last.text and not last.language:
        raise BrokenError("the text's language", "an empty one")
    if heard.ends_of_turn and not info.end_of_turn:
        raise BrokenError("no `end_of_turn`, as GetInfo says", f"{len(heard.ends_of_turn)}")
    return None


@case(_RPC, "Server to client: `ready` exactly once and first; then `partial`, `final` and `end_of_turn` as they come")
async def order_throughout(peer: SttPeer) -> str | None:
    """In no case of this run did a message come out of order."""
    await peer.recognized([await peer.config(partials=True), *await _sentence(peer), FINISH])
    if peer.target.disorder:
        first, more = peer.target.disorder[0], len(peer.target.disorder) - 1
        raise BrokenError("messages in order throughout", first + (f", and {more} more like it" if more else ""))
    return None


@case(_RPC, "while draining it is not, and those begun before are still answered.")
async def health_while_draining(peer: SttPeer) -> str | None:
    """Told to end, it finishes what was begun, takes nothing new, and says so."""
    return await surroundings.drain(peer)


async def _sentence(peer: SttPeer) -> list[stt_pb2.RecognizeRequest]:
    fmt = await peer.fmt()
    return list(in_pieces(speech(fmt), length(fmt, PIECE_S)))


TRUTHS = (partials_as_promised, word_times_as_promised, figures_make_sense)
