"""A group of processes starts in order, is kept alive, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.asyncs import async_test
from toolbox.serve import Happened, RestartPolicy, ServiceEvent, ServiceFailedError, ServiceGroup, ServiceSpec, is_alive

_QUICK = RestartPolicy(first_s=0.01, longest_s=0.05)


def service(name: str, mode: str = "steady", *settings: str) -> ServiceSpec:
    return ServiceSpec(
        name=name,
        module="tests.fakes.toolbox_service",
        arguments=("--as", mode),
        settings=settings,
        listen=f"{name}.listen",
    )


def settings_of(group: ServiceGroup, name: str) -> list[str]:
    settings: list[str] = json.loads(group.lines(name)[0])["settings"]
    return settings


@async_test
async def test_a_process_is_told_where_those_it_needs_are() -> None:
    specs = [service("orchestrator", "steady", "orchestrator.stt.target=${stt}"), service("stt")]
    async with ServiceGroup(specs) as group:
        assert settings_of(group, "orchestrator") == [f"orchestrator.stt.target={group.address('stt')}"]
        assert group.address("stt", "grpc") == group.address("stt")


@async_test
async def test_all_are_gone_when_the_block_is_left_in_reverse_order_of_starting() -> None:
    events: list[ServiceEvent] = []
    async with ServiceGroup([service("b", "steady", "b.x=${a}"), service("a")], on_event=events.append) as group:
        pids = group.pids()
        assert list(pids) == ["a", "b"]
    assert not any(is_alive(pid) for pid in pids.values())
    assert [event.service for event in events if event.happened is Happened.STOPPED] == ["b", "a"]


@async_test
async def test_a_killed_process_comes_back_with_the_port_it_had() -> None:
    async with ServiceGroup([service("stt")], restart=_QUICK) as group:
        address, first = group.address("stt"), group.kill("stt")
        await group.wait_ready("stt")
        assert group.pid("stt") != first
        assert group.address("stt") == address
        assert settings_of(group, "stt") == [f"stt.listen={address}"]


@async_test
async def test_wrong_settings_at_the_start_are_shown_and_nothing_is_left_running() -> None:
    pids: list[int] = []
    specs = [service("tts"), service("stt", "bad-settings", "stt.x=${tts}")]
    with pytest.raises(ServiceFailedError, match="did you mean 'listen'") as caught:
        async with ServiceGroup(specs, on_event=lambda event: pids.append(event.pid)):
            pass
    assert caught.value.service == "stt"
    assert caught.value.status == 2
    assert not any(is_alive(pid) for pid in pids)


@async_test
async def test_a_process_that_cannot_start_fails_the_start_with_its_last_words() -> None:
    with pytest.raises(ServiceFailedError, match="ERROR the model is not on disk"):
        async with ServiceGroup([service("stt", "cannot-start")]):
            pass


@async_test
async def test_a_process_that_never_gets_ready_is_named_and_stopped() -> None:
    with pytest.raises(ServiceFailedError, match=r"stt was not ready after 0\.3 s"):
        async with ServiceGroup([service("stt", "never-ready")], ready_timeout_s=0.3):
            pass


@async_test
async def test_a_process_that_ends_again_and_again_is_started_again_and_again() -> None:
    restarts = asyncio.Semaphore(0)

    def note(event: ServiceEvent) -> None:
        if event.happened is Happened.RESTARTING:
            restarts.release()

    async with ServiceGroup([service("stt", "dies")], restart=_QUICK, on_event=note), asyncio.timeout(60):
        for _ in range(3):
            await restarts.acquire()


@async_test
async def test_without_a_policy_a_process_that_ended_stays_ended() -> None:
    ended = asyncio.Event()

    def note(event: ServiceEvent) -> None:
        if event.happened is Happened.ENDED:
            ended.set()

    async with ServiceGroup([service("stt")], restart=None, on_event=note) as group:
        pid = group.kill("stt")
        await ended.wait()
        assert group.pid("stt") == pid
        assert not is_alive(pid)


@async_test
async def test_a_process_that_ignores_the_request_to_stop_is_killed() -> None:
    events: list[ServiceEvent] = []
    async with ServiceGroup([service("stt", "deaf")], stop_timeout_s=0.6, on_event=events.append) as group:
        pid = group.pid("stt")
    assert events[-1].happened is Happened.KILLED
    assert not is_alive(pid)


@async_test
async def test_a_second_request_to_stop_does_not_wait() -> None:
    group = ServiceGroup([service("stt", "deaf")], stop_timeout_s=600)
    async with group, asyncio.timeout(60):
        group.hurry()
        pid = group.pid("stt")
        await group.stop()
        assert not is_alive(pid)


@async_test
async def test_a_cancelled_start_leaves_nothing_behind() -> None:
    started: asyncio.Queue[int] = asyncio.Queue()

    async def run() -> None:
        async with ServiceGroup([service("stt", "never-ready")], on_event=lambda event: started.put_nowait(event.pid)):
            pass

    task = asyncio.create_task(run())
    pid = await started.get()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not is_alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
def test_children_end_when_their_supervisor_is_killed() -> None:
    program = """
import asyncio
from tests.unit.toolbox.test_service_group import service
from toolbox.serve import ServiceGroup
async def run():
    async with ServiceGroup([service("stt")]) as group:
        print(group.pid("stt"), flush=True)
        await asyncio.Event().wait()
asyncio.run(run())
"""
    root = Path(__file__).parents[3]
    paths = os.pathsep.join((str(root), str(root / "protos")))
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": paths}
    ) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        supervisor.send_signal(signal.SIGKILL)
        # End of file: the child held the write end too, through no other process.
        supervisor.wait()
    asyncio.run(_gone(pid))


async def _gone(pid: int) -> None:
    async with asyncio.timeout(30):
        while is_alive(pid):  # noqa: ASYNC110 - nobody tells us of another's child
            await asyncio.sleep(0.01)


def test_processes_that_need_one_another_are_refused() -> None:
    with pytest.raises(ValueError, match="wait for one another"):
        ServiceGroup([service("a", "steady", "a.x=${b}"), service("b", "steady", "b.x=${a}")])


def test_two_processes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same name"):
        ServiceGroup([service("a"), service("a")])
