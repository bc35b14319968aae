"""The contract files themselves: commented throughout, and never broken against what others built on."""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet

from tests.contract.breaking import breaking_changes
from tests.contract.descriptors import BASELINE, contracts, declarations


def baseline() -> FileDescriptorSet:
    return FileDescriptorSet.FromString(BASELINE.read_bytes())


def test_everything_a_contract_declares_is_explained() -> None:
    named = list(declarations())
    bare = [f"{thing.kind} {thing.name}" for thing in named if len(thing.comment) < 4]
    assert len(named) > 250
    assert not bare, "these need a comment that says what they mean and their unit:\n" + "\n".join(bare)


def test_every_number_of_something_says_its_unit_or_is_a_duration() -> None:
    """Names carry units where the type does not, so that nobody mixes milliseconds and samples."""
    units = ("_hz", "_db", "_sample", "samples", "_length", "_offset", "_start", "_end")
    plain = {"probability", "confidence", "language_confidence", "speed", "seq", "segment", "id", "mark", "channels"}
    unclear = [
        f"{message.name}.{field.name}"
        for file in contracts().file
        for message in file.message_type
        for field in message.field
        if field.type in (FieldDescriptorProto.TYPE_FLOAT, FieldDescriptorProto.TYPE_UINT32)
        and not field.name.endswith(units)
        and not field.name.endswith(("_id", "capacity", "in_use", "live_calls"))
        and field.name not in plain
    ]
    assert not unclear, unclear


def test_no_change_breaks_a_peer_built_against_the_baseline() -> None:
    """Deliberate? Then change every service in the same commit and run `make contracts-baseline`."""
    assert breaking_changes(baseline(), contracts()) == []


def test_each_kind_of_breaking_change_is_noticed() -> None:
    def changed(name: str) -> FileDescriptorSet:
        after = FileDescriptorSet()
        after.CopyFrom(baseline())
        stt = next(file for file in after.file if file.package == "parley.stt.v1")
        finalize = next(message for message in stt.message_type if message.name == "Finalize")
        if name == "removed":
            del finalize.field[0]
        elif name == "renumbered":
            finalize.field[0].number = 9
        elif name == "renamed":
            finalize.field[0].name = "number"
        elif name == "retyped":
            finalize.field[0].type = FieldDescriptorProto.TYPE_STRING
        elif name == "repeated":
            finalize.field[0].label = FieldDescriptorProto.LABEL_REPEATED
        elif name == "message":
            del stt.message_type[0]
        elif name == "value":
            del stt.enum_type[0].value[1]
        elif name == "rpc":
            del stt.service[0].method[0]
        elif name == "streaming":
            stt.service[0].method[0].client_streaming = False
        elif name == "oneof":
            request = next(message for message in stt.message_type if message.name == "RecognizeRequest")
            request.field[0].ClearField("oneof_index")
        return after

    kinds = ["removed", "renumbered", "renamed", "retyped", "repeated", "message", "value", "rpc", "streaming", "oneof"]
    unnoticed = [kind for kind in kinds if not breaking_changes(baseline(), changed(kind))]
    assert unnoticed == []


def test_an_addition_is_no_breaking_change() -> None:
    after = FileDescriptorSet()
    after.CopyFrom(baseline())
    stt = next(file for file in after.file if file.package == "parley.stt.v1")
    field = stt.message_type[0].field.add()
    field.name, field.number, field.type = "brand_new", 99, FieldDescriptorProto.TYPE_BOOL
    stt.enum_type[0].value.add(name="PROFILE_NEW", number=7)
    assert breaking_changes(baseline(), after) == []
