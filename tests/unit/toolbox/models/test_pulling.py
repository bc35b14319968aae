"""Pulling models over HTTP: the real client against a server that behaves as a hub does, and as a bad one."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.fakes.model_hub import COMMIT, FakeHub, replaced, status, truncated, without_ranges
from toolbox.models.catalogue import Model
from toolbox.models.checking import check, state_of
from toolbox.models.download import Downloader
from toolbox.models.errors import ModelError
from toolbox.models.pulling import Pull, Pulled
from toolbox.models.sources import source_of

WEIGHTS = bytes(range(256)) * 4000
"""About a megabyte."""
CONFIG = b'{"a": 1}\n'
FILES = {"model.bin": WEIGHTS, "sub/config.json": CONFIG}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def model(*, pinned: bool = True, revision: str = COMMIT, **more: Any) -> Model:
    files = [
        {"name": name, "size": len(content), **({"sha256": sha256(content)} if pinned else {})}
        for name, content in FILES.items()
    ]
    source = {"repository": "some/model", "revision": revision}
    known = {"title": "t", "licence": "MIT", "setting": "s", "extra": "e", "folder": "kind/it"}
    return Model.model_validate({"name": "it", **known, **source, "files": files, **more})


class Tried(NamedTuple):
    """A way to pull, how long it slept and how many bytes it said were done."""

    hub: FakeHub
    folder: Path
    slept: list[float]
    counted: list[int]

    def pull(self, wanted: Model, source: str | None = None, *, anew: bool = False) -> Pulled:
        with httpx.Client(follow_redirects=True, trust_env=False) as client:
            puller = Pull(Downloader(client, sleep=self.slept.append), self.folder)
            found = source_of(wanted, source, {"HF_ENDPOINT": self.hub.url})
            return puller.run(wanted, found, self.counted.append, anew=anew)

    def content(self, name: str = "model.bin") -> bytes:
        return (self.folder / "kind" / "it" / name).read_bytes()

    def left_over(self) -> list[str]:
        """Names of all that is neither a model's file nor its lock."""
        return sorted(path.name for path in self.folder.rglob("*.part*"))


@pytest.fixture
def tried(tmp_path: Path) -> Iterator[Tried]:
    with FakeHub("some/model", dict(FILES)) as hub:
        yield Tried(hub, tmp_path / "models", [], [])


def test_a_model_is_fetched_checked_and_sealed(tried: Tried) -> None:
    pulled = tried.pull(model())
    assert (tried.content(), tried.content("sub/config.json")) == (WEIGHTS, CONFIG)
    assert (pulled.fetched, pulled.kept, pulled.commit) == (("model.bin", "sub/config.json"), (), COMMIT)
    lock = json.loads((tried.folder / "kind" / "it" / "it.lock.json").read_text(encoding="utf-8"))
    assert lock["commit"] == COMMIT
    assert lock["files"]["model.bin"] == {"size": len(WEIGHTS), "sha256": sha256(WEIGHTS)}
    assert sum(tried.counted) == len(WEIGHTS) + len(CONFIG)
    assert tried.left_over() == []
    assert state_of(model(), tried.folder) == "pulled"
    assert [file.result for file in check(model(), tried.folder, lambda _: None)] == ["ok", "ok"]


def test_what_is_here_and_right_is_not_fetched_again(tried: Tried) -> None:
    tried.pull(model())
    before = len(tried.hub.asked)
    assert tried.pull(model()).kept == ("model.bin", "sub/config.json")
    (tried.folder / "kind" / "it" / "model.bin").write_bytes(b"damaged")
    assert tried.pull(model()).fetched == ("model.bin",)
    assert [asked.file for asked in tried.hub.asked[before:]] == ["model.bin"]


def test_a_download_that_breaks_off_goes_on_where_it_was(tried: Tried) -> None:
    tried.hub.faults["model.bin"] = [truncated(400_000), truncated(700_000)]
    tried.pull(model())
    assert tried.content() == WEIGHTS
    ranges = [asked.range for asked in tried.hub.asked if asked.file == "model.bin"]
    assert ranges == [None, "bytes=400000-", "bytes=700000-"]
    assert sum(tried.counted) == len(WEIGHTS) + len(CONFIG)
    assert len(tried.slept) == 2


def test_a_command_that_was_stopped_goes_on_where_it_was(tried: Tried) -> None:
    tried.hub.faults["model.bin"] = [truncated(400_000)] + [status(503)] * 5
    with pytest.raises(ModelError, match=r"HTTP 503.*5 times in a row"):
        tried.pull(model())
    assert state_of(model(), tried.folder) == "incomplete"
    assert not (tried.folder / "kind" / "it" / "model.bin").exists()
    tried.counted.clear()
    tried.pull(model())
    assert tried.hub.asked[-2].range == "bytes=400000-"
    assert tried.content() == WEIGHTS
    assert sum(tried.counted) == len(WEIGHTS) + len(CONFIG)


def test_a_server_without_ranges_sends_it_all_again(tried: Tried) -> None:
    tried.hub.faults["model.bin"] = [truncated(400_000), without_ranges]
    tried.pull(model())
    assert tried.content() == WEIGHTS
    assert sum(tried.counted) == len(WEIGHTS) + len(CONFIG)


def test_a_file_that_changed_meanwhile_is_begun_anew(tried: Tried) -> None:
    folder = tried.folder / "kind" / "it"
    folder.mkdir(parents=True)
    (folder / "model.bin.part").write_bytes(b"old" * 1000)
    (folder / "model.bin.part.etag").write_text('"of the old one"', encoding="ascii")
    tried.pull(model())
    assert tried.hub.asked[0].if_range == '"of the old one"'
    assert tried.content() == WEIGHTS


def test_a_part_that_was_damaged_is_fetched_in_one_piece(tried: Tried) -> None:
    tried.hub.faults["model.bin"] = [truncated(400_000)] + [status(503)] * 5
    with pytest.raises(ModelError):
        tried.pull(model())
    part = tried.folder / "kind" / "it" / "model.bin.part"
    part.write_bytes(b"x" * part.stat().st_size)
    tried.pull(model())
    assert tried.content() == WEIGHTS


def test_a_part_that_is_whole_already_is_not_believed(tried: Tried) -> None:
    tried.hub.faults["model.bin"] = [truncated(400_000)] + [status(503)] * 5
    with pytest.raises(ModelError):
        tried.pull(model())
    (tried.folder / "kind" / "it" / "model.bin.part").write_bytes(b"x" * len(WEIGHTS))
    tried.pull(model())  # the server answers 416
    assert tried.content() == WEIGHTS


def test_a_busy_server_is_asked_again_when_it_says(tried: Tried) -> None:
    tried.hub.faults["model.bin"] = [status(429, retry_after="7"), status(503)]
    tried.pull(model())
    assert tried.content() == WEIGHTS
    assert tried.slept[0] == 7
    assert len(tried.slept) == 2


def test_bytes_that_are_not_the_pinned_ones_are_refused_and_not_kept(tried: Tried) -> None:
    tried.hub.files["model.bin"] = b"\xff" + WEIGHTS[1:]
    with pytest.raises(ModelError, match="SHA-256"):
        tried.pull(model())
    tried.hub.files["model.bin"] = WEIGHTS + b"more"
    with pytest.raises(ModelError, match="bytes instead of"):
        tried.pull(model())
    assert state_of(model(), tried.folder) == "absent"
    assert tried.left_over() == []


def test_bytes_that_are_not_what_the_hub_itself_says_are_refused(tried: Tried) -> None:
    tried.hub.faults["model.bin"] = [replaced(b"\xff" + WEIGHTS[1:])]
    tried.pull(model(pinned=False))
    assert tried.content() == WEIGHTS
    tried.hub.lies = True
    (tried.folder / "kind" / "it" / "model.bin").unlink()
    with pytest.raises(ModelError, match="not what the hub says"):
        tried.pull(model(pinned=False))


def test_without_a_published_sum_the_first_pull_vouches_for_the_later_ones(tried: Tried) -> None:
    free = model(pinned=False, revision="main")
    tried.pull(free)
    (tried.folder / "kind" / "it" / "model.bin").write_bytes(b"\xff" + WEIGHTS[1:])
    (wrong, fine) = check(free, tried.folder, lambda _: None)
    assert (wrong.result, fine.result) == ("wrong", "ok")
    tried.hub.files["model.bin"] = b"\x01" + WEIGHTS[1:]
    with pytest.raises(ModelError, match="SHA-256"):
        tried.pull(free)
    tried.pull(free, anew=True)
    assert tried.content()[:1] == b"\x01"
    assert {file.result for file in check(free, tried.folder, lambda _: None)} == {"ok"}


def test_a_branch_is_kept_as_the_commit_that_the_hub_answered(tried: Tried) -> None:
    tried.pull(model(pinned=False, revision="main"))
    lock = json.loads((tried.folder / "kind" / "it" / "it.lock.json").read_text(encoding="utf-8"))
    assert (lock["revision"], lock["commit"]) == ("main", COMMIT)


def test_files_of_another_commit_are_refused(tried: Tried) -> None:
    tried.hub.commit = "f" * 40
    with pytest.raises(ModelError, match="commit ffffffffffff"):
        tried.pull(model())


def test_what_is_not_there_is_said(tried: Tried) -> None:
    del tried.hub.files["sub/config.json"]
    with pytest.raises(ModelError, match="404"):
        tried.pull(model())
    with pytest.raises(ModelError, match="withdrawn or needs an account"):
        tried.pull(model(repository="other/model"))


def test_nobody_listening_is_said_with_the_way_out(tmp_path: Path) -> None:
    source = source_of(model(), None, {"HF_ENDPOINT": "http://127.0.0.1:9"})
    with httpx.Client(trust_env=False) as client:
        puller = Pull(Downloader(client, sleep=lambda _: None), tmp_path)
        with pytest.raises(ModelError, match="HF_ENDPOINT"):
            puller.run(model(), source, lambda _: None)


def test_files_may_lie_deeper_in_the_repository(tried: Tried) -> None:
    tried.hub.files = {f"some/where/{name}": content for name, content in FILES.items()}
    tried.pull(model(path="some/where"))
    assert tried.content() == WEIGHTS


@pytest.mark.parametrize("layout", ["all models", "one model"])
def test_a_folder_or_a_plain_server_may_stand_in_for_the_hub(tried: Tried, tmp_path: Path, layout: str) -> None:
    root = tmp_path / "stick"
    below = root / "kind" / "it" if layout == "all models" else root
    for name, content in FILES.items():
        (below / name).parent.mkdir(parents=True, exist_ok=True)
        (below / name).write_bytes(content)
    assert tried.pull(model(), str(root)).commit == ""
    assert tried.content() == WEIGHTS
    shutil.rmtree(tried.folder)
    tried.hub.plain = True
    if layout == "all models":
        tried.hub.files = {f"kind/it/{name}": content for name, content in FILES.items()}
    tried.pull(model(), tried.hub.url)
    assert tried.content() == WEIGHTS


def test_a_folder_with_other_bytes_is_refused(tried: Tried, tmp_path: Path) -> None:
    root = tmp_path / "stick"
    root.mkdir()
    (root / "model.bin").write_bytes(b"\xff" + WEIGHTS[1:])
    with pytest.raises(ModelError, match="SHA-256"):
        tried.pull(model(), str(root))


@pytest.mark.parametrize("given", ["/nowhere/at/all", "ftp://host/x", "http://"])
def test_a_source_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ModelError, match="--from"):
        source_of(model(), given)


def test_a_mirror_that_is_none_is_refused() -> None:
    with pytest.raises(ModelError, match="HF_ENDPOINT"):
        source_of(model(), None, {"HF_ENDPOINT": "mirror"})


def test_a_full_disk_is_said_before_the_first_byte(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(tried.folder.parent)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(ModelError, match=r"no room.*--dir"):
        tried.pull(model())
    assert tried.hub.asked == []
