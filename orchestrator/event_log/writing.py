"""Writing logs without ever making a call wait: the event loop appends to a list, a thread does the rest."""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from orchestrator.engine import Action, EngineSettings, Event, Ids, load_cues
from orchestrator.event_log.header import Header, engine_settings_of, parley_version
from orchestrator.event_log.lines import Lines
from orchestrator.event_log.settings import EventLogSettings
from servicekit.logs import get_logger

log = get_logger(__name__)

SUFFIX = ".events.jsonl"
# Entries of all calls that wait to be written: minutes of fifty calls. Beyond, events are dropped and counted.
_WAITING = 100_000
_EVERY_S = 0.25
_CLOSE_WITHIN_S = 5.0
_NAME = re.compile(r"[^A-Za-z0-9_-]+")


class EventLog:
    """One call's log. ``took`` and ``close`` are for the call's event loop and cost it next to nothing."""

    def __init__(self, entries: _Entries | None = None) -> None:
        """Put entries among ``entries``; None writes nothing."""
        self._entries = entries
        self.path: Path | None = None
        """The file; None while there is none."""
        self.dropped = 0
        """Events that are missing because the disk was too slow."""
        self._untold = 0
        # ------------------------------------------------------------------------------------------ the thread's own
        self.header: Header | None = None
        self.lines: Lines | None = None
        self.file: BinaryIO | None = None
        self.bytes_left = 0

    def took(self, event: Event, actions: Sequence[Action]) -> None:
        """The engine took up an event and asked for these actions. Neither may change afterwards."""
        entries = self._entries
        if entries is None:
            return
        if len(entries.waiting) >= entries.most:
            self.dropped += 1
            self._untold += 1
            return
        if self._untold:
            entries.waiting.append(_Entry(self, self._untold, ()))
            self._untold = 0
        entries.waiting.append(_Entry(self, event, actions))

    def close(self) -> None:
        """The call is over. What waits is still written."""
        entries, self._entries = self._entries, None
        if entries is not None:
            if self._untold:
                entries.waiting.append(_Entry(self, self._untold, ()))
            entries.waiting.append(_Entry(self, None, ()))


class _Entry(NamedTuple):
    log: EventLog
    content: Event | int | None
    """An event; the number of those that were dropped; None for the end."""
    actions: Sequence[Action]


class _Entries(NamedTuple):
    waiting: deque[_Entry]
    most: int


class EventLogs:
    """The logs of a process. The folder, the files and the thread come into being with the first call."""

    def __init__(self, settings: EventLogSettings, *, most_waiting: int = _WAITING) -> None:
        """Write as ``settings`` say; nothing where they name no folder."""
        self._settings = settings
        self._entries = _Entries(deque(), most_waiting)
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def open(
        self,
        call_id: str,
        engine_settings: EngineSettings,
        language: str,
        speculate: bool,
        ids: Ids | None = None,
        *,
        languages: Sequence[str] = (),
        language_settled: bool = False,
    ) -> EventLog:
        """Begin the log of a call.

        Args:
            call_id: Goes into the file and, without unusual characters, into its name.
            engine_settings: What the call's engine is made with.
            language: BCP 47, as the engine's cues were loaded for.
            speculate: What the engine was told of speculation.
            ids: The engine's numbers before its first event, where they are not zero.
            languages: BCP 47 tags that the engine may move the call to; none where it has no policy for that.
            language_settled: Whether the call's language was agreed on before the engine was made.
        """
        if not self._settings.folder or self._closing:
            return EventLog()
        started = datetime.now(UTC)
        opened = EventLog(self._entries)
        opened.lines = Lines(load_cues(language), transcripts=self._settings.transcripts)
        opened.header = Header(
            parley=parley_version(),
            call_id=call_id,
            started=started.isoformat(timespec="milliseconds"),
            language=language,
            speculate=speculate,
            transcripts=self._settings.transcripts,
            settings=engine_settings_of(engine_settings),
            ids={name: getattr(ids, name) for name in ("turn", "candidate", "playout")} if ids is not None else {},
            languages=tuple(languages),
            language_settled=language_settled,
            cues_of_nothing=opened.lines.of_nothing(),
        )
        name = f"{started:%Y%m%dT%H%M%S.%f}-{_NAME.sub('_', call_id)[:64] or 'call'}{SUFFIX}"
        opened.path = Path(self._settings.folder).expanduser() / name
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="event-logs", daemon=True)
            self._thread.start()
        return opened

    def close(self) -> None:
        """Write what waits and end the thread; waits for it, for at most five seconds."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_WITHIN_S)

    # ------------------------------------------------------------------------------------------------- in the thread

    def _run(self) -> None:
        while True:
            closing = self._closing or self._wake.wait(_EVERY_S)
            touched: set[EventLog] = set()
            while self._entries.waiting:
                entry = self._entries.waiting.popleft()
                self._write(entry)
                touched.add(entry.log)
            for one in touched:
                if one.file is not None:
                    self._carefully(one, b"")
            if closing:
                return

    def _write(self, entry: _Entry) -> None:
        one, content = entry.log, entry.content
        if one.header is not None:
            header, one.header = one.header, None
            self._begin(one, header)
        if one.file is None or one.lines is None:
            return
        try:
            if content is None:
                line = one.lines.end("closed")
            elif isinstance(content, int):
                line = one.lines.dropped(content)
            else:
                line = one.lines.entry(content, entry.actions)
        except Exception as error:
            # The kind alone: an event's content may be private.
            log.warning("an event cannot be logged", kind=type(content).__name__, error=type(error).__name__)
            line = one.lines.dropped(1)
        self._put(one, line)
        if content is None:
            self._end(one)

    def _begin(self, one: EventLog, header: Header) -> None:
        if one.path is None or one.lines is None:
            return
        try:
            one.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._make_room(one.path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            one.file = os.fdopen(os.open(one.path, flags, 0o600), "wb")
        except OSError as error:
            log.warning("a call's event log cannot be written", error=error.strerror)
            return
        one.bytes_left = int(self._settings.max_mb * 1e6)
        self._put(one, one.lines.header(header))

    def _make_room(self, folder: Path) -> None:
        files = sorted(folder.glob(f"*{SUFFIX}"))
        for oldest in files[: max(0, len(files) + 1 - self._settings.keep_files)]:
            with suppress(OSError):
                oldest.unlink()

    def _put(self, one: EventLog, line: str) -> None:
        encoded = line.encode("utf-8", errors="backslashreplace")
        one.bytes_left -= len(encoded)
        if one.bytes_left < 0 and one.lines is not None:
            self._carefully(one, one.lines.end("full").encode())
            self._end(one)
            return
        self._carefully(one, encoded, flush=False)

    def _carefully(self, one: EventLog, encoded: bytes, *, flush: bool = True) -> None:
        if one.file is None:
            return
        try:
            one.file.write(encoded)
            if flush:
                one.file.flush()
        except OSError as error:
            log.warning("a call's event log ends early", error=error.strerror)
            self._end(one)

    def _end(self, one: EventLog) -> None:
        file, one.file, one.lines = one.file, None, None
        if file is not None:
            with suppress(OSError):
                file.close()
