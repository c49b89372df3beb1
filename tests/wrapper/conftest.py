"""The servers and the hooks of tests/kube, for what `jobrun exec` and `jobrun work` do; the dev server is their default."""

import importlib.util
import os
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS / "kube"), str(TESTS / "e2e")]
os.environ.setdefault("JOBRUN_TEST_SERVERS", "dev")

pytest.register_assert_rewrite("wrapper")
import servers  # noqa: E402
from wrapper import Bench  # noqa: E402


@pytest.fixture(scope="session", params=servers.selected())
def server(request, tmp_path_factory):
    """One running API server for the whole session."""
    running = servers.start(request.param, tmp_path_factory.mktemp(request.param))
    print(f"\nserver: {running.name} {running.version}")
    yield running
    running.kill()  # Asked to stop, a real one would wait for the watches that are open.
    running.stop()


@pytest.fixture
def bench(request, server, tmp_path):
    """A namespace of its own on that server, and what is started in it."""
    bench = Bench(server, tmp_path, request.node.originalname or request.node.name)
    yield bench
    bench.close()


_spec = importlib.util.spec_from_file_location("kube_conftest", TESTS / "kube" / "conftest.py")
_hooks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_hooks)
pytest_terminal_summary = _hooks.pytest_terminal_summary
pytest_sessionfinish = _hooks.pytest_sessionfinish
