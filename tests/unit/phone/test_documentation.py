"""The example of the documentation runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.asyncs import async_test
from tests.fakes.phone_gateway import FakeGateway, FakeStream
from tests.unit.phone.world import loud
from toolbox.phone.heard import loudest_power, power_of_dbfs

DOCUMENT = Path(__file__).parents[3] / "docs" / "telephone-in-a-box.md"


async def _greet_and_answer(stream: FakeStream) -> None:
    """Speak first; answer when the caller has spoken and fallen silent."""
    await stream.media(loud(0.2))
    spoke = silent = 0
    while not (spoke and silent > 10):
        await stream.until("media")
        voiced = loudest_power(stream.audio()[-160:]) > power_of_dbfs(-45.0)
        spoke, silent = spoke + voiced, 0 if voiced else silent + 1
    await stream.media(loud(0.2))
    await stream.drain()


def test_the_first_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    example = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)

    @async_test
    async def scenario() -> None:
        async with FakeGateway(_greet_and_answer) as gateway:
            gateway.replies["/voice/webhook"] = gateway.connect()
            code = example.replace("http://127.0.0.1:8080", gateway.base).replace("asyncio.run(main())", "")
            names: dict[str, object] = {}
            exec(compile(code, str(DOCUMENT), "exec"), names)
            main = names["main"]
            assert callable(main)
            await main()

    scenario()
    printed = capsys.readouterr().out
    assert re.search(r"answered after \d+ ms", printed)
    assert "completed" in printed
    assert (tmp_path / "call.wav").stat().st_size > 8000
