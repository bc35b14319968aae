"""The stream reader: what it makes of bytes does not depend on how the network cut them."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.brain import BrainError, Finished, TextDelta, ToolCall
from orchestrator.brain.stream import LONGEST_LINE_BYTES, ReplyReader, ServerSentEvents
from tests.fakes.brain_servers import DONE, ROLE, delta

STREAM = (
    ROLE
    + b": keep alive\r\n\r\n"
    + delta("<think>not this</think> Grüße, ")
    + delta("it is ").replace(b"\n\n", b"\r\n\r\n")
    + delta("four.").replace(b"\n\n", b"\r\r")
    + delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "end_call", "arguments": "{}"}}])
    + delta(finish="tool_calls")
    + DONE
)


def read(*parts: bytes) -> list[TextDelta | ToolCall | Finished]:
    reader = ReplyReader()
    events = [event for part in parts for event in reader.push(part)]
    return events + list(reader.end())


def kind_of_failure(*parts: bytes) -> str:
    """The kind of the error that these bytes end in; "" for none."""
    try:
        read(*parts)
    except BrainError as error:
        return error.kind
    return ""


def joined(events: list[TextDelta | ToolCall | Finished]) -> tuple[str, list[object]]:
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return text, [event for event in events if not isinstance(event, TextDelta)]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cut_of_the_bytes_reads_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    parts = [STREAM[start:end] for start, end in pairwise(edges)]
    text, rest = joined(read(*parts))
    assert text == "Grüße, it is four."
    assert rest == [ToolCall("c", "end_call", {}), Finished("tool_calls")]


@given(st.binary(max_size=300))
def test_rubbish_never_raises_anything_but_a_brain_error(rubbish: bytes) -> None:
    assert kind_of_failure(delta("A"), rubbish) in {"", "protocol", "server"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "delta", "content", "tool_calls", "function", "name", "arguments", "index", "usage"]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_json_of_any_shape_never_raises_anything_but_a_brain_error(value: object) -> None:
    event = b"data: " + json.dumps(value).encode() + b"\n\n"
    assert kind_of_failure(event, delta("A"), DONE) in {"", "protocol", "server"}


def test_an_event_over_several_data_lines_is_joined() -> None:
    events = list(ServerSentEvents().push(b'event: x\ndata: {"a":\ndata: 1}\n\n'))
    assert events == [("x", {"a": 1})]


def test_an_event_needs_no_blank_line_behind_it() -> None:
    assert list(ServerSentEvents().push(b'data: {"a": 1}\n')) == [("", {"a": 1})]


def test_a_last_event_without_a_line_end_counts() -> None:
    assert joined(read(delta("It is four.").rstrip(b"\n")))[0] == "It is four."


def test_a_line_without_end_is_given_up() -> None:
    with pytest.raises(BrainError):
        read(*[b"x" * (LONGEST_LINE_BYTES // 2)] * 3)


def test_deep_nesting_and_huge_numbers_are_no_crash() -> None:
    for value in (b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}", b"NaN"):
        with pytest.raises(BrainError):
            read(b"data: " + value + b"\n\n")


def test_several_calls_with_one_index_are_told_apart_by_their_ids() -> None:
    def call(identity: str, name: str) -> bytes:
        return delta(tool_calls=[{"index": 0, "id": identity, "function": {"name": name, "arguments": "{}"}}])

    events = read(call("a", "one"), call("b", "two"), DONE)
    assert events[:2] == [ToolCall("a", "one", {}), ToolCall("b", "two", {})]


def test_calls_with_arguments_as_an_object_or_none_are_understood() -> None:
    first = {"id": "a", "function": {"name": "one", "arguments": {"x": 1}}}
    second = {"index": 1, "id": "b", "function": {"name": "two"}}
    assert read(delta(tool_calls=[first]), delta(tool_calls=[second]), DONE)[:2] == [
        ToolCall("a", "one", {"x": 1}),
        ToolCall("b", "two", {}),
    ]


def test_too_many_and_too_long_calls_are_dropped_not_kept() -> None:
    many = [{"index": number, "id": str(number), "function": {"name": "f", "arguments": "{}"}} for number in range(40)]
    long = [{"index": 0, "id": "x", "function": {"name": "f", "arguments": "1" * 70_000}}]
    assert len(read(delta("A", tool_calls=many), DONE)) == 1 + 16 + 1
    assert len(read(delta("A", tool_calls=long), DONE)) == 1 + 1
