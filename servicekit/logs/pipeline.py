"""From an event to a line: ids added, private parts masked, rendered; the standard library's loggers take part."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from typing import Any, TextIO, cast

import structlog
from opentelemetry import trace

from servicekit.logs.sink import LineSink
from servicekit.redaction import masked
from servicekit.settings import LogSettings

Event = MutableMapping[str, Any]

# They log URLs and headers at INFO and DEBUG, and those hold tokens and numbers.
_TALKATIVE = (
    "aioice",
    "aiortc",
    "asyncio",
    "grpc",
    "hpack",
    "httpcore",
    "httpx",
    "openai",
    "sqlalchemy.engine",
    "twilio",
    "urllib3",
    "uvicorn.access",
    "websockets",
)
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_FIRST = ("timestamp", "level", "service", "event", "logger", "call_id", "turn_id", "trace_id")

# Keys that are ours and hold neither speech nor numbers: not worth a regular expression each.
_OWN = frozenset(("level", "timestamp", "logger", "service", "trace_id", "span_id", "_record", "_from_structlog"))


def configure(service: str, settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Send every log of this process to ``stream`` (default: standard error), once, as ``settings`` say."""
    stream = sys.stderr if stream is None else stream
    terminal = stream.isatty()
    as_json = settings.format == "json" or (settings.format == "auto" and not terminal)
    last: Any
    if as_json:
        last = structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    else:
        last = structlog.dev.ConsoleRenderer(
            colors=terminal and not os.environ.get("NO_COLOR"),
            # Never rich's: it prints local variables, which hold speech.
            exception_formatter=structlog.dev.plain_traceback,
            pad_event_to=32,
        )

    def add_service(_: Any, __: str, event: Event) -> Event:
        event["service"] = service
        return event

    handler = LineSink(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared_chain(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                add_service,
                # As text before masking: an exception's message may hold a number.
                structlog.processors.format_exc_info,
                _Masking(show_private=settings.show_private),
                _in_reading_order,
                last,
            ],
        )
    )
    root = logging.getLogger()
    for old in [*root.handlers]:
        root.removeHandler(old)
        if isinstance(old, LineSink):
            old.close()
    root.addHandler(handler)
    root.setLevel(_LEVELS[settings.level])
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, _LEVELS[settings.level]))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True
    logging.captureWarnings(True)
    structlog.configure(**_structlog_options(cache=True))
    atexit.unregister(flush)
    atexit.register(flush)


def flush() -> None:
    """Write what is queued, for at most a second: before the process ends in a hurry."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger named ``name``; usable at import, before `configure`, when it masks just the same."""
    if not structlog.is_configured():
        structlog.configure(**_structlog_options(cache=False))
    return structlog.stdlib.get_logger(name)


def bind_call(call_id: str, turn_id: int | None = None) -> AbstractContextManager[None]:
    """Within the block, and in tasks begun there, every line carries ``call_id`` and, when given, ``turn_id``."""
    ids: dict[str, Any] = {"call_id": call_id}
    if turn_id is not None:
        ids["turn_id"] = turn_id
    return cast(AbstractContextManager[None], structlog.contextvars.bound_contextvars(**ids))


class _Masking:
    """Removes what logs must not hold; last before rendering, so that nothing is added behind its back."""

    def __init__(self, *, show_private: bool) -> None:
        self._show_private = show_private

    def __call__(self, _: Any, __: str, event: Event) -> Event:
        for key, value in event.items():
            if key not in _OWN:
                event[key] = masked(key, value, show_private=self._show_private)
        return event


def _add_trace_ids(_: Any, __: str, event: Event) -> Event:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = f"{span.trace_id:032x}"
        event["span_id"] = f"{span.span_id:016x}"
    return event


def _in_reading_order(_: Any, __: str, event: Event) -> Event:
    """When, how severe, who, what; then to what."""
    return {**{key: event[key] for key in _FIRST if key in event}, **event}


def _shared_chain() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace_ids,
    ]


def _structlog_options(*, cache: bool) -> dict[str, Any]:
    chain = [
        structlog.stdlib.filter_by_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        *_shared_chain(),
        structlog.processors.StackInfoRenderer(),
    ]
    if not cache:
        # Not configured yet: whatever the standard library does with the line, it must be masked by then.
        chain.append(_Masking(show_private=False))
    return {
        "processors": [*chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        "logger_factory": structlog.stdlib.LoggerFactory(),
        "wrapper_class": structlog.stdlib.BoundLogger,
        "cache_logger_on_first_use": cache,
    }
