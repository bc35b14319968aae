"""A fake hub that serves model files as Hugging Face does: a redirect with the commit and the linked ETag, then a
content server with Range and If-Range. Each file's next answers can be made bad in turn."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"

Fault: TypeAlias = "Callable[[_Answering, bytes], None]"


@dataclass
class Asked:
    """A request as the content server saw it."""

    file: str
    range: str | None
    if_range: str | None


def truncated(at: int) -> Fault:
    """Promise the whole, send ``at`` bytes, hang up."""

    def answer(handler: _Answering, content: bytes) -> None:
        handler.send_content(content, sent=at)

    return answer


def status(code: int, **headers: str) -> Fault:
    """Answer with an HTTP status."""

    def answer(handler: _Answering, content: bytes) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", "0")
        handler.end_headers()

    return answer


def replaced(other: bytes) -> Fault:
    """Send other bytes under the same name and ETag."""

    def answer(handler: _Answering, content: bytes) -> None:
        handler.send_content(other, tag=hashlib.sha1(content).hexdigest())

    return answer


def without_ranges(handler: _Answering, content: bytes) -> None:
    """Ignore the Range header, as simple servers do."""
    handler.headers.replace_header("range", "") if "range" in handler.headers else None
    handler.send_content(content)


@dataclass
class FakeHub:
    """Serves ``files`` (by path below the repository) of one repository at any revision."""

    repository: str
    files: dict[str, bytes]
    commit: str = COMMIT
    asked: list[Asked] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    plain: bool = False
    """Serve below the root without a hub's headers and redirects, as a web server with files does."""
    lies: bool = False
    """Give a linked ETag that is not the content's."""

    def __enter__(self) -> FakeHub:
        hub = self

        class Handler(_Answering):
            fake = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"


class _Answering(BaseHTTPRequestHandler):
    fake: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(self.path).lstrip("/")
        fake = self.fake
        found = re.fullmatch(rf"{re.escape(fake.repository)}/resolve/[^/]+/(.+)", path)
        if fake.plain:
            self._content(path)
        elif path.startswith("cdn/"):
            self._content(path.removeprefix("cdn/"))
        elif found is None or found[1] not in fake.files:
            status(404 if found else 401)(self, b"")
        else:
            content = fake.files[found[1]]
            self.send_response(302)
            self.send_header("location", f"/cdn/{found[1]}")
            self.send_header("x-repo-commit", fake.commit)
            digest = hashlib.sha256(b"other" if fake.lies else content).hexdigest()
            self.send_header("x-linked-etag", f'"{digest}"')
            self.send_header("x-linked-size", str(len(content)))
            self.send_header("content-length", "0")
            self.end_headers()

    def _content(self, file: str) -> None:
        self.fake.asked.append(Asked(file, self.headers.get("range"), self.headers.get("if-range")))
        content = self.fake.files.get(file)
        if content is None:
            status(404)(self, b"")
            return
        faults = self.fake.faults.get(file)
        if faults:
            faults.pop(0)(self, content)
        else:
            self.send_content(content)

    def send_content(self, content: bytes, *, sent: int | None = None, tag: str | None = None) -> None:
        """The content or what a Range asks of it; only ``sent`` bytes of the whole when given, then a hang-up."""
        tag = f'"{tag or hashlib.sha1(content).hexdigest()}"'
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range") or "")
        start = int(asked[1]) if asked and self.headers.get("if-range") in {None, tag} else None
        if start is not None and start >= len(content):
            status(416)(self, b"")
            return
        self.send_response(206 if start is not None else 200)
        if start is not None:
            self.send_header("content-range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        rest = content[start or 0 :]
        self.send_header("etag", tag)
        self.send_header("content-length", str(len(rest)))
        self.end_headers()
        if sent is None:
            self.wfile.write(rest)
        else:
            self.wfile.write(rest[: max(0, sent - (start or 0))])
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""
