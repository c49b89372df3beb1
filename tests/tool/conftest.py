"""The servers of tests/kube for the tests of this folder, and jobrun as people call it."""

import importlib.util
import itertools
import os
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS / "kube"), str(TESTS / "e2e")]
os.environ.setdefault("JOBRUN_TEST_SERVERS", "dev")

pytest.register_assert_rewrite("place")
import servers  # noqa: E402
from place import Place  # noqa: E402

_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=servers.selected())
def server(request, tmp_path_factory):
    """One running API server for the whole session."""
    running = servers.start(request.param, tmp_path_factory.mktemp(request.param))
    print(f"\nserver: {running.name} {running.version}")
    yield running
    running.kill()  # Asked to stop, a real one would wait for the watches that are open.
    running.stop()


@pytest.fixture
def place(server, tmp_path):
    """A namespace of its own."""
    made = Place(server, f"tool-{next(_numbers)}", tmp_path)
    yield made
    made.close()


_spec = importlib.util.spec_from_file_location("kube_conftest", TESTS / "kube" / "conftest.py")
_hooks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_hooks)
pytest_terminal_summary = _hooks.pytest_terminal_summary
pytest_sessionfinish = _hooks.pytest_sessionfinish
