"""The contracts as descriptors, read from the .proto files with their comments."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
BASELINE = PROTOS / "baseline.binpb"


@cache
def contracts() -> FileDescriptorSet:
    """Every contract of Parley, comments included (imports of others' files excluded)."""
    files = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    assert files, "no contracts found"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set.binpb"
        arguments = [f"-I{PROTOS}", "--include_source_info", f"--descriptor_set_out={out}"]
        # In a process of its own: protoc's library and Silero's, loaded into one, abort it (std::system_error).
        protoc = [sys.executable, "-m", "grpc_tools.protoc", *arguments, *files]
        done = subprocess.run(protoc, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"protoc refused the contracts:\n{done.stderr}"
        return FileDescriptorSet.FromString(out.read_bytes())


@dataclass(frozen=True)
class Named:
    """One thing a contract declares, and the comment above it."""

    kind: str
    name: str
    comment: str


def declarations() -> Iterator[Named]:
    """Every service, RPC, message, field, oneof, enum and enum value of the contracts."""
    for file in contracts().file:
        comments = {tuple(loc.path): loc.leading_comments.strip() for loc in file.source_code_info.location}
        yield Named("package", file.package, comments.get((2,), ""))
        for i, service in enumerate(file.service):
            yield Named("service", f"{file.package}.{service.name}", comments.get((6, i), ""))
            for j, method in enumerate(service.method):
                yield Named("rpc", f"{file.package}.{service.name}.{method.name}", comments.get((6, i, 2, j), ""))
        for i, message in enumerate(file.message_type):
            yield from _message(file, message, file.package, (4, i), comments)
        for i, enum in enumerate(file.enum_type):
            yield from _enum(enum, file.package, (5, i), comments)


def _message(
    file: FileDescriptorProto,
    message: DescriptorProto,
    scope: str,
    path: tuple[int, ...],
    comments: dict[tuple[int, ...], str],
) -> Iterator[Named]:
    if message.options.map_entry:
        return
    name = f"{scope}.{message.name}"
    yield Named("message", name, comments.get(path, ""))
    for i, field in enumerate(message.field):
        yield Named("field", f"{name}.{field.name}", comments.get((*path, 2, i), ""))
    for i, oneof in enumerate(message.oneof_decl):
        yield Named("oneof", f"{name}.{oneof.name}", comments.get((*path, 8, i), ""))
    for i, nested in enumerate(message.nested_type):
        yield from _message(file, nested, name, (*path, 3, i), comments)
    for i, enum in enumerate(message.enum_type):
        yield from _enum(enum, name, (*path, 4, i), comments)


def _enum(
    enum: EnumDescriptorProto, scope: str, path: tuple[int, ...], comments: dict[tuple[int, ...], str]
) -> Iterator[Named]:
    name = f"{scope}.{enum.name}"
    yield Named("enum", name, comments.get(path, ""))
    for i, value in enumerate(enum.value):
        yield Named("value", f"{name}.{value.name}", comments.get((*path, 2, i), ""))
