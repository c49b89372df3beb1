"""The servers and the hooks of tests/kube, for the tests of this folder; the dev server is their default."""

import os
import pathlib
import sys

KUBE = pathlib.Path(__file__).resolve().parents[1] / "kube"
sys.path.insert(0, str(KUBE))
os.environ.setdefault("JOBRUN_TEST_SERVERS", "dev")

from hooks import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402,F401
from servers import server  # noqa: E402,F401  (a fixture)
