"""Questions about a settings model that its values cannot answer: what lives at a dotted name, and is it a secret?"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr

FILE_SUFFIX = "_file"

Models = tuple[type[BaseModel], ...]
"""The models that a table may be; several where a setting is a union."""


def alternatives(annotation: Any) -> Iterator[Any]:
    """Each type that an annotation allows, unions, ``Annotated`` and aliases taken apart."""
    if hasattr(annotation, "__value__"):  # a `type` alias, which Python 3.11 has no name for
        yield from alternatives(annotation.__value__)
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from alternatives(member)
    elif get_origin(annotation) is Annotated:
        yield from alternatives(get_args(annotation)[0])
    else:
        yield annotation


def _base(annotation: Any) -> type | None:
    origin = get_origin(annotation) or annotation
    return origin if isinstance(origin, type) else None


def is_sequence(annotation: Any) -> bool:
    """Whether a list is among the values allowed."""
    return any(
        (base := _base(one)) is not None and issubclass(base, Sequence | Set) and not issubclass(base, str | bytes)
        for one in alternatives(annotation)
    )


def is_table(annotation: Any) -> bool:
    """Whether a table is among the values allowed."""
    return bool(models_in(annotation)) or any(
        (base := _base(one)) is not None and issubclass(base, Mapping) for one in alternatives(annotation)
    )


def is_text(annotation: Any) -> bool:
    """Whether plain text is among the values allowed."""
    return any(one is str for one in alternatives(annotation))


def may_be_none(annotation: Any) -> bool:
    """Whether the setting may be absent by value."""
    return any(one is type(None) for one in alternatives(annotation))


def models_in(annotation: Any) -> Models:
    """Models among the types allowed."""
    found = (_base(one) for one in alternatives(annotation))
    return tuple(base for base in found if base is not None and issubclass(base, BaseModel))


def element_of(annotation: Any) -> Any:
    """What a list's elements or a table's values are; None where nothing is said."""
    for one in alternatives(annotation):
        base, arguments = _base(one), get_args(one)
        if base is None or not arguments or issubclass(base, str | bytes):
            continue
        if issubclass(base, Mapping):
            return arguments[-1]
        if issubclass(base, Sequence | Set):
            return arguments[0]
    return None


def is_secret(annotation: Any) -> bool:
    """Whether the value must never be shown."""
    return any(one in (SecretStr, SecretBytes) for one in alternatives(annotation))


def fields_of(models: Models) -> dict[str, Any]:
    """Annotation of each field of any of the models."""
    return {name: field.annotation for model in models for name, field in model.model_fields.items()}


def secrets_of(models: Models) -> set[str]:
    """Names of the fields that may also be given as a file."""
    fields = fields_of(models)
    return {name for name, kind in fields.items() if is_secret(kind) and name + FILE_SUFFIX not in fields}


def names_of(models: Models) -> list[str]:
    """Every key that a table may hold."""
    return [*fields_of(models), *(name + FILE_SUFFIX for name in secrets_of(models))]


class UnknownNameError(LookupError):
    """There is no such setting; ``known`` are the names at the place where the search ended."""

    def __init__(self, at: int, known: Iterable[str]) -> None:
        """The path's element number ``at`` is none of ``known``."""
        super().__init__(at)
        self.at = at
        self.known = tuple(known)


def annotation_at(model: type[BaseModel], path: Sequence[str]) -> Any:
    """The annotation of the setting at ``path`` below ``model``; UnknownNameError where there is none."""
    models: Models = (model,)
    annotation: Any = model
    for depth, name in enumerate(path):
        if models:
            fields = fields_of(models)
            if name in fields:
                annotation = fields[name]
            elif name.endswith(FILE_SUFFIX) and name.removesuffix(FILE_SUFFIX) in secrets_of(models):
                annotation = str
            else:
                raise UnknownNameError(depth, names_of(models))
        elif is_table(annotation):
            annotation = element_of(annotation)
        else:
            raise UnknownNameError(depth, ())
        models = models_in(annotation)
    return annotation
