"""Writing log lines without ever waiting for who reads them."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from typing import TextIO

_QUEUED_LINES = 10_000
_LAST_LINES_S = 1.0


class LineSink(logging.Handler):
    """Hands formatted lines to a thread that writes them.

    A terminal that is scrolled back, or a pipe that nobody empties, stops a plain handler and with it the event loop
    and every call on it. Here it costs log lines, which are counted.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to ``stream`` until `close`."""
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(_QUEUED_LINES)
        self._dropped = 0
        self._written = threading.Condition()
        self._pending = 0
        self._thread = threading.Thread(target=self._write, name="log-lines", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Format in the caller's thread, where its context is, and queue; drop and count when the queue is full."""
        try:
            line = self.format(record)
        except Exception as error:
            # The standard library would print the event with its arguments, unmasked.
            line = f'{{"level": "error", "event": "a log line cannot be written: {type(error).__name__}"}}'
        with self._written:
            self._pending += 1
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            with self._written:
                self._pending -= 1
                self._dropped += 1

    def flush(self) -> None:
        """Wait until everything queued is written, for at most a second."""
        with self._written:
            self._written.wait_for(lambda: self._pending == 0, timeout=_LAST_LINES_S)

    def close(self) -> None:
        """Write what is queued, then end the thread."""
        self.flush()
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        super().close()

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            with self._written:
                dropped, self._dropped = self._dropped, 0
            if dropped:
                line += f"\n{dropped} log lines were dropped here: their reader was too slow"
            # A closed stream must not end the thread: flush() would then wait in vain each time.
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(line + "\n")
                if self._lines.empty():
                    self._stream.flush()
            with self._written:
                self._pending -= 1
                self._written.notify_all()
