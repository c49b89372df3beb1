"""The servers of tests/kube for the tests of this folder, and jobrun as people call it."""

import itertools
import os
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS / "kube"), str(TESTS / "e2e")]
os.environ.setdefault("JOBRUN_TEST_SERVERS", "dev")

pytest.register_assert_rewrite("place")
from hooks import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402,F401
from place import Place  # noqa: E402
from servers import server  # noqa: E402,F401  (a fixture)

_numbers = itertools.count(1)


@pytest.fixture
def place(server, tmp_path):  # noqa: F811
    """A namespace of its own."""
    made = Place(server, f"tool-{next(_numbers)}", tmp_path)
    yield made
    made.close()
