"""Fixtures and hooks of the end-to-end tests: the servers of tests/kube, and the stories that take place on them."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "kube"))
os.environ.setdefault("JOBRUN_TEST_SERVERS", "dev,kube")

pytest.register_assert_rewrite("space", "gate", "metrics", "controller", "crew", "replicas")
import servers  # noqa: E402
from stories import LoneStories, Stories  # noqa: E402

_versions = {}
# The dev server forgets by counting changes; fewer of them make it forget sooner.
_OPTIONS = {"dev": {"compact_after": 150}, "kube": {}}


@pytest.fixture(scope="session", params=servers.selected())
def server(request, tmp_path_factory):
    """One running API server for the whole session."""
    yield from servers.running(request.param, tmp_path_factory.mktemp(request.param), **_OPTIONS[request.param])


@pytest.fixture(scope="session")
def stories(request, server, tmp_path_factory, record_testsuite_property):
    """The stories of this session on one server, begun."""
    _versions[server.name] = server.version
    record_testsuite_property(server.name, server.version)
    told = [item.function.story for item in request.session.items
            if hasattr(item.function, "story") and server_of(item) == server.name]
    begun = Stories(server, tmp_path_factory.mktemp(f"{server.name}-stories"), told)
    yield begun
    begun.close()


@pytest.fixture(scope="session")
def lone_stories(request, tmp_path_factory):
    """The stories of this session that have a server each, begun."""
    if "kube" not in servers.selected():
        pytest.skip("JOBRUN_TEST_SERVERS does not name kube")
    begun = LoneStories(tmp_path_factory.mktemp("lone-stories"),
                        [item.function.story for item in request.session.items if "lone_stories" in item.fixturenames])
    yield begun
    begun.close()


@pytest.fixture
def space(request, stories):
    """A namespace for a test that has the server to itself: no story is going on any more."""
    stories.wait()
    space = stories.space(request.node.originalname)
    yield space
    request.node.add_report_section("teardown", "controllers", space.logs())
    space.close()


def pytest_configure(config):
    """A run that breaks off must not leave the results of an earlier one."""
    if config.option.xmlpath:
        pathlib.Path(config.option.xmlpath).unlink(missing_ok=True)


def pytest_collection_modifyitems(items):
    """Server by server: the stories, what is said about them, what stops the server, what makes it useless."""
    items.sort(key=lambda item: (server_of(item), not hasattr(item.function, "story"), "space" in item.fixturenames,
                                 bool(item.get_closest_marker("last"))))


def server_of(item):
    """The name of the server that a test is run on; empty for one that needs none."""
    return item.callspec.params.get("server", "") if hasattr(item, "callspec") else ""


def pytest_terminal_summary(terminalreporter):
    for name, version in _versions.items():
        terminalreporter.write_line(f"server: {name} {version}")
    for reason in servers.missing:
        terminalreporter.write_line(f"SKIPPED: {reason}", red=True, bold=True)


def pytest_sessionfinish(session, exitstatus):
    """Tells ctest that nothing was tested, so that a missing server never looks like a pass."""
    if servers.missing and not _versions and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = servers.SKIPPED_EXIT_CODE
