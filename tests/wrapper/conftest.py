"""The servers and the hooks of tests/kube, for what `jobrun exec` and `jobrun work` do; the dev server is their default."""

import os
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS / "kube"), str(TESTS / "e2e")]
os.environ.setdefault("JOBRUN_TEST_SERVERS", "dev")

pytest.register_assert_rewrite("wrapper")
from hooks import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402,F401
from servers import server  # noqa: E402,F401  (a fixture)
from wrapper import Bench  # noqa: E402


@pytest.fixture
def bench(request, server, tmp_path):  # noqa: F811
    """A namespace of its own on that server, and what is started in it."""
    bench = Bench(server, tmp_path, request.node.originalname or request.node.name)
    yield bench
    bench.close()
