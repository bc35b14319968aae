"""A group of processes that belong together: started in order, kept alive, stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from toolbox.serve.backoff import Backoff, RestartPolicy
from toolbox.serve.child import Child
from toolbox.serve.events import Happened, ServiceEvent, ServiceFailedError
from toolbox.serve.merged_log import readable
from toolbox.serve.spec import EXIT_SETTINGS, ServiceSpec, start_order, wire

_SHOWN_LINES = 15
_RESTART = RestartPolicy()
# When the group's time to stop is used up, each process still gets this long before it is killed.
_LAST_CHANCE_S = 0.5


class ServiceGroup:
    """Runs processes, restarts those that end, and stops all when left.

    ``async with ServiceGroup(specs) as group: group.address("gateway")``. All are ready when the block begins. A
    process that ends is started again after a growing pause, with the port it had; one that ends over its settings is
    not, and fails the group (`wait`). They are stopped in the reverse of their starting order, and die with this
    process even when it is killed (Linux).

    Args:
        specs: What to run.
        config: Settings file for all of them.
        settings: ``section.key=value`` for all of them, before each one's own.
        ready_timeout_s: How long each may take to become ready.
        stop_timeout_s: How long all may take to stop before the rest are killed.
        restart: How to start again; None leaves a process that ended alone.
        on_line: Given each line of their output with the process's name, on the event loop.
        on_event: Given what happens to them, on the event loop.

    Raises:
        ServiceFailedError: On entry, when one does not become ready. All others are stopped again.
    """

    def __init__(
        self,
        specs: Sequence[ServiceSpec],
        *,
        config: Path | None = None,
        settings: Sequence[str] = (),
        ready_timeout_s: float = 60.0,
        stop_timeout_s: float = 10.0,
        restart: RestartPolicy | None = _RESTART,
        on_line: Callable[[str, str], None] | None = None,
        on_event: Callable[[ServiceEvent], None] | None = None,
    ) -> None:
        self._waves = start_order(specs)
        self._specs = {spec.name: spec for spec in specs}
        self._config = config
        self._settings = tuple(settings)
        self._ready_timeout_s = ready_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._restart = restart
        self._on_line = on_line or (lambda service, line: None)
        self._on_event = on_event or (lambda event: None)
        self._folder = tempfile.TemporaryDirectory(prefix="parley-")
        self._children: dict[str, Child] = {}
        self._bound: dict[str, dict[str, str]] = {}
        self._ready: dict[str, asyncio.Event] = {name: asyncio.Event() for name in self._specs}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[None] | None = None
        self._stopping = False
        self._hurry = asyncio.Event()

    # Life.

    async def __aenter__(self) -> ServiceGroup:
        self._failure = asyncio.get_running_loop().create_future()
        try:
            for wave in self._waves:
                async with asyncio.TaskGroup() as starting:
                    for spec in wave:
                        starting.create_task(self._begin(spec))
        except BaseException as error:
            await self.stop()
            failure = _failure_in(error)
            if failure is None:
                raise
            raise failure from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def wait(self) -> None:
        """Wait until the group fails.

        Raises:
            ServiceFailedError: A process ended over its settings.
        """
        assert self._failure is not None, "the group has not been entered"
        await asyncio.shield(self._failure)

    async def stop(self) -> None:
        """Stop all, last started first, within the group's time; safe to call again."""
        self._stopping = True
        for keeper in self._keepers.values():
            keeper.cancel()
        await asyncio.gather(*self._keepers.values(), return_exceptions=True)
        deadline = time.monotonic() + self._stop_timeout_s
        for wave in reversed(self._waves):
            await asyncio.gather(*(self._stop_one(spec.name, deadline) for spec in wave))
        if self._failure is not None and not self._failure.done():
            self._failure.cancel()
        self._folder.cleanup()

    def hurry(self) -> None:
        """Kill whatever is still being waited for: a second Ctrl-C."""
        self._hurry.set()

    # Asking and acting.

    def address(self, name: str, key: str = "") -> str:
        """The bound ``host:port`` of a process: its only or first address, or the one it reported under a key."""
        bound = self._bound[name]
        return bound[key] if key else next(iter(bound.values()))

    def addresses(self) -> Mapping[str, Mapping[str, str]]:
        """What each process reported, by its own keys."""
        return dict(self._bound)

    def pid(self, name: str) -> int:
        """The process id of a process's present (or last) run."""
        return self._children[name].pid

    def pids(self) -> dict[str, int]:
        """The process ids of all, in starting order."""
        return {spec.name: self.pid(spec.name) for wave in self._waves for spec in wave}

    def lines(self, name: str) -> list[str]:
        """The last lines of its present run, oldest first."""
        return list(self._children[name].lines)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process."""
        self._children[name].send(number)

    def kill(self, name: str) -> int:
        """Kill a process outright, as a fault would, and return its process id; it is restarted by the policy."""
        child = self._children[name]
        # Before the signal, so that `wait_ready` after this means the next run.
        self._ready[name].clear()
        child.send(signal.SIGKILL)
        return child.pid

    async def wait_ready(self, name: str, timeout_s: float | None = None) -> None:
        """Wait until a process is ready, after `kill`: ready again. Raises TimeoutError."""
        async with asyncio.timeout(self._ready_timeout_s if timeout_s is None else timeout_s):
            await self._ready[name].wait()

    # Within.

    async def _begin(self, spec: ServiceSpec) -> None:
        backoff = None if self._restart is None else Backoff(self._restart)
        started = time.monotonic()
        await self._run(spec)
        self._keepers[spec.name] = asyncio.create_task(self._keep(spec, started, backoff), name=f"keep-{spec.name}")

    async def _run(self, spec: ServiceSpec) -> None:
        """Start it and wait until it is ready."""
        name = spec.name
        child = await Child.start(
            spec.module,
            self._arguments(spec),
            ready_file=Path(self._folder.name) / f"{name}.json",
            environment=spec.environment,
            on_line=lambda line: self._on_line(name, line),
        )
        self._children[name] = child
        self._tell(name, Happened.STARTED)
        try:
            async with asyncio.timeout(self._ready_timeout_s):
                ready = await child.wait_ready()
        except TimeoutError:
            raise self._failed(name, f"was not ready after {self._ready_timeout_s:g} s") from None
        if not ready:
            status = await child.wait()
            raise self._failed(name, f"could not start ({_described(status)})")
        self._bound[name] = child.addresses
        self._ready[name].set()
        self._tell(name, Happened.READY)

    def _arguments(self, spec: ServiceSpec) -> list[str]:
        arguments = list(spec.arguments)
        if self._config is not None:
            arguments += ["--config", str(self._config)]
        settings = [*self._settings, *wire(spec.settings, self._bound)]
        if spec.listen and spec.name in self._bound:
            settings.append(f"{spec.listen}={self.address(spec.name)}")
        for setting in settings:
            arguments += ["--set", setting]
        return arguments

    async def _keep(self, spec: ServiceSpec, started: float, backoff: Backoff | None) -> None:
        """Start it again whenever it ends, until its settings are wrong."""
        name = spec.name
        while True:
            child = self._children[name]
            status = await child.wait()
            self._ready[name].clear()
            self._tell(name, Happened.ENDED, status=status)
            if status == EXIT_SETTINGS:
                self._fail(self._failed(name, f"stopped ({_described(status)})"))
                return
            if backoff is None:
                return
            wait_s = backoff.after_run(time.monotonic() - started)
            self._tell(name, Happened.RESTARTING, wait_s=wait_s)
            await asyncio.sleep(wait_s)
            started = time.monotonic()
            try:
                await self._run(spec)
            except ServiceFailedError:
                # Not ready in time counts as ended; one that ended is met at the top of the loop.
                if self._children[name].returncode is None:
                    self._children[name].send(signal.SIGKILL)

    async def _stop_one(self, name: str, deadline: float) -> None:
        child = self._children.get(name)
        if child is None:
            return
        if child.returncode is not None:
            await child.wait()
            return
        remaining = 0.0 if self._hurry.is_set() else max(_LAST_CHANCE_S, deadline - time.monotonic())
        stopping = asyncio.create_task(child.stop(remaining))
        hurried = asyncio.create_task(self._hurry.wait())
        try:
            await asyncio.wait([stopping, hurried], return_when=asyncio.FIRST_COMPLETED)
            if not stopping.done():
                child.send(signal.SIGKILL)
            by_itself = await stopping
        finally:
            hurried.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await hurried
        killed = not by_itself or child.returncode == -signal.SIGKILL
        self._tell(name, Happened.KILLED if killed else Happened.STOPPED, status=child.returncode)

    def _tell(self, name: str, happened: Happened, *, status: int | None = None, wait_s: float = 0.0) -> None:
        self._on_event(ServiceEvent(name, happened, self.pid(name), status, wait_s, dict(self._bound.get(name, {}))))

    def _failed(self, name: str, why: str) -> ServiceFailedError:
        child = self._children[name]
        lines = [readable(line) for line in list(child.lines)[-_SHOWN_LINES:]]
        return ServiceFailedError(name, why, child.returncode, lines)

    def _fail(self, error: ServiceFailedError) -> None:
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)


def _failure_in(error: BaseException) -> ServiceFailedError | None:
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := _failure_in(inner))), None)
    return error if isinstance(error, ServiceFailedError) else None


def _described(status: int) -> str:
    if status == EXIT_SETTINGS:
        return "its settings are wrong"
    if status < 0:
        try:
            return f"killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"killed by signal {-status}"
    return f"exit status {status}"


def is_alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie (Linux: by its state; elsewhere: by its existence)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if sys.platform == "linux":
        with contextlib.suppress(OSError, IndexError):
            return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return True
