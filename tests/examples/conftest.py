"""The servers and the hooks of tests/kube, for the tests of this folder; the dev server is their default."""

import os
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS / "kube"), str(TESTS / "e2e")]
os.environ.setdefault("JOBRUN_TEST_SERVERS", "dev")

pytest.register_assert_rewrite("cases", "stories")
import servers  # noqa: E402
from hooks import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402,F401


@pytest.fixture(scope="session")
def server(request, tmp_path_factory):
    """The server that request.param names, one for the whole session."""
    yield from servers.running(request.param, tmp_path_factory.mktemp(request.param))
