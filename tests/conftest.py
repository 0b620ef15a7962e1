"""For all tests: Hypothesis measures no time, since machines under load would fail by chance; real servers on demand.

By default Hypothesis tries the same examples in every run, so that a change is judged by what it changes;
`make test-slow` (KUAJIE_EXPLORE=1) tries new ones.

Servers are started once in each process of the tests, with the first test that asks for one. Where the machine has
none, the tests that need it are skipped, and the summary says loudly what was not tested.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from hypothesis import settings

from kuajie.testing import servers
from kuajie.testing.servers import MissingProgram, Server

settings.register_profile("kuajie", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("explore" if os.environ.get("KUAJIE_EXPLORE") else "kuajie")


def _or_skip(start: Callable[[], AbstractContextManager[Server]]) -> Iterator[Server]:
    try:
        with start() as server:
            yield server
    except MissingProgram as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """A MariaDB server."""
    yield from _or_skip(servers.mariadb)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server."""
    yield from _or_skip(servers.postgresql)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """A Redis server."""
    yield from _or_skip(servers.redis)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the machine could not test."""
    skipped = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if report.longrepr]
    missing = sorted({reason.removeprefix("Skipped: ") for reason in skipped if "NOT TESTED on" in reason})
    for reason in missing:
        terminalreporter.write_line(f"!!! {reason}", red=True, bold=True)
