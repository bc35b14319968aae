"""One source over another, and secrets from their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from servicekit.settings import shape
from servicekit.settings.problems import Problem
from servicekit.settings.sources import Path_, Tree

_LARGEST_SECRET_BYTES = 65_536  # a path that leads to a model file by mistake is not read into memory


def merge(lower: Tree, higher: Tree, annotation: Any, *, base: Path | None = None) -> None:
    """Put ``higher`` over ``lower`` in place, table by table; both are of the type ``annotation``.

    A secret and its file are one setting: whichever the higher source gives replaces both of the lower's. Relative
    secret files of ``higher`` are below ``base``.
    """
    models = shape.models_in(annotation)
    fields = shape.fields_of(models)
    secrets = shape.secrets_of(models)
    for name, value in higher.items():
        plain = name.removesuffix(shape.FILE_SUFFIX)
        if name in secrets and name + shape.FILE_SUFFIX not in higher:
            lower.pop(name + shape.FILE_SUFFIX, None)
        if name not in fields and plain in secrets:
            if plain not in higher:
                lower.pop(plain, None)
            lower[name] = _anchored(value, base)
            continue
        below = fields.get(name) if models else shape.element_of(annotation)
        lower[name] = _merged(lower.get(name), value, below, base)


def _merged(lower: Any, higher: Any, annotation: Any, base: Path | None) -> Any:
    """One value over another: tables are merged, lists and scalars replaced."""
    if isinstance(higher, dict):
        table: Tree = lower if isinstance(lower, dict) else {}
        merge(table, higher, annotation, base=base)
        return table
    if isinstance(higher, list):
        return [_merged(None, item, shape.element_of(annotation), base) for item in higher]
    return higher


def _anchored(file: Any, base: Path | None) -> Any:
    """The path of a secret file as seen from the working directory."""
    return str(base / Path(file).expanduser()) if base is not None and isinstance(file, str) and file else file


def resolve_secret_files(tree: Tree, models: shape.Models, at: Path_, problems: list[Problem]) -> set[Path_]:
    """Replace every ``x_file`` by ``x`` with the file's content, in place; returns the secrets that have a problem."""
    unread: set[Path_] = set()
    for name in sorted(shape.secrets_of(models)):
        source = tree.pop(name + shape.FILE_SUFFIX, None)
        if source is None:
            continue
        dotted = ".".join((*at, name + shape.FILE_SUFFIX))
        if name in tree:
            problems.append(Problem(dotted, f"is given besides {'.'.join((*at, name))}", "keep one of the two"))
            continue
        content = _content(source, dotted, problems)
        if content is None:
            unread.add((*at, name))
        else:
            tree[name] = content
    for name, annotation in shape.fields_of(models).items():
        unread |= _resolve_below(tree.get(name), annotation, (*at, name), problems)
    return unread


def _resolve_below(value: Any, annotation: Any, at: Path_, problems: list[Problem]) -> set[Path_]:
    """The same for the tables within one value."""
    direct = shape.models_in(annotation)
    if isinstance(value, dict) and direct:
        return resolve_secret_files(value, direct, at, problems)
    element = shape.models_in(shape.element_of(annotation))
    if not element:
        return set()
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    unread: set[Path_] = set()
    for key, item in items:
        if isinstance(item, dict):
            unread |= resolve_secret_files(item, element, (*at, str(key)), problems)
    return unread


def _content(source: Any, dotted: str, problems: list[Problem]) -> str | None:
    if not isinstance(source, str) or not source:
        problems.append(Problem(dotted, "should be the path of a file"))
        return None
    path = Path(source).expanduser()
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_SECRET_BYTES + 1)
        content = raw.decode("utf-8").strip()
    except FileNotFoundError:
        problems.append(Problem(dotted, f"the file {path} does not exist", "create it, or give the secret itself"))
        return None
    except UnicodeDecodeError:
        problems.append(Problem(dotted, f"the file {path} is not UTF-8 text"))
        return None
    except OSError as error:
        problems.append(Problem(dotted, f"the file {path} cannot be read: {error.strerror}"))
        return None
    if not content or len(raw) > _LARGEST_SECRET_BYTES:
        fault = "is too large for a secret" if content else "is empty"
        problems.append(Problem(dotted, f"the file {path} {fault}"))
        return None
    return content
