"""Every event and action, whatever there are, is read back as it was written."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from enum import Enum
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engine import Action, Event, SpeechWindow
from orchestrator.event_log.codec import UnknownKindError, decode, encode, kinds_of

KINDS: dict[str, type] = {**kinds_of(Event), **kinds_of(Action)}
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def values_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that an event may hold."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(values_of(one) for one in arguments))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(values_of(one) for one in arguments))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return instances_of(annotation)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(0, 2**53),
        float: FINITE,
        str: st.text(max_size=20),
        type(None): st.none(),
    }
    return plain[annotation]


def instances_of(cls: type) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(cls)
    return st.builds(cls, **{field.name: values_of(hints[field.name]) for field in dataclasses.fields(cls)})


def as_it_is(_: str, text: str) -> str:
    return text


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_again(kind: str, data: st.DataObject) -> None:
    value = data.draw(instances_of(KINDS[kind]))
    line = json.dumps(encode(value, as_it_is), ensure_ascii=False)
    assert decode(json.loads(line), KINDS, str) == value


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_no_text_gets_past_the_mask(kind: str, data: st.DataObject) -> None:
    value = data.draw(instances_of(KINDS[kind]))
    masked = encode(value, lambda _name, text: {"length": len(text)})
    texts = [found for name, found in masked.items() if isinstance(found, str) and name not in ("kind", "language")]
    hints = typing.get_type_hints(type(value)).values()
    closed = {member.value for hint in hints for member in _members(hint)}
    assert set(texts) <= closed


def _members(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return list(annotation)
    return [member for one in get_args(annotation) for member in _members(one)]


def test_numbers_of_numpy_are_numbers() -> None:
    window = SpeechWindow(1.0, 32.0, typing.cast(float, np.float32(0.1)), -20.0)
    line = json.dumps(encode(window, as_it_is))
    assert decode(json.loads(line), KINDS, str) == SpeechWindow(1.0, 32.0, float(np.float32(0.1)), -20.0)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ({"kind": "Sneeze", "at_ms": 1.0}, "Sneeze"),
        ({"at_ms": 1.0}, "None"),
        ({"kind": "Tick", "at_ms": 1.0, "colour": "red"}, "colour"),
        ({"kind": "Tick"}, "at_ms"),
        ({"kind": "Tick", "at_ms": "soon"}, "soon"),
        ({"kind": "HangUp", "reason": "boredom"}, "boredom"),
    ],
)
def test_what_is_not_known_is_named(line: dict[str, Any], named: str) -> None:
    with pytest.raises(UnknownKindError, match=named):
        decode(line, KINDS, str)
