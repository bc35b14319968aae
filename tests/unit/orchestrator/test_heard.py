"""What of a reply the caller heard, to the word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.heard import Range
from orchestrator.history import History
from orchestrator.speech_text import SpeechChunker, SpeechSegment
from orchestrator.spoken import SpokenReply
from servicekit.audio import MULAW_8K

SAMPLES_PER_CHARACTER = 400
TEXTS = st.lists(st.text(alphabet=st.sampled_from("abcdefgh"), min_size=1, max_size=9), min_size=1, max_size=40).map(
    lambda words: " ".join(words) + "."
)


def segments_of(text: str) -> list[SpeechSegment]:
    """A reply as it is cut for synthesis."""
    chunker = SpeechChunker("en")
    return [*chunker.push(text), *chunker.finish()]


def spoken(text: str, *, aligned: bool = True, whole: bool = True) -> SpokenReply:
    """A reply whose characters all sound equally long; not ``whole``: its last segment has only half come."""
    reply = SpokenReply(MULAW_8K)
    reply.written = text
    segments = segments_of(text)
    for index, segment in enumerate(segments):
        reply.begin_segment(segment)
        length = len(segment.spoken) * SAMPLES_PER_CHARACTER
        last = index == len(segments) - 1
        reply.add_audio(index, bytes(length if whole or not last else length // 2))
        if aligned:
            at = 0
            for word in segment.spoken.split(" "):
                end = at + len(word)
                reply.align(index, [Range(at, end, at * SAMPLES_PER_CHARACTER, end * SAMPLES_PER_CHARACTER)])
                at = end + 1
        if whole or not last:
            reply.segment_done(index)
    if whole:
        reply.close()
    return reply


def test_a_word_counts_once_its_last_sample_was_played() -> None:
    reply = spoken("Once upon a time.")
    reply.played(9 * SAMPLES_PER_CHARACTER - 1)
    assert reply.heard_text == "Once"
    reply.played(9 * SAMPLES_PER_CHARACTER)
    assert reply.heard_text == "Once upon"


def test_without_alignment_characters_are_spread_over_the_sound() -> None:
    reply = spoken("Once upon a time.", aligned=False)
    reply.played(9 * SAMPLES_PER_CHARACTER)
    assert reply.heard_text == "Once upon"


def test_of_a_segment_of_unknown_length_nothing_is_claimed() -> None:
    reply = spoken("Once upon a time.", aligned=False, whole=False)
    reply.played(8 * SAMPLES_PER_CHARACTER)
    assert reply.heard_text == ""


def test_a_tail_begins_with_the_word_that_was_cut() -> None:
    reply = spoken("Once upon a time.")
    reply.played(7 * SAMPLES_PER_CHARACTER)
    assert reply.resume_point() == (5 * SAMPLES_PER_CHARACTER, 5)


def test_what_was_heard_is_told_as_written_not_as_pronounced() -> None:
    reply = spoken("It costs $5 today.")
    reply.played(reply.samples)
    assert reply.heard_text == "It costs $5 today."


@given(text=TEXTS, share=st.floats(0, 1), aligned=st.booleans(), whole=st.booleans())
def test_what_was_heard_is_a_prefix_that_grows(text: str, share: float, aligned: bool, whole: bool) -> None:
    reply = spoken(text, aligned=aligned, whole=whole)
    lengths = []
    for sample in sorted({0, int(share * reply.samples), reply.samples}):
        reply.played(sample)
        assert text.startswith(reply.heard_text)
        lengths.append(reply.heard_length)
    assert lengths == sorted(lengths)
    if whole:
        assert lengths[-1] == len(text) == reply.said_length


@given(text=TEXTS, share=st.floats(0, 1), aligned=st.booleans())
def test_heard_and_tail_together_say_everything_once(text: str, share: float, aligned: bool) -> None:
    reply = spoken(text, aligned=aligned)
    reply.played(int(share * reply.samples))
    sample, offset = reply.resume_point()
    whole = " ".join(segment.spoken for segment in segments_of(text))
    assert sample <= reply.heard + SAMPLES_PER_CHARACTER, "at most the blank before the word is left out"
    assert whole[:offset].rstrip() == whole[: len(reply.heard_text)].rstrip()


def test_the_history_after_an_interruption_holds_what_was_heard_even_if_that_is_learned_late() -> None:
    history = History()
    reply = spoken("Once upon a time there was a fox.")
    exchange = history.asked(1, "tell me a story")
    exchange.spoken = reply
    reply.played(4 * SAMPLES_PER_CHARACTER)
    history.ended(exchange, interrupted=True)
    reply.played(9 * SAMPLES_PER_CHARACTER)
    told = [(m.role, m.content) for m in history.messages("stop")]
    assert told == [("user", "tell me a story"), ("assistant", "Once upon —"), ("user", "stop")]
    assert history.context_line() == "The caller interrupted your last answer and heard only: Once upon"


def test_a_reply_cut_before_its_first_word_is_in_the_history_all_the_same() -> None:
    history = History()
    exchange = history.asked(1, "tell me a story")
    exchange.spoken = spoken("Once upon a time.")
    history.ended(exchange, interrupted=True)
    assert [m.content for m in history.messages()] == ["tell me a story", "—"]


def test_a_joined_turn_replaces_the_one_it_joins() -> None:
    history = History()
    history.asked(1, "i would like a table").spoken = spoken("For how many?")
    history.asked(2, "i would like a table for two", joins=1)
    assert [m.content for m in history.messages()] == ["i would like a table for two"]
    assert "went on" in history.context_line()
