"""The catalogue: pinned, and in step with what the services look for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stt_service.engines.moonshine import files as moonshine
from stt_service.engines.whisper.files import find_model, missing_files
from stt_service.settings import MoonshineSettings, WhisperSettings
from toolbox.models.catalogue import Catalogue, read_catalogue
from toolbox.models.errors import ModelError
from tts_service.engines import kokoro_missing
from tts_service.settings import KokoroSettings


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return read_catalogue()


def put(catalogue: Catalogue, name: str, models: Path) -> None:
    """Make empty files where a pull puts the real ones."""
    (model,) = catalogue.named([name])
    for file in model.files:
        path = models / model.folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_every_model_is_pinned_to_a_commit_and_every_file_to_its_sum(catalogue: Catalogue) -> None:
    for model in catalogue.models:
        assert re.fullmatch(r"[0-9a-f]{40}", model.revision), model.name
        assert all(file.sha256 for file in model.files), model.name


def test_a_pulled_moonshine_is_found_by_its_name_and_complete(catalogue: Catalogue, tmp_path: Path) -> None:
    for size in ("tiny", "small", "medium"):
        put(catalogue, f"moonshine-{size}", tmp_path)
        folder = moonshine.find_model(MoonshineSettings(model=size, model_dir=tmp_path / "moonshine"))
        assert folder is not None
        assert moonshine.missing_files(folder) == []


def test_a_pulled_whisper_is_found_by_its_name_and_complete(catalogue: Catalogue, tmp_path: Path) -> None:
    names = [model.name for model in catalogue.models if model.name.startswith("whisper-")]
    assert len(names) == 6
    for name in names:
        put(catalogue, name, tmp_path)
        folder = find_model(WhisperSettings(model=name.removeprefix("whisper-"), model_dir=tmp_path / "whisper"))
        assert folder is not None
        assert missing_files(folder) == []


def test_a_pulled_kokoro_is_complete(catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(catalogue, "kokoro", tmp_path)
    monkeypatch.chdir(tmp_path)
    here = Path("kokoro")
    settings = KokoroSettings(model=here / "kokoro-v1_0.pth", config=here / "config.json", voices=here / "voices")
    assert [getattr(settings, name).name for name in ("model", "config", "voices")] == [
        getattr(KokoroSettings(), name).name for name in ("model", "config", "voices")
    ]
    assert "not at" not in kokoro_missing(settings)
    assert "voice" not in kokoro_missing(settings)


def test_unknown_names_are_answered_with_the_known_ones(catalogue: Catalogue) -> None:
    with pytest.raises(ModelError, match="whisper-base"):
        catalogue.named(["whisper-huge"])


REST = 'title="t"\nlicence="l"\nsetting="s"\nextra="e"'
BAD = [
    'it = "no table"',
    "[it]\ntitle = 1",
    f'[it]\n{REST}\nfolder="f"\nfiles=[{{name="x"}}]',
    f'[it]\nrepository="https://x"\n{REST}\nfolder="f"\nfiles=[{{name="x"}}]',
    f'[it]\nrepository="a/b"\n{REST}\nfolder="../f"\nfiles=[{{name="x"}}]',
    f'[it]\nrepository="a/b"\n{REST}\nfolder="f"\nfiles=[{{name="/etc/x"}}]',
    f'[it]\nrepository="a/b"\n{REST}\nfolder="f"\nfiles=[{{name="x", sha256="1"}}]',
    f'[it]\nrepository="a/b"\n{REST}\nfolder="f"\nfiles=[]',
    "not toml",
]


@pytest.mark.parametrize("text", BAD)
def test_a_catalogue_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match="no catalogue"):
        read_catalogue(path)
