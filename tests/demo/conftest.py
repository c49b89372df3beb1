"""The servers and the hooks of tests/kube, for the tests of this folder; the dev server is their default."""

import importlib.util
import os
import pathlib
import sys

KUBE = pathlib.Path(__file__).resolve().parents[1] / "kube"
sys.path.insert(0, str(KUBE))
os.environ.setdefault("JOBRUN_TEST_SERVERS", "dev")

from servers import server  # noqa: E402,F401  (a fixture)

_spec = importlib.util.spec_from_file_location("kube_conftest", KUBE / "conftest.py")
_hooks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_hooks)
pytest_terminal_summary = _hooks.pytest_terminal_summary
pytest_sessionfinish = _hooks.pytest_sessionfinish
