"""What holds for every test: a skip says why, and CI fails on one it did not expect."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# Their assertions are the tests' own: a failure shows the values.
pytest.register_assert_rewrite("tests.process.house")

# Reasons for which a test may be skipped in CI. Everything else there is a failure.
EXPECTED_SKIPS: tuple[str, ...] = ()

_unexpected: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def _caches_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Processes that tests start neither find nor leave anything in the cache folder of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not any(expected in reason for expected in EXPECTED_SKIPS):
        _unexpected.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("CI") and _unexpected and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _unexpected:
        terminalreporter.section("skips that CI does not expect", red=True)
        for line in _unexpected:
            terminalreporter.write_line(line)
