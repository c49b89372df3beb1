"""The controller as a process. JOBRUN_CONTROLLER names the program; without it, the release build's."""

import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

from metrics import Metrics
from processes import describe_exit, spawn, stop_process
from servers import ROOT

START_SECONDS_MAX = 20
ASK_SECONDS_MAX = 5
ANY_PORT = "127.0.0.1:0"


def program():
    path = pathlib.Path(os.environ.get("JOBRUN_CONTROLLER") or ROOT / "build/release/bin/jobrun-controller")
    assert path.exists(), f"{path} is missing: run ./dev build, or name the program in JOBRUN_CONTROLLER"
    return str(path)


def run_to_its_end(*arguments, environment=None):
    """Runs the program with these arguments only; returns its exit code and what it said on stderr."""
    done = subprocess.run([program(), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, timeout=START_SECONDS_MAX, env=environment)
    return done.returncode, done.stderr


class Controller:
    """One process, from start() to its end. Its servers listen on ports that the kernel picks."""

    def __init__(self, log_path, kubeconfig, *flags, environment=None):
        self.log_path = pathlib.Path(log_path)
        variables = [f"{name}={value}" for name, value in (environment or {}).items()]
        self._command = ["env", *variables, program(), "--kubeconfig", str(kubeconfig), "--metrics-bind-address", ANY_PORT,
                         "--health-probe-bind-address", ANY_PORT, *map(str, flags)]
        self._process = None

    def start(self, wait=True):
        """Starts it; returns when it serves its pages, or at once without `wait`."""
        self.log_path.write_bytes(b"")
        self._process = spawn(self._command, self.log_path)
        if wait:
            self._told("serving probes", "at")
        return self

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def lines(self, *parts):
        """The log lines that have all these parts."""
        return [line for line in self.log.splitlines() if all(part in line for part in parts)]

    @property
    def process_id(self):
        """The first part of the verdictIDs that it writes."""
        return self._told("starting", "process")

    def page(self, path):
        """(code, text) of one of the probe pages."""
        return _ask(f"http://{self._told('serving probes', 'at')}{path}")

    def ready(self):
        return self.page("/readyz")[0] == 200

    def await_ready(self, seconds=START_SECONDS_MAX):
        deadline = time.monotonic() + seconds
        while not self.ready():
            assert time.monotonic() < deadline, f"not ready after {seconds} s: {self.page('/readyz')[1]}"
            time.sleep(0.05)
        return self

    @property
    def metrics_address(self):
        """HOST:PORT of its /metrics."""
        return self._told("serving metrics", "at")

    def metrics(self):
        code, text = _ask(f"http://{self.metrics_address}/metrics")
        assert code == 200, text
        return Metrics(text)

    def reaps(self):
        return self.metrics().total("jobrun_reaps_total")

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    def terminate(self):
        self._process.send_signal(signal.SIGTERM)

    def exit_code(self, seconds):
        """Waits for its end."""
        return self._process.wait(seconds)

    def stop(self):
        stop_process(self._process)

    def kill(self):
        stop_process(self._process, signal.SIGKILL)

    def pause(self):
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def _told(self, message, key):
        """The value of a field in the log line with this message, waiting for the line."""
        wanted = re.compile(rf" {re.escape(message)} .*?\b{key}=(\S+)")
        deadline = time.monotonic() + START_SECONDS_MAX
        while not (found := wanted.search(self.log)):
            assert self._process.poll() is None, f"the controller {describe_exit(self._process)}:\n{self.log}"
            assert time.monotonic() < deadline, f"no log line `{message}`:\n{self.log}"
            time.sleep(0.02)
        return found[1]


def _ask(url):
    try:
        with urllib.request.urlopen(url, timeout=ASK_SECONDS_MAX) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()
