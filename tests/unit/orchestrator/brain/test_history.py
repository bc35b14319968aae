"""Fitting a conversation into the model's context."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.brain import BrainRequest, BrainSettings, Message, ToolCall, estimate_tokens, fit_history
from orchestrator.brain.history import fold_opening, message_tokens, newest_turn, split_turns
from orchestrator.brain.question import messages_to_send

SYSTEM = Message("system", "Be brief.")
GREETING = Message("assistant", "Hello!")
FIRST = (Message("user", "one " * 40), Message("assistant", "first " * 40))
TOOL = (
    Message("user", "two " * 40),
    Message("assistant", "", tool_calls=(ToolCall("c", "look_up", {"q": "x"}),)),
    Message("tool", "found", tool_call_id="c"),
    Message("assistant", "second " * 40),
)
LAST = (Message("user", "three"),)
ALL = (SYSTEM, GREETING, *FIRST, *TOOL, *LAST)


def tokens(messages: tuple[Message, ...]) -> int:
    return sum(map(message_tokens, messages))


def test_what_fits_is_left_alone() -> None:
    assert fit_history(ALL, tokens(ALL)) == ALL


def test_the_oldest_turns_go_first_and_whole() -> None:
    assert fit_history(ALL, tokens(ALL) - 1) == (SYSTEM, *FIRST, *TOOL, *LAST)
    assert fit_history(ALL, tokens((SYSTEM, *TOOL, *LAST))) == (SYSTEM, *TOOL, *LAST)
    assert fit_history(ALL, tokens((SYSTEM, *TOOL, *LAST)) - 1) == (SYSTEM, *LAST)


def test_the_question_and_the_system_message_stay_even_without_room() -> None:
    assert fit_history(ALL, 0) == (SYSTEM, *LAST)


def test_a_short_turn_behind_a_dropped_one_does_not_stay() -> None:
    messages = (Message("user", "a"), Message("assistant", "b"), Message("user", "long " * 99), Message("user", "c"))
    assert fit_history((*messages[:2], *TOOL, *LAST), tokens(LAST) + 20) == LAST


def test_joined_words_are_one_turn() -> None:
    turns = split_turns([Message("user", "I want"), Message("user", "a story"), Message("assistant", "Once")])
    assert [len(turn) for turn in turns] == [3]


@given(
    st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=40)), max_size=12),
    st.integers(0, 300),
)
def test_the_result_fits_or_is_only_the_newest_turn(messages: list[Message], room: int) -> None:
    fitted = fit_history(messages, room)
    assert [message for message in fitted if message.role == "system"] == [
        message for message in messages if message.role == "system"
    ]
    assert tokens(fitted) <= room or len(split_turns(fitted)) <= 1
    rest = [message for message in fitted if message.role != "system"]
    spoken = [message for message in messages if message.role != "system"]
    assert rest == spoken[len(spoken) - len(rest) :]


def test_the_estimate_is_on_the_safe_side() -> None:
    # Counts of GPT-4's cl100k vocabulary, from its published tokenizer page.
    assert estimate_tokens("The quick brown fox jumps over the lazy dog.") >= 10
    assert estimate_tokens("3.14159265358979") >= 8
    assert estimate_tokens("今天天气很好") >= 6
    assert estimate_tokens("😀😀") >= 4
    assert estimate_tokens("") == 0


def test_a_stateful_brain_gets_the_newest_turn_with_the_context_before_the_callers_words() -> None:
    assert newest_turn(ALL, "The caller heard: Once upon") == (
        SYSTEM,
        Message("user", "[The caller heard: Once upon]\n\nthree"),
    )
    assert newest_turn(ALL) == (SYSTEM, *LAST)


def test_a_stateful_brain_gets_a_tools_answer_with_the_call_it_answers() -> None:
    assert newest_turn((*FIRST, *TOOL[:3])) == TOOL[1:3], "the question was sent before"


def test_a_greeting_is_told_in_the_system_message_so_that_the_caller_comes_first() -> None:
    opened = Message("system", "Be brief.\n\nYou opened the call with: Hello!")
    assert fold_opening((SYSTEM, GREETING, *LAST)) == (opened, *LAST)
    assert fold_opening((GREETING, *LAST)) == (Message("system", "You opened the call with: Hello!"), *LAST)


def test_a_conversation_that_the_caller_began_is_left_alone() -> None:
    assert fold_opening((SYSTEM, *FIRST, *LAST)) == (SYSTEM, *FIRST, *LAST)
    assert fold_opening(()) == ()


def test_the_model_never_reads_an_assistant_before_the_caller() -> None:
    request = BrainRequest(messages=(GREETING, *FIRST, *LAST), call_id="c", turn_id=2)
    settings = BrainSettings(preset="none", base_url="http://brain/v1", model="m", system_prompt="Be brief.")
    roles = [message.role for message in messages_to_send(request, settings)]
    assert roles == ["system", "user", "assistant", "user"]
