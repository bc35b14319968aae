"""Fetching one file: resumed where it broke off, checked, and put in place in one step.

Bytes arrive in ``<name>.part``; only what is whole and right is renamed. Broken connections, 429 and 5xx are tried
again, each time from where the last try got to; what a server says of the file (a hub's linked ETag is the file's
SHA-256) must agree with what came.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from toolbox.models.catalogue import ModelFile
from toolbox.models.checking import OnBytes, Summing, Sums, mismatch
from toolbox.models.errors import ModelError

_BLOCK = 1 << 18
_TRIES = 5
"""In a row without a byte of progress."""
_MOST_TRIES = 100
_LONGEST_WAIT_S = 30.0
_SPARE_BYTES = 64 << 20
"""Disk space that must be left over."""
_SHA256 = re.compile(r'^(?:W/)?"?([0-9a-f]{64})"?$')


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is in place."""

    sums: Sums
    commit: str
    """The hub's commit, empty from elsewhere."""


class NotThereError(ModelError):
    """The source has no such file."""


class _AgainError(Exception):
    def __init__(self, why: str, *, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


class Downloader:
    """Fetches files over HTTP or copies them from a folder."""

    def __init__(self, client: httpx.Client, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """``client`` follows redirects; ``sleep`` waits between two tries."""
        self._client = client
        self._sleep = sleep

    def fetch(
        self, file: ModelFile, place: str | Path, to: Path, *, locked_sha256: str | None, on_bytes: OnBytes
    ) -> Fetched:
        """Bring a file from ``place`` to ``to``; ``on_bytes`` hears of each piece, negative when it begins anew.

        Raises NotThereError, and ModelError for all else that cannot be mended by trying again.
        """
        to.parent.mkdir(parents=True, exist_ok=True)
        part = to.with_name(to.name + ".part")
        if not resumable(to):
            part.unlink(missing_ok=True)
        if isinstance(place, Path):
            fetched = self._copy(file, place, part, on_bytes)
        else:
            fetched = self._download(file, place, part, locked_sha256, on_bytes)
        difference = mismatch(file, fetched.sums, locked_sha256)
        if difference:
            _forget(part, on_bytes, _size(part))
            raise ModelError(
                f"{file.name} from {place} is not the file that it should be: {difference}. Somebody changed it at its "
                "source or on the way; nothing was kept. Try another source with --from or HF_ENDPOINT."
            )
        os.replace(part, to)
        _tag_path(part).unlink(missing_ok=True)
        return fetched

    def _copy(self, file: ModelFile, place: Path, part: Path, on_bytes: OnBytes) -> Fetched:
        if not place.is_file():
            raise NotThereError(f"There is no {place}.")
        _check_space(part, place.stat().st_size)
        summing = Summing()
        try:
            with place.open("rb") as source, part.open("wb") as target:
                while block := source.read(_BLOCK):
                    target.write(block)
                    summing.update(block)
                    on_bytes(len(block))
                _to_disk(target.fileno())
        except OSError as error:
            raise ModelError(f"{place} cannot be copied to {part.parent}: {error.strerror or error}.") from error
        return Fetched(summing.sums, "")

    def _download(self, file: ModelFile, url: str, part: Path, locked_sha256: str | None, on_bytes: OnBytes) -> Fetched:
        in_vain = 0
        restarted = False
        for _ in range(_MOST_TRIES):
            had = _size(part)
            try:
                fetched = self._try(file, url, part, on_bytes)
            except (_AgainError, httpx.TransportError) as error:
                in_vain = 0 if _size(part) > had else in_vain + 1
                if in_vain >= _TRIES:
                    why = str(error) or type(error).__name__
                    raise ModelError(
                        f"{url} could not be fetched: {why}, {_TRIES} times in a row. Is this machine online? A "
                        "mirror goes into HF_ENDPOINT, a folder into --from. What came is kept: run the command again "
                        "to go on from there."
                    ) from error
                after_s = error.after_s if isinstance(error, _AgainError) else None
                self._sleep(after_s if after_s is not None else _backoff_s(in_vain))
                continue
            except OSError as error:
                raise ModelError(f"{part} cannot be written: {error.strerror or error}.") from error
            # What was put together from several answers may be mixed: once more, in one piece.
            if had and not restarted and mismatch(file, fetched.sums, locked_sha256):
                restarted = True
                _forget(part, on_bytes, _size(part))
                continue
            return fetched
        raise ModelError(f"{url} broke off {_MOST_TRIES} times; run the command again to go on from there.")

    def _try(self, file: ModelFile, url: str, part: Path, on_bytes: OnBytes) -> Fetched:
        """One request. What is in ``part`` already is kept when the server agrees that it is a piece of this file."""
        had, tag = _size(part), _read_tag(part)
        headers = {"accept-encoding": "identity"}
        if had and tag:
            headers |= {"range": f"bytes={had}-", "if-range": tag}
        with self._client.stream("GET", url, headers=headers) as response:
            _raise_for(response, url)
            if response.status_code == 416:
                # Nothing is left to come, or the file is another now: what is here cannot be told to be either.
                _forget(part, on_bytes, had)
                raise _AgainError("the server has no such range")
            resumed = response.status_code == 206 and _starts_at(response, had)
            if not resumed:
                _forget(part, on_bytes, had)
                had = 0
            _write_tag(part, response.headers.get("etag", ""))
            _check_space(part, max(0, (_length(response) or file.size or 0)))
            summing = Summing()
            if had:
                summing.update_from(part, lambda _: None)
            with part.open("ab") as target:
                for block in response.iter_raw():
                    target.write(block)
                    summing.update(block)
                    on_bytes(len(block))
                    if file.size is not None and summing.size > file.size:
                        break
                _to_disk(target.fileno())
            linked = _linked_sha256(response)
        if linked and linked != summing.sums.sha256:
            _forget(part, on_bytes, _size(part))
            raise _AgainError("what came is not what the hub says it sent")
        return Fetched(summing.sums, _header(response, "x-repo-commit"))


def resumable(to: Path) -> int:
    """Bytes that lie ready from a download that broke off."""
    part = to.with_name(to.name + ".part")
    return _size(part) if _read_tag(part) else 0


def _raise_for(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if status in {200, 206, 416}:
        return
    if status == 404:
        raise NotThereError(f"There is no {url} (HTTP 404).")
    if status in {401, 403}:
        raise NotThereError(
            f"{url} is not to be had (HTTP {status}): it was withdrawn or needs an account. Fetch it by other means "
            "and use --from."
        )
    if status == 429 or status >= 500:
        raise _AgainError(f"the server answered HTTP {status}", after_s=_retry_after_s(response))
    raise ModelError(f"{url} could not be fetched: the server answered HTTP {status}.")


def _retry_after_s(response: httpx.Response) -> float | None:
    try:
        return min(_LONGEST_WAIT_S, max(0.0, float(response.headers["retry-after"])))
    except (KeyError, ValueError):
        return None


def _backoff_s(in_vain: int) -> float:
    return min(_LONGEST_WAIT_S, 0.5 * 2.0**in_vain) * random.uniform(0.5, 1.0)  # jitter, no secret


def _starts_at(response: httpx.Response, offset: int) -> bool:
    return str(response.headers.get("content-range", "")).startswith(f"bytes {offset}-")


def _length(response: httpx.Response) -> int | None:
    try:
        return int(response.headers["content-length"])
    except (KeyError, ValueError):
        return None


def _header(response: httpx.Response, name: str) -> str:
    """From the answer or from the redirects before it: a hub sends its own facts before it points elsewhere."""
    return next((one.headers[name] for one in (*response.history, response) if name in one.headers), "")


def _linked_sha256(response: httpx.Response) -> str:
    found = _SHA256.match(_header(response, "x-linked-etag"))
    return found[1] if found else ""


def _check_space(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < needed + _SPARE_BYTES:
        raise ModelError(
            f"There is no room for {part.name.removesuffix('.part')} in {part.parent}: it needs {needed / 1e6:.0f} MB "
            f"and {free / 1e6:.0f} MB are free. Make room, or choose another folder with --dir."
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _forget(part: Path, on_bytes: OnBytes, had: int) -> None:
    part.unlink(missing_ok=True)
    _tag_path(part).unlink(missing_ok=True)
    if had:
        on_bytes(-had)


def _tag_path(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _read_tag(part: Path) -> str:
    """The strong ETag of what is in a part: without one it cannot be known that the rest belongs to it."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        tag = _tag_path(part).read_text(encoding="ascii").strip()
        return "" if tag.startswith("W/") or "\n" in tag else tag
    return ""


def _write_tag(part: Path, tag: str) -> None:
    if tag and tag.isascii():
        _tag_path(part).write_text(tag, encoding="ascii")
    else:
        _tag_path(part).unlink(missing_ok=True)


def _to_disk(handle: int) -> None:
    with contextlib.suppress(OSError):  # not every file system can
        os.fsync(handle)
