"""`parley models` as it is typed: what it prints, where, and with which status it leaves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.fakes.model_hub import COMMIT, FakeHub
from toolbox.models.command import app

FILES = {"model.bin": b"weights" * 1000, "config.json": b"{}"}


class Typed:
    """Commands with a catalogue of one model, a hub that has it, and a folder for it."""

    def __init__(self, hub: FakeHub, folder: Path) -> None:
        self.hub = hub
        self.models = folder / "models"
        self.catalogue = folder / "catalogue.toml"
        files = ", ".join(
            f'{{ name = "{name}", size = {len(content)}, sha256 = "{hashlib.sha256(content).hexdigest()}" }}'
            for name, content in FILES.items()
        )
        self.catalogue.write_text(
            f'[it]\ntitle = "It"\nfolder = "kind/it"\nrepository = "some/model"\nrevision = "{COMMIT}"\n'
            f'licence = "MIT"\nsetting = "a.b = 1"\nextra = "e"\nfiles = [{files}]\n',
            encoding="utf-8",
        )

    def __call__(self, *words: str) -> Result:
        given = ["--dir", str(self.models), "--catalogue", str(self.catalogue)]
        return CliRunner().invoke(app, [*words, *given])

    def report(self, *words: str) -> dict[str, Any]:
        """The one object of ``--json``, and nothing beside it."""
        done = self(*words, "--json")
        assert done.stdout.count("\n") == 1
        report: dict[str, Any] = json.loads(done.stdout)
        return report


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Typed]:
    with FakeHub("some/model", dict(FILES)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield Typed(hub, tmp_path)


def test_a_model_is_listed_pulled_and_verified(typed: Typed) -> None:
    (listed,) = typed.report("list")["models"]
    assert (listed["name"], listed["state"], listed["repository"]) == ("it", "absent", "some/model")
    assert listed["size"] == sum(len(content) for content in FILES.values())
    assert listed["setting"] == "a.b = 1"
    report = typed.report("pull", "it")
    assert report["models"][0]["commit"] == COMMIT
    assert report["folder"] == str(typed.models)
    assert (typed.models / "kind" / "it" / "model.bin").read_bytes() == FILES["model.bin"]
    assert typed.report("list")["models"][0]["state"] == "pulled"
    verified = typed.report("verify")
    assert verified["ok"]
    assert [file["result"] for file in verified["models"][0]["files"]] == ["ok", "ok"]


def test_people_are_told_what_was_fetched_and_how_to_use_it(typed: Typed) -> None:
    done = typed("pull", "it")
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "2 files fetched" in done.stderr
    assert "a.b = 1" in done.stderr
    assert "parley[e]" in done.stderr
    assert "pulled" in typed("list").stdout


def test_damage_and_loss_are_told_with_the_remedy(typed: Typed) -> None:
    assert "There are no models" in typed("verify").stdout
    typed("pull", "it")
    (typed.models / "kind" / "it" / "model.bin").write_bytes(b"weighty" * 1000)
    (typed.models / "kind" / "it" / "config.json").unlink()
    done = typed("verify")
    assert done.exit_code == 1
    assert "model.bin: wrong (its SHA-256" in done.stdout
    assert "config.json: missing" in done.stdout
    assert "run `parley models pull it`" in done.stdout
    assert typed.report("verify")["ok"] is False
    typed("pull", "it")
    assert typed("verify").exit_code == 0


def test_what_cannot_be_had_is_told_on_standard_error(typed: Typed) -> None:
    typed.hub.files.clear()
    done = typed("pull", "it")
    assert done.exit_code == 1
    assert "404" in done.stderr
    assert done.stdout == ""


def test_names_that_are_none_are_refused(typed: Typed) -> None:
    for command in ("pull", "verify"):
        done = typed(command, "whisper-huge")
        assert done.exit_code == 2
        assert "There are: it" in done.stderr


def test_a_broken_lock_file_is_told(typed: Typed) -> None:
    typed("pull", "it")
    (typed.models / "kind" / "it" / "it.lock.json").write_text("{", encoding="utf-8")
    for command in (("verify",), ("pull", "it")):
        done = typed(*command)
        assert done.exit_code == 1
        assert "it.lock.json" in done.stderr
