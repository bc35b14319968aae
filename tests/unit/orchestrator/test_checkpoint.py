"""What a successor is given."""

from __future__ import annotations

import pytest

from orchestrator.checkpoint import MAX_BYTES, CallMemory, CheckpointUnreadableError, dump, load
from orchestrator.history import Exchange, History


def test_a_memory_comes_back_as_it_was() -> None:
    history = History(
        [
            Exchange(0, "", reply="Hello!", ended=True),
            Exchange(1, "tell me a story", reply="Once upon", interrupted=True, ended=True),
            Exchange(2, "für wen?", reply=""),
        ]
    )
    memory = load(dump(CallMemory(history, last_candidate_id=7, language="de", written="Für dich.")))
    assert memory.history.messages() == history.messages()
    assert [e.ended for e in memory.history.exchanges] == [True, True, False]
    assert (memory.last_candidate_id, memory.language, memory.written) == (7, "de", "Für dich.")


def test_a_long_conversation_loses_its_beginning_rather_than_its_end() -> None:
    history = History([Exchange(n, f"question {n}", reply="x" * 2000, ended=True) for n in range(1, 400)])
    blob = dump(CallMemory(history))
    assert len(blob) <= MAX_BYTES
    assert load(blob).history.exchanges[-1].caller == "question 399"


@pytest.mark.parametrize(
    "blob",
    [b"", b"{", b"[]", b"null", b'{"v":2}', b'{"v":1}', b'{"v":1,"history":[{}]}', b"[" * 100_000, b"\xff\xfe"],
)
def test_what_this_version_did_not_write_is_refused(blob: bytes) -> None:
    with pytest.raises(CheckpointUnreadableError):
        load(blob)
