"""What would break a peer built against an earlier version of the contracts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet


def breaking_changes(before: FileDescriptorSet, after: FileDescriptorSet) -> list[str]:
    """Sentences naming each change that an old peer would not survive; additions are none.

    Judged both on the wire (numbers, types, cardinality, streaming) and in source (names), since text-format examples
    and generated code depend on names.
    """
    return list(_changes(before, after))


def _changes(before: FileDescriptorSet, after: FileDescriptorSet) -> Iterator[str]:
    old_messages, new_messages = _messages(before), _messages(after)
    old_enums, new_enums = _enums(before), _enums(after)
    for name in old_messages.keys() - new_messages.keys():
        yield f"message {name} was removed"
    for name in old_enums.keys() - new_enums.keys():
        yield f"enum {name} was removed"
    for name in sorted(old_messages.keys() & new_messages.keys()):
        yield from _message(name, old_messages[name], new_messages[name])
    for name in sorted(old_enums.keys() & new_enums.keys()):
        yield from _enum(name, old_enums[name], new_enums[name])
    yield from _services(before, after)


def _message(name: str, old: DescriptorProto, new: DescriptorProto) -> Iterator[str]:
    fields = {field.number: field for field in new.field}
    taken = {field.name: field.number for field in new.field}
    for field in old.field:
        now = fields.get(field.number)
        if now is None:
            reserved = any(r.start <= field.number < r.end for r in new.reserved_range)
            moved = f"; the name now has number {taken[field.name]}" if field.name in taken else ""
            unreserved = "" if reserved else " and not reserved"
            yield f"field {name}.{field.name} = {field.number} was removed{unreserved}{moved}"
            continue
        if now.name != field.name:
            yield f"field {name}.{field.name} = {field.number} was renamed to {now.name}"
        if (now.type, now.type_name, now.label) != (field.type, field.type_name, field.label):
            yield f"field {name}.{field.name} changed from {_type(field)} to {_type(now)}"
        if _oneof(old, field) != _oneof(new, now):
            yield f"field {name}.{field.name} moved from oneof {_oneof(old, field)!r} to {_oneof(new, now)!r}"


def _enum(name: str, old: EnumDescriptorProto, new: EnumDescriptorProto) -> Iterator[str]:
    values = {value.number: value.name for value in new.value}
    for value in old.value:
        now = values.get(value.number)
        if now is None:
            yield f"enum value {name}.{value.name} = {value.number} was removed"
        elif now != value.name:
            yield f"enum value {name}.{value.name} = {value.number} was renamed to {now}"


def _services(before: FileDescriptorSet, after: FileDescriptorSet) -> Iterator[str]:
    now = {
        f"{file.package}.{service.name}.{method.name}": method
        for file in after.file
        for service in file.service
        for method in service.method
    }
    for file in before.file:
        for service in file.service:
            for method in service.method:
                name = f"{file.package}.{service.name}.{method.name}"
                new = now.get(name)
                if new is None:
                    yield f"rpc {name} was removed"
                    continue
                if (new.input_type, new.client_streaming) != (method.input_type, method.client_streaming):
                    yield f"rpc {name} takes something else"
                if (new.output_type, new.server_streaming) != (method.output_type, method.server_streaming):
                    yield f"rpc {name} returns something else"


def _messages(files: FileDescriptorSet) -> Mapping[str, DescriptorProto]:
    found: dict[str, DescriptorProto] = {}

    def walk(scope: str, message: DescriptorProto) -> None:
        found[f"{scope}.{message.name}"] = message
        for nested in message.nested_type:
            walk(f"{scope}.{message.name}", nested)

    for file in files.file:
        for message in file.message_type:
            walk(file.package, message)
    return found


def _enums(files: FileDescriptorSet) -> Mapping[str, EnumDescriptorProto]:
    found = {f"{file.package}.{enum.name}": enum for file in files.file for enum in file.enum_type}
    for name, message in _messages(files).items():
        found.update({f"{name}.{enum.name}": enum for enum in message.enum_type})
    return found


def _type(field: FieldDescriptorProto) -> str:
    label = FieldDescriptorProto.Label.Name(field.label).removeprefix("LABEL_").lower()
    kind = field.type_name or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"{label} {kind}"


def _oneof(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    return message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
