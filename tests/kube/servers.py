"""The API servers that tests run against, behind one interface, and the pytest fixture that starts them.

JOBRUN_TEST_SERVERS names them, separated by commas: `kube` (a real one, the default) and `dev` (the embedded
one, build/release/bin/jobrun-devserver or $JOBRUN_DEVSERVER). A server that can't be had skips its tests with one loud
line; with CI=true it fails them instead.

Both classes have: name, version, kubeconfig, url, start(dir), stop(), kill(), restart(), pause(), resume() and
compact(). After kill() and restart() the address is the same; only the real server still has its data.
"""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
import yaml

import kubeserver
from processes import describe_exit, spawn, stop_process, tail
from rest import Rest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CRD = ROOT / "crds" / "jobruns.yaml"
NO_GO_EXIT_CODE = 3  # Of tests/kube/build.sh.
READY_SECONDS_MAX = 20
# pytest's exit code when no test ran for want of a server; ctest then shows the test as skipped.
SKIPPED_EXIT_CODE = 77


class Unavailable(Exception):
    """This machine can't run that server; the text says why and what to do."""


class BareKubeServer(kubeserver.KubeServer):
    """The real API server without the JobRun resource, built first when that is needed."""

    name = "bare"

    def start(self, directory):
        build = subprocess.run([ROOT / "tests/kube/build.sh"], stderr=subprocess.PIPE, text=True, check=False)
        if build.returncode == NO_GO_EXIT_CODE:
            raise Unavailable(build.stderr.strip())
        if build.returncode != 0:
            raise kubeserver.StartError(f"tests/kube/build.sh failed:\n{build.stderr[-2000:]}")
        return super().start(directory)


class KubeServer(BareKubeServer):
    """The same with it."""

    name = "kube"

    def start(self, directory):
        super().start(directory)
        install_crd(Rest(self.kubeconfig))
        return self

    def restart(self):
        super().restart()
        await_runs(Rest(self.kubeconfig))  # For a moment it is ready and has no runs yet: 429.


class DevServer:
    """The embedded API server."""

    name = "dev"

    def __init__(self, flags=(), compact_after=400, die_with_parent=True, host="127.0.0.1"):
        self.flags = [*flags, "--compact-after", str(compact_after)]
        self.die_with_parent = die_with_parent
        self.dir = self.version = self.url = None
        self._compact_after, self._host = compact_after, host
        self._process = None

    @property
    def kubeconfig(self):
        return str(self.dir / "kubeconfig")

    def start(self, directory):
        self.dir = pathlib.Path(directory).resolve()
        self.dir.mkdir(parents=True, exist_ok=True)
        self._listen(f"{self._host}:0")
        return self

    def stop(self):
        stop_process(self._process)
        self._process = None

    def kill(self):
        stop_process(self._process, signal.SIGKILL)
        self._process = None

    def restart(self):
        self.kill()
        self._listen(re.sub(r"^\w+://", "", self.url))

    def pause(self):
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def compact(self):
        """Makes every earlier resourceVersion too old to watch from, by writing often enough."""
        rest = Rest(self.kubeconfig)
        runs = "/apis/jobrun.dev/v1/namespaces/default/jobruns"
        for turn in range(self._compact_after + 1):
            name = f"compaction-{turn}"
            rest.post(runs, jobrun(name))
            rest.delete(f"{runs}/{name}")

    def _listen(self, address):
        program = os.environ.get("JOBRUN_DEVSERVER") or ROOT / "build/release/bin/jobrun-devserver"
        if not pathlib.Path(program).exists():
            raise Unavailable(f"NO DEV SERVER: {program} is missing; run ./dev build")
        log = self.dir / "devserver.log"
        log.write_bytes(b"")
        self._process = spawn([str(program), "--dir", str(self.dir), "--listen", address, *self.flags], log,
                              self.die_with_parent)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while "ready: " not in tail(log):
            if self._process.poll() is not None:
                raise kubeserver.StartError(f"jobrun-devserver {describe_exit(self._process)}:\n{tail(log)}")
            if time.monotonic() > deadline:
                self.stop()
                raise kubeserver.StartError(f"jobrun-devserver not ready in {READY_SECONDS_MAX} s:\n{tail(log)}")
            time.sleep(0.02)
        rest = Rest(self.kubeconfig)
        self.url = rest.url
        self.version = rest.get("/version").body["gitVersion"]


def jobrun(name, spec=None, **metadata):
    """A JobRun as it is sent to the server."""
    return {"apiVersion": "jobrun.dev/v1", "kind": "JobRun", "metadata": {"name": name, **metadata}, "spec": spec or {}}


def install_crd(rest):
    """Creates the JobRun resource, where it is not there, and returns when the server offers it."""
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    created = rest.post(crds, yaml.safe_load(CRD.read_text()))
    if created.code not in (201, 409):
        raise kubeserver.StartError(f"the API server refused {CRD}: {created.message}")
    await_runs(rest)


def await_runs(rest):
    """Returns when the server offers the JobRun resource."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while rest.get("/apis/jobrun.dev/v1/jobruns?limit=1").code != 200:
        if time.monotonic() > deadline:
            raise kubeserver.StartError(f"jobruns are not served within {READY_SECONDS_MAX} s")
        time.sleep(0.1)


def create_namespace(rest, name):
    created = rest.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert created.code in (201, 409), created


_CLASSES = {"kube": KubeServer, "bare": BareKubeServer, "dev": DevServer}
missing = []  # Why servers were skipped, one text for each.


def selected():
    """The names in JOBRUN_TEST_SERVERS."""
    names = [name.strip() for name in os.environ.get("JOBRUN_TEST_SERVERS", "kube").split(",") if name.strip()]
    unknown = sorted(set(names) - set(_CLASSES))
    if unknown or not names:
        raise pytest.UsageError(f"JOBRUN_TEST_SERVERS: {unknown or 'no server named'}; known: {sorted(_CLASSES)}")
    return names


def start(name, directory, **options):
    """Starts that server; when it can't be had, skips the test, or fails it where CI=true."""
    try:
        return _CLASSES[name](**options).start(directory)
    except Unavailable as error:
        give_up(str(error))


def give_up(reason):
    """Skips the test because this machine can't run it, or fails it where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true: a missing server is a failure)", pytrace=False)
    if reason not in missing:
        missing.append(reason)
    pytest.skip(reason)


def running(name, directory, **options):
    """For a fixture to yield from: that server, until its tests are over."""
    started = start(name, directory, **options)
    print(f"\nserver: {started.name} {started.version}")
    yield started
    started.kill()  # Asked to stop, a real one would wait for the watches that are open.
    started.stop()


@pytest.fixture(scope="session", params=selected())
def server(request, tmp_path_factory):
    """One running server for all tests of the session that use it."""
    yield from running(request.param, tmp_path_factory.mktemp(request.param))
