"""Fixtures of the tests of what SREs look at; the servers are those of tests/kube, the workers those of tests/e2e."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
for folder in ("kube", "e2e"):
    sys.path.insert(0, str(HERE.parent / folder))
os.environ.setdefault("JOBRUN_TEST_SERVERS", "dev")

import prometheus  # noqa: E402
import servers  # noqa: E402
from hooks import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402,F401
from servers import server  # noqa: E402,F401  (a fixture)


@pytest.fixture(scope="session")
def programs():
    """Prometheus and its like, which must be there; a machine without them skips, loudly, and fails where CI=true."""
    missing = prometheus.missing_programs()
    if not missing:
        return
    reason = f"NO {', '.join(missing)}: run ./dev setup"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true: a missing program is a failure)", pytrace=False)
    if reason not in servers.missing:
        servers.missing.append(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def scenery(programs, server, tmp_path_factory):  # noqa: F811
    """Controllers at work on all kinds of runs, and a Prometheus that watches them."""
    from scenery import Scenery  # Needs the Kubernetes client, which the tests of files do without.
    scenery = Scenery(server, tmp_path_factory.mktemp("scenery"))
    yield scenery
    scenery.close()
