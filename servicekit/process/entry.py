"""From ``python -m some_service`` to an exit code."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

from servicekit import logs, version
from servicekit.logs import get_logger
from servicekit.looplag import LoopLagProbe
from servicekit.process.life import Process
from servicekit.settings import Loaded, SettingsError, SettingsModel, load
from servicekit.startup import StartupError
from servicekit.telemetry import Telemetry

_log = get_logger(__name__)

S = TypeVar("S", bound=SettingsModel)
Run = Callable[[Process[S]], Awaitable[None]]

EXIT_FAILED = 1
"""It could not start, or ended by an exception."""
EXIT_SETTINGS = 2
"""The settings or the flags are wrong."""

_LINGER_S = 8.0
"""For worker threads to end after everything is drained, the three seconds of telemetry's flush included."""


def main(
    *,
    name: str,
    section: str,
    settings: type[S],
    run: Callable[[Process[S]], Awaitable[None]],
    argv: Sequence[str] | None = None,
) -> NoReturn:
    """Run a service to its end and exit.

    Args:
        name: Of the service in logs and traces, such as ``parley-stt``.
        section: Its section of the settings file.
        settings: What that section must be.
        run: The service; it returns when ``process.stopping`` is set and everything is drained.
        argv: Flags; None takes the process's own.

    Exit codes: 0 after `run` returned, 1 for StartupError and unexpected exceptions, 2 for settings and flags;
    128 + signal at once on a second signal.
    """
    flags = _flags(name, argv)
    try:
        loaded = load(section, settings, config=flags.config, overrides=flags.set)
    except SettingsError as error:
        count = len(error.problems)
        print(f"{name}: {count} problem{'s' * (count > 1)} in the settings", file=sys.stderr)  # noqa: T201
        for problem in error.problems:
            print(f"  {problem}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_SETTINGS)
    if flags.check:
        print(f"{name}: the settings are valid")  # noqa: T201
        sys.exit(0)
    if flags.ready_file is not None:
        # One left by an earlier run would tell of ports that are no longer ours.
        flags.ready_file.unlink(missing_ok=True)
    logs.configure(name, loaded.logs)
    telemetry = Telemetry.start(name, loaded.telemetry)
    status = EXIT_FAILED
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            status = runner.run(_live(name, loaded, telemetry, run, flags.ready_file))
            _leave_within(_LINGER_S, status)
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except Exception:
        # Only what closing the loop itself can raise; `_live` reports everything else.
        _log.exception("the event loop failed")
    finally:
        telemetry.shutdown()
        if flags.ready_file is not None:
            with contextlib.suppress(OSError):
                flags.ready_file.unlink(missing_ok=True)
        logs.flush()
    sys.exit(status)


async def _live(
    name: str,
    loaded: Loaded[S],
    telemetry: Telemetry,
    run: Callable[[Process[S]], Awaitable[None]],
    ready_file: Path | None,
) -> int:
    process = Process(name, loaded.service, telemetry, ready_file=ready_file)
    asyncio.get_running_loop().set_exception_handler(_report_orphan)
    _handle_signals(process.stopping)
    try:
        async with LoopLagProbe(telemetry):
            await run(process)
    except (Exception, asyncio.CancelledError) as error:
        reason = _startup_error(error)
        if reason is not None:
            _log.error("cannot start", reason=str(reason))
        else:
            _log.error("failed unexpectedly", exc_info=error)
        return EXIT_FAILED
    _log.info("stopped")
    return 0


def _startup_error(error: BaseException) -> StartupError | None:
    """The StartupError within ``error``, which a TaskGroup may have wrapped."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := _startup_error(inner))), None)
    return error if isinstance(error, StartupError) else None


def _leave_within(seconds: float, status: int) -> None:
    """End the process by force if threads still work after that time: Python waits for them without end."""

    def leave() -> None:
        _log.warning("threads are still working, leaving without them")
        logs.flush()
        os._exit(status)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def _handle_signals(stopping: asyncio.Event) -> None:
    """The first SIGTERM or SIGINT sets ``stopping``; a second ends the process at once."""
    loop = asyncio.get_running_loop()

    def received(number: int) -> None:
        if stopping.is_set():
            _log.warning("second signal, leaving at once", signal=signal.Signals(number).name)
            logs.flush()
            os._exit(128 + number)
        _log.info("stopping", signal=signal.Signals(number).name)
        stopping.set()

    def received_by_interpreter(number: int, _: FrameType | None) -> None:
        loop.call_soon_threadsafe(received, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, received, number)
        except NotImplementedError:  # Windows
            signal.signal(number, received_by_interpreter)


def _report_orphan(_: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:
    """Log what a task or callback raised that nobody awaited."""
    error = details.get("exception")
    if isinstance(error, BlockingIOError):
        # grpc.aio wakes up on a socket that another thread has read already: known and harmless.
        return
    _log.error("unhandled in the event loop", reason=details.get("message", ""), exc_info=error)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _flags(name: str, argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=name, description=f"{name}, a service of Parley")
    parser.add_argument("--config", type=Path, metavar="PATH", help="settings file (TOML); default: $PARLEY_CONFIG")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one setting; repeatable"
    )
    parser.add_argument("--check", action="store_true", help="check the settings and exit")
    parser.add_argument(
        "--ready-file", type=Path, metavar="PATH", help="write JSON with the addresses here once the service is ready"
    )
    parser.add_argument("--version", action="version", version=f"{name} {version()}")
    return parser.parse_args(argv)
