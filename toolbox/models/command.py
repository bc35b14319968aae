"""``parley models list | pull | verify``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from toolbox.models.catalogue import Catalogue, Model

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Fetch the models that the real engines need, once, and check them. Services never download anything.",
)

Folder = Annotated[
    Path, typer.Option("--dir", metavar="DIR", help="Folder that holds all models, each in a folder of its own.")
]
Other = Annotated[
    Path | None, typer.Option("--catalogue", metavar="FILE", help="Another catalogue, written like Parley's own.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")]
Names = Annotated[list[str], typer.Argument(metavar="MODEL…", help="Names as `parley models list` shows them.")]

_MODELS = Path("models")


@app.command("list")
def list_models(folder: Folder = _MODELS, catalogue: Other = None, json: Json = False) -> None:
    """Say which models there are, what they are for and which of them are here.

    A model is `pulled` (here, with a lock file), `present` (here, put there by other means), `incomplete` or `absent`.
    No file is read: `parley models verify` does that.
    """
    from toolbox.models.checking import state_of  # noqa: PLC0415 - help is instant

    known = _read(catalogue)
    rows = [_row(model, state_of(model, folder)) for model in known.models]
    if json:
        _print(folder, {"models": rows})
        return
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from toolbox.output import result_console  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for column in ("model", "here", "size", "licence", "what it is"):
        table.add_column(column, no_wrap=column != "what it is", justify="right" if column == "size" else "left")
    for row in rows:
        size = f"{'' if row['size_is_known'] else '> '}{row['size'] / 1e6:,.0f} MB" if row["size"] else "?"
        table.add_row(row["name"], row["state"], size, row["licence"], escape(row["title"]))
    result_console().print(table)


@app.command()
def pull(
    names: Names,
    folder: Folder = _MODELS,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DIR|URL",
            help="Take the files from here: a folder or address with one model's files, or laid out like --dir.",
        ),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Accept changed files where only an earlier pull vouches for the old ones.")
    ] = False,
    catalogue: Other = None,
    json: Json = False,
) -> None:
    """Fetch models: resumed where it broke off, checked, and put in place only when whole.

    \b
      parley models pull whisper-base kokoro
      parley models pull whisper-small --dir /srv/models
      HF_ENDPOINT=https://mirror.example parley models pull whisper-base
      parley models pull whisper-base --from /media/stick/models

    Each file is compared with the catalogue's SHA-256; where the catalogue has none, with the one of the first pull,
    which is kept in the lock file beside the model. Files that are here and right are not fetched again.
    """
    import httpx  # noqa: PLC0415

    from toolbox.models.download import Downloader  # noqa: PLC0415
    from toolbox.models.errors import ModelError  # noqa: PLC0415
    from toolbox.models.progress import bytes_shown  # noqa: PLC0415
    from toolbox.models.pulling import Pull  # noqa: PLC0415
    from toolbox.models.sources import source_of  # noqa: PLC0415
    from toolbox.output import error_console  # noqa: PLC0415

    wanted = _named(_read(catalogue), names)
    console = error_console()
    done: list[dict[str, Any]] = []
    timeout = httpx.Timeout(60.0, connect=15.0)
    with httpx.Client(follow_redirects=True, timeout=timeout, headers={"user-agent": "parley-models"}) as client:
        puller = Pull(Downloader(client), folder)
        for model in wanted:
            try:
                with bytes_shown(model.name, model.size if model.size_is_known else 0) as on_bytes:
                    pulled = puller.run(model, source_of(model, source), on_bytes, anew=anew)
            except ModelError as error:
                _fail(str(error), 1)
            fetched = f"{len(pulled.fetched)} files fetched" if pulled.fetched else "was here already"
            console.print(f"{model.name}: {fetched}, in {pulled.folder}", soft_wrap=True)
            console.print(f"  use it: {model.setting}  (needs parley[{model.extra}])", soft_wrap=True, markup=False)
            done.append(
                {
                    "name": model.name,
                    "folder": pulled.folder,
                    "fetched": list(pulled.fetched),
                    "kept": list(pulled.kept),
                    "commit": pulled.commit,
                }
            )
    if json:
        _print(folder, {"models": done})


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL…]", help="Which ones; all that are here when none is named.")
    ] = None,
    folder: Folder = _MODELS,
    catalogue: Other = None,
    json: Json = False,
) -> None:
    """Read every file of the models that are here and compare it with its sum. Exits with 1 when one is not right."""
    from toolbox.models.checking import check, state_of  # noqa: PLC0415
    from toolbox.models.errors import ModelError  # noqa: PLC0415
    from toolbox.models.progress import bytes_shown  # noqa: PLC0415
    from toolbox.output import result_console  # noqa: PLC0415

    known = _read(catalogue)
    chosen = _named(known, names) if names else [one for one in known.models if state_of(one, folder) != "absent"]
    rows: list[dict[str, Any]] = []
    for model in chosen:
        try:
            with bytes_shown(f"checking {model.name}", model.size if model.size_is_known else 0) as on_bytes:
                files = check(model, folder, on_bytes)
        except ModelError as error:
            _fail(str(error), 1)
        result = _worst(file.result for file in files)
        listed = [{"file": file.file, "result": file.result, "detail": file.detail} for file in files]
        rows.append({"name": model.name, "result": result, "files": listed})
    ok = all(row["result"] in {"ok", "unknown"} for row in rows)
    if json:
        _print(folder, {"ok": ok, "models": rows})
    else:
        console = result_console()
        if not rows:
            console.print(f"There are no models in {folder}. `parley models list` shows which ones there could be.")
        for row in rows:
            console.print(f"{row['name']}: {row['result']}")
            for file in row["files"]:
                if file["result"] != "ok":
                    told = f" ({file['detail']})" if file["detail"] else ""
                    console.print(f"  {file['file']}: {file['result']}{told}", soft_wrap=True)
            if row["result"] in {"missing", "wrong"}:
                console.print(f"  run `parley models pull {row['name']}`")
    raise typer.Exit(0 if ok else 1)


def _row(model: Model, state: str) -> dict[str, Any]:
    return {
        "name": model.name,
        "title": model.title,
        "state": state,
        "folder": model.folder,
        "size": model.size,
        "size_is_known": model.size_is_known,
        "licence": model.licence,
        "repository": model.repository,
        "revision": model.revision,
        "setting": model.setting,
        "extra": model.extra,
        "files": [file.name for file in model.files],
    }


def _worst(results: Iterable[str]) -> str:
    severity = ("ok", "unknown", "missing", "wrong")
    return max(results, key=severity.index)


def _read(path: Path | None) -> Catalogue:
    from toolbox.models.catalogue import BUILT_IN, read_catalogue  # noqa: PLC0415
    from toolbox.models.errors import ModelError  # noqa: PLC0415

    try:
        return read_catalogue(path or BUILT_IN)
    except ModelError as error:
        _fail(str(error), 2)


def _named(catalogue: Catalogue, names: Sequence[str]) -> list[Model]:
    from toolbox.models.errors import ModelError  # noqa: PLC0415

    try:
        return catalogue.named(names)
    except ModelError as error:
        _fail(str(error), 2)


def _fail(message: str, status: int) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(status) from None


def _print(folder: Path, report: dict[str, Any]) -> None:
    from toolbox.output import print_json  # noqa: PLC0415
    from toolbox.version import parley_version  # noqa: PLC0415

    print_json({"parley": parley_version(), "folder": str(folder), **report})
