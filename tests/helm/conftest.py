"""Fixtures of the chart's tests: a real API server for each file that asks for one, without the JobRun resource."""

import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "kube"), str(TESTS / "e2e")]

pytest.register_assert_rewrite("chart", "cluster")
import servers  # noqa: E402
from chart import Chart, NoHelm  # noqa: E402
from cluster import Cluster  # noqa: E402


@pytest.fixture(scope="session")
def chart():
    """The chart, and the helm that renders it."""
    try:
        return Chart()
    except NoHelm as error:
        return servers.give_up(str(error))


@pytest.fixture(scope="module")
def cluster(chart, tmp_path_factory):
    """A cluster of its own for the tests of one file: an API server with RBAC and admission, and no nodes."""
    directory = tmp_path_factory.mktemp("cluster")
    server = servers.start("bare", directory)
    print(f"\nserver: {server.name} {server.version}")
    yield Cluster(chart, server)
    server.kill()  # Asked to stop, it would wait for the watches that are open.
    server.stop()


def pytest_terminal_summary(terminalreporter):
    for reason in servers.missing:
        terminalreporter.write_line(f"SKIPPED: {reason}", red=True, bold=True)


def pytest_sessionfinish(session, exitstatus):
    """Tells ctest that nothing was tested, so that a missing program never looks like a pass."""
    if servers.missing and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = servers.SKIPPED_EXIT_CODE
