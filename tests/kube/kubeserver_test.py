"""The harness itself: the real API server starts, comes back with its data, and never outlives its test."""

import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest

import kubeserver
import servers
from rest import Rest
from servers import jobrun

HERE = pathlib.Path(__file__).parent
RUNS = "/apis/jobrun.dev/v1/namespaces/default/jobruns"
GONE_SECONDS_MAX = 10


@pytest.fixture(autouse=True, scope="module")
def only_the_real_one():
    if "kube" not in servers.selected():
        pytest.skip("JOBRUN_TEST_SERVERS does not name kube")


@pytest.fixture(scope="module")
def kube(tmp_path_factory):
    """One for all tests that leave it as they found it."""
    running = servers.start("kube", tmp_path_factory.mktemp("kube"))
    yield running
    running.stop()


def gone(pid):
    """Whether the process ends soon; one that nobody has reaped yet has ended."""
    deadline = time.monotonic() + GONE_SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            if pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def pids(directory):
    return [int(pathlib.Path(directory, f"{label}.pid").read_text()) for label in ("api", "etcd")]


def test_data_address_and_version_survive_a_kill(kube):
    rest = Rest(kube.kubeconfig)
    assert rest.post(RUNS, jobrun("run")).code == 201
    url, version = kube.url, kube.version
    kube.kill()
    rest.close()
    with pytest.raises(OSError):
        rest.get(RUNS)
    kube.restart()
    assert (kube.url, kube.version) == (url, version)
    assert rest.get(f"{RUNS}/run").code == 200


def test_paused_server_keeps_its_connections_and_says_nothing(kube):
    with Rest(kube.kubeconfig).watch(RUNS, seconds_max=1, timeoutSeconds=30, fieldSelector="metadata.name=none") as watch:
        kube.pause()
        try:
            with pytest.raises(TimeoutError):
                next(watch)
        finally:
            kube.resume()
    assert Rest(kube.kubeconfig).get(RUNS).code == 200


def test_stopped_etcd_leaves_what_is_in_the_caches(kube):
    rest = Rest(kube.kubeconfig)
    assert rest.post(RUNS, jobrun("cached")).code == 201
    assert rest.get(RUNS).code == 200  # Waits for the cache to have seen it.
    kube.pause_etcd()
    try:
        cached = rest.get(f"{RUNS}?resourceVersion=0")
        assert "cached" in [run["metadata"]["name"] for run in cached.body["items"]]
        assert rest.merge(f"{RUNS}/cached/status?timeout=2s", {"status": {"phase": "Failed"}}).code == 504
    finally:
        kube.resume_etcd()
    assert rest.get(f"{RUNS}/cached").code == 200


def test_etcd_that_refuses_writes_is_read_all_the_same(kube):
    rest = Rest(kube.kubeconfig)
    assert rest.post(RUNS, jobrun("read-only")).code == 201
    kube.refuse_writes()
    try:
        refused = rest.merge(f"{RUNS}/read-only/status", {"status": {"phase": "Failed"}})
        assert refused.code == 500 and "space exceeded" in refused.message
        assert "status" not in rest.get(f"{RUNS}/read-only").body
        assert rest.post(RUNS, jobrun("refused")).code == 500
        assert rest.delete(f"{RUNS}/read-only").code == 200
    finally:
        kube.take_writes()
    assert rest.post(RUNS, jobrun("read-only")).code == 201


def test_renewed_certificate_needs_the_other_ca(kube, tmp_path):
    rest = Rest(kube.kubeconfig)
    old = shutil.copy(kube.ca_file, tmp_path)
    kube.renew_certificate()
    kube.restart()
    rest.close()
    assert rest.get(RUNS).code == 200, "the kubeconfig names the file that has the other CA now"
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context(cafile=old).wrap_socket(
            socket.create_connection(("127.0.0.1", kube.api_port)), server_hostname="localhost")


def test_user_without_a_role_is_forbidden(kube):
    assert Rest(kube.kubeconfig_for("nobody")).get(RUNS).code == 403
    assert Rest(kube.kubeconfig_for("operator", ["system:masters"])).get(RUNS).code == 200


def test_start_takes_other_ports_when_one_is_taken(tmp_path, monkeypatch):
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        taken, real = occupied.getsockname()[1], kubeserver.free_port
        offers = iter([taken])
        monkeypatch.setattr(kubeserver, "free_port", lambda: next(offers, None) or real())
        running = servers.start("kube", tmp_path)
        assert running.api_port != taken
        running.stop()


def test_processes_die_with_a_killed_parent(tmp_path):
    program = f"import kubeserver, time; kubeserver.KubeServer().start({str(tmp_path)!r}); print('up', flush=True); time.sleep(99)"
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=HERE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "up\n"
    children = pids(tmp_path)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert [gone(pid) for pid in children] == [True, True]


def test_up_outlives_its_command_and_down_ends_it(tmp_path):
    command = [sys.executable, HERE / "kubeserver.py"]
    up = subprocess.run([*command, "up", tmp_path], capture_output=True, text=True, check=True)
    children = pids(tmp_path)
    try:
        kubeconfig = up.stdout.strip().removeprefix("ready: export KUBECONFIG=")
        assert Rest(kubeconfig).get("/version").code == 200
    finally:
        subprocess.run([*command, "down", tmp_path], check=True)
    assert [gone(pid) for pid in children] == [True, True]


def test_build_says_in_one_line_that_go_is_missing(tmp_path):
    environment = {**os.environ, "JOBRUN_KUBE_BIN": str(tmp_path), "PATH": "/usr/bin:/bin"}
    if subprocess.run(["sh", "-c", "command -v go"], env=environment, stdout=subprocess.DEVNULL).returncode == 0:
        pytest.skip("Go is installed in /usr/bin")
    build = subprocess.run([HERE / "build.sh"], env=environment, capture_output=True, text=True)
    assert build.returncode == servers.NO_GO_EXIT_CODE
    assert len(build.stderr.splitlines()) == 1
    assert "NO REAL API SERVER" in build.stderr and "Go 1.26" in build.stderr
