"""The servers and the hooks of tests/kube, for the tests of this folder; the dev server is their default."""

import importlib.util
import os
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS / "kube"), str(TESTS / "e2e")]
os.environ.setdefault("JOBRUN_TEST_SERVERS", "dev")

pytest.register_assert_rewrite("cases", "stories")
import servers  # noqa: E402


@pytest.fixture(scope="session")
def server(request, tmp_path_factory):
    """The server that request.param names, one for the whole session."""
    running = servers.start(request.param, tmp_path_factory.mktemp(request.param))
    print(f"\nserver: {running.name} {running.version}")
    yield running
    running.kill()  # Asked to stop, a real one would wait for the watches that are open.
    running.stop()


_spec = importlib.util.spec_from_file_location("kube_conftest", TESTS / "kube" / "conftest.py")
_hooks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_hooks)
pytest_terminal_summary = _hooks.pytest_terminal_summary
pytest_sessionfinish = _hooks.pytest_sessionfinish
