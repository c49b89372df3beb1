"""One story about one language's worker: its run, its processes, what the API server has seen."""

import os
import re
import signal
import subprocess
import threading
import time

import kubeserver
import pki
import servers
from faults import CuttingShort
from gate import Gate, write_kubeconfig
from processes import spawn, stop_process
from rest import Rest

import languages

NAMESPACE = "examples"
RUNS = f"/apis/jobrun.dev/v1/namespaces/{NAMESPACE}/jobruns"
# Long enough for a JVM that starts while others do, on two cores.
START_SECONDS_MAX = 40
END_SECONDS_MAX = 40


class Worker:
    """A worker at work on the case's run, in a process group of its own."""

    def __init__(self, command, log):
        self.log = log
        self._process = spawn(command, log)
        self.pid = self._process.pid

    @property
    def output(self):
        return self.log.read_text(errors="replace")

    @property
    def is_alive(self):
        return self._process.poll() is None

    def exit_code(self, seconds=END_SECONDS_MAX):
        """Waits for its end; 128+n when signal n ended it, as a shell says it."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still at work after {seconds} s:\n{self.output}") from None
        return code if code >= 0 else 128 - code

    def terminate(self):
        self._process.send_signal(signal.SIGTERM)

    def close(self):
        """Ends it and what it has started."""
        if self.is_alive:
            os.killpg(self.pid, signal.SIGKILL)
        stop_process(self._process)


class Outside:
    """The gate of one worker: what of its requests has arrived, and what becomes of them."""

    def __init__(self, server, directory, pki_dir):
        self._gate = Gate(server.kubeconfig, directory, pki_dir=pki_dir, fault=CuttingShort())
        self.kubeconfig = write_kubeconfig(directory / "gate.kubeconfig", self._gate.url, user={"token": "any"},
                                           cluster={"certificate-authority": str(pki_dir / "ca.crt")})
        self.requests = self.patches = 0  # That have come this far.
        self._gate.refuse(0, "", when=self._count)  # Never true: it only counts.
        self.catch, self.cut, self.heal, self.close = (
            self._gate.catch, self._gate.cut, self._gate.heal, self._gate.close)

    def refuse(self, code):
        """Every request with this code; returns what ends it."""
        return self._gate.refuse(code, f"refused with {code}")

    def hold(self):
        """Every request, without an answer; returns what ends it."""
        released = threading.Event()

        def held(*_):
            released.wait(END_SECONDS_MAX)
            return False

        remove = self._gate.refuse(0, "", when=held)
        return lambda: (remove(), released.set())

    def cut_short(self):
        """Every answer, in its middle; returns what ends it."""
        self._gate.fault.begin()
        return self._gate.fault.end

    def _count(self, method, *_):
        self.requests += 1
        self.patches += method == "PATCH"
        return False


class Case:
    """What a story is told with. Not for several threads."""

    def __init__(self, server, observer, language, story):
        self.server, self.language = server, language
        self.name = f"{story.replace('_', '-')[:40].strip('-')}-{language}"
        self.path = f"{RUNS}/{self.name}"
        self.dir = server.dir / "cases" / self.name
        self.dir.mkdir(parents=True, exist_ok=True)
        self.rest = Rest(server.kubeconfig)
        self._observer = observer
        self._workers, self._gates = [], []

    def create(self, interval=2, timeout=120, steps=3000, step_seconds=0.1, fail_at=None, **more):
        """The run, anew where there is one. What ends by itself, or by its timeout, ends after all patience."""
        self.rest.delete(self.path)
        payload = {"steps": steps, "stepSeconds": step_seconds, **({"failAt": fail_at} if fail_at else {})}
        spec = {"heartbeat": {"intervalSeconds": interval, "timeoutSeconds": timeout}, "payload": payload, **more}
        created = self.rest.post(RUNS, servers.jobrun(self.name, spec))
        assert created.code == 201, created

    def patch(self, **status):
        """The status, as somebody else writes it."""
        answer = self.rest.merge(f"{self.path}/status", {"status": status})
        assert answer.code == 200, answer

    def cancel(self):
        assert self.rest.merge(self.path, {"spec": {"cancelled": True}}).code == 200

    @property
    def status(self):
        return self.rest.get(self.path).body.get("status", {})

    def work(self, name=None, kubeconfig=None, **environment):
        """Starts a worker on the case's run, or on the one of that name."""
        log = self.dir / f"worker-{len(self._workers)}.log"
        settings = {"KUBECONFIG": kubeconfig or self.server.kubeconfig, "NO_PROXY": "127.0.0.1",
                    "KUBECACHEDIR": str(self.server.dir / "cache"),
                    "KUBERNETES_CERTS_CLIENT_KEY_ALGO": "EC",  # fabric8 takes a key for RSA.
                    "PATH": f"{kubeserver.bin_dir()}:{os.environ['PATH']}", **environment}
        command = ["env", *(f"{key}={value}" for key, value in settings.items()), *languages.command(self.language),
                   f"{NAMESPACE}/{name or self.name}"]
        self._workers.append(Worker(command, log))
        return self._workers[-1]

    def claimed(self, **options):
        """A run and a worker that has claimed it."""
        self.create(**options)
        worker = self.work()
        self.wait(lambda seen: seen.phase == "Running", START_SECONDS_MAX)
        return worker

    def gate(self):
        self._gates.append(Outside(self.server, self.dir, pki_folder(self.server)))
        return self._gates[-1]

    def wait(self, wanted, seconds=END_SECONDS_MAX):
        """The first version of the run for which wanted(seen) holds."""
        seen = self._observer.wait(NAMESPACE, self.name, wanted, seconds)
        assert seen, f"not within {seconds} s; the run is {self.status}\n{self.logs()}"
        return seen

    def beat(self, after=None):
        """The first heartbeat seen, or the first after a time.monotonic()."""
        return self.wait(lambda seen: "lastHeartbeatAt" in seen.status and seen.at > (after or 0))

    def versions(self):
        """Every version of the run that was seen, after what has been written until now."""
        last = int(self.rest.get(self.path).body["metadata"]["resourceVersion"])
        self.wait(lambda seen: seen.version >= last, 5)
        return self._observer.versions(NAMESPACE, self.name)

    def logs(self):
        return "\n".join(f"{worker.log.name}:\n{worker.output}" for worker in self._workers)

    def close(self):
        for worker in self._workers:
            worker.close()
        for gate in self._gates:
            gate.close()
        self.rest.close()


_making = threading.Lock()


def pki_folder(server):
    """The certificates of all gates in front of a server."""
    with _making:
        pki.create(server.dir / "gates")
    return server.dir / "gates"


def elapsed(since):
    return time.monotonic() - since


def is_time(text):
    """RFC 3339 in UTC with at least milliseconds: two heartbeats in one second must differ."""
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z", text)
