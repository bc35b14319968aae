"""Events and actions as JSON objects and back, for whatever dataclasses they are.

Everything is derived from the classes themselves: ``{"kind": class name, field: value, …}``, enums by their value,
fields that have their default left out. Text is private unless its field's name says that it cannot be, so that a
field added later is masked until someone decides otherwise.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Union, get_args, get_origin

KIND = "kind"
# Text that describes the machinery or the language, never what somebody said.
PUBLIC_TEXT = frozenset({"language", "languages", "from_language", "to_language"})

Mask = Callable[[str, str], Any]
"""(field's name, private text) → what is written in its place."""
Unmask = Callable[[Any], str]
"""What was written in place of a private text → a text with the same effect."""


class UnknownKindError(ValueError):
    """An object is of a kind, or has a field or value, that these classes do not know."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    annotation: Any
    default: Any
    private: bool


_FIELDS: dict[type, tuple[_Field, ...]] = {}


def _fields_of(cls: type) -> tuple[_Field, ...]:
    if (known := _FIELDS.get(cls)) is None:
        known = _FIELDS[cls] = _read_fields(cls)
    return known


def _read_fields(cls: type) -> tuple[_Field, ...]:
    hints = typing.get_type_hints(cls)
    found = []
    for field in dataclasses.fields(cls):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        private = field.name not in PUBLIC_TEXT and _holds_text(hints[field.name])
        found.append(_Field(field.name, hints[field.name], default, private))
    return tuple(found)


def _holds_text(annotation: Any) -> bool:
    if annotation is str:
        return True
    if get_origin(annotation) is typing.Literal:
        return False
    return any(_holds_text(one) for one in get_args(annotation))


def kinds_of(union: Any) -> dict[str, type]:
    """The dataclasses of a union such as ``Event``, by name."""
    members = get_args(union) if get_origin(union) in (Union, types.UnionType) else (union,)
    return {member.__name__: member for member in members}


def encode(value: Any, mask: Mask) -> dict[str, Any]:
    """A dataclass instance as a JSON object, its private texts replaced by what ``mask`` makes of them."""
    encoded: dict[str, Any] = {KIND: type(value).__name__}
    for field in _fields_of(type(value)):
        content = getattr(value, field.name)
        if content is field.default or (content == field.default and type(content) is type(field.default)):
            continue
        encoded[field.name] = content if type(content) is float else _encoded(content, field, mask)
    return encoded


def _encoded(content: Any, field: _Field, mask: Mask) -> Any:
    match content:
        case None | bool() | int():
            return content
        case Enum():
            return content.value
        case str():
            return mask(field.name, content) if field.private else content
        case float():  # numpy's among them, which JSON does not know
            return float(content)
        case Mapping():
            return {str(key): _encoded(one, field, mask) for key, one in content.items()}
        case Iterable():
            return [_encoded(one, field, mask) for one in content]
    if dataclasses.is_dataclass(content):
        return encode(content, mask)
    return float(content)


def decode(encoded: Mapping[str, Any], kinds: Mapping[str, type], unmask: Unmask) -> Any:
    """The dataclass instance that ``encode`` made the object of.

    Raises:
        UnknownKindError: the kind, a field or an enum's value is not known, or a field is missing.
    """
    name = encoded.get(KIND)
    if not isinstance(name, str) or name not in kinds:
        raise UnknownKindError(f"the kind {name!r} is not known")
    return _decoded_as(kinds[name], encoded, unmask)


def _decoded_as(cls: type, encoded: Mapping[str, Any], unmask: Unmask) -> Any:
    fields = {field.name: field for field in _fields_of(cls)}
    if unknown := sorted(set(encoded) - set(fields) - {KIND}):
        raise UnknownKindError(f"{cls.__name__} has no field {unknown[0]!r}")
    arguments: dict[str, Any] = {}
    for field in fields.values():
        if field.name in encoded:
            arguments[field.name] = _decoded(encoded[field.name], field.annotation, field, unmask)
        elif field.default is dataclasses.MISSING:
            raise UnknownKindError(f"{cls.__name__} lacks its field {field.name!r}")
    return cls(**arguments)


def _decoded(content: Any, annotation: Any, field: _Field, unmask: Unmask) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _decoded_union(content, arguments, field, unmask)
    if origin in (tuple, list, set, frozenset) and isinstance(content, list):
        inner = arguments[0] if arguments else str
        positional = origin is tuple and len(arguments) == len(content) and Ellipsis not in arguments
        items = zip(content, arguments if positional else [inner] * len(content), strict=True)
        return origin(_decoded(one, kind, field, unmask) for one, kind in items)
    if isinstance(content, Mapping) and origin is not None and issubclass(origin, Mapping):
        return {key: _decoded(one, arguments[1], field, unmask) for key, one in content.items()}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        try:
            return annotation(content)
        except ValueError:
            raise UnknownKindError(f"{content!r} is no {annotation.__name__}") from None
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        if not isinstance(content, Mapping):
            raise UnknownKindError(f"{field.name!r} should be a {annotation.__name__}")
        return _decoded_as(annotation, content, unmask)
    return _scalar(content, annotation, field, unmask)


def _decoded_union(content: Any, members: tuple[Any, ...], field: _Field, unmask: Unmask) -> Any:
    if content is None:
        return None
    named = kinds_of(Union[members]) if isinstance(content, Mapping) and KIND in content else {}  # noqa: UP007
    if named and content[KIND] in named:
        return _decoded_as(named[content[KIND]], content, unmask)
    refused: UnknownKindError | None = None
    for member in members:
        if member is type(None):
            continue
        try:
            return _decoded(content, member, field, unmask)
        except UnknownKindError as error:
            refused = error
    raise refused or UnknownKindError(f"{field.name!r} cannot be read")


def _scalar(content: Any, annotation: Any, field: _Field, unmask: Unmask) -> Any:
    if annotation is str:
        if isinstance(content, str):
            return content
        if field.private and isinstance(content, Mapping):
            return unmask(content)
    elif annotation is float and isinstance(content, int | float) and not isinstance(content, bool):
        return float(content)
    elif annotation in (int, bool):
        if type(content) is annotation:
            return content
    elif get_origin(annotation) is typing.Literal:
        if content in get_args(annotation):
            return content
    elif annotation is Any:
        return content
    raise UnknownKindError(f"{field.name!r} cannot be {content!r:.40}")
