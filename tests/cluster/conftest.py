"""The cluster of a test session, with the chart in it and workers at work."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "kube"))
sys.path.append(str(HERE.parent / "e2e"))

pytest.register_assert_rewrite("worker_pods", "release")
import cluster as clusters  # noqa: E402
import images  # noqa: E402
from worker_pods import Crew  # noqa: E402
from release import Release  # noqa: E402
from rest import Rest  # noqa: E402

SKIPPED_EXIT_CODE = 77


def pytest_configure(config):
    """Where there can be no cluster that is said loudly, and fails where CI=true."""
    try:
        clusters.require(clusters.kubeserver.bin_dir())
    except clusters.Unavailable as error:
        if os.environ.get("CI") == "true":
            pytest.exit(f"{error} (CI=true: that is a failure)", 1)
        pytest.exit(f"SKIPPED: {error}", SKIPPED_EXIT_CODE)


@pytest.fixture(scope="session")
def programs():
    """The folder of the release programs."""
    return pathlib.Path(os.environ.get("JOBRUN_BIN") or images.ROOT / "build/release/bin")


@pytest.fixture(scope="session")
def cluster(programs, tmp_path_factory):
    """Two nodes that know the images `jobrun:dev`, `jobrun:next` (the same with another tag) and the worker's."""
    out = tmp_path_factory.mktemp("images")
    archives = [*images.controller(programs, out / "controller", "dev", "next"), images.worker(programs, out)]
    running = clusters.Cluster(os.environ.get("JOBRUN_CLUSTER_DIR") or tmp_path_factory.mktemp("cluster") / "it")
    try:
        running.up().import_images(*archives)
        running.join_network()
        yield running
    finally:
        running.down()


@pytest.fixture(scope="session")
def rest(cluster):
    """A client with every right."""
    return Rest(cluster.kubeconfig)


@pytest.fixture(scope="session")
def release(cluster, rest, tmp_path_factory):
    """The chart, installed, with both replicas ready and one of them leading."""
    installed = Release(cluster, rest, tmp_path_factory.mktemp("release"))
    installed.install()
    installed.await_ready()
    installed.await_leader()
    return installed


@pytest.fixture(scope="session")
def crew(cluster, rest, release):
    return Crew(cluster, rest)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What the controllers and the workers said goes with a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for name in ("release", "crew"):
            if name in item.funcargs:
                report.sections.append((name, item.funcargs[name].logs()))
