"""The programs of the demo: started here, and gone when the demo is."""

import json
import os
import pathlib
import signal
import sys
import time

import api

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tests" / "kube"))
from processes import describe_exit, spawn, stop_process, tail  # noqa: E402

_READY_SECONDS_MAX = 20
_POLL_SECONDS = 0.05


class ProgramError(Exception):
    """A program did not come up, or ended on its own; the text says which one."""


class Stage:
    """The dev server and the controller, with their logs in `directory`."""

    def __init__(self, programs, directory):
        self.directory = directory
        self.cluster = self.metrics_address = None
        self._programs = programs
        self._started = []  # (name, Popen, log) in order

    def open(self):
        """Starts both and returns when the controller has seen all runs."""
        server_log = self._start("jobrun-devserver", "--dir", self.directory, "--listen", "127.0.0.1:0")
        self._wait("the dev server", lambda: "ready: " in tail(server_log))
        kubeconfig = self.directory / "kubeconfig"
        self.cluster = api.read_kubeconfig(kubeconfig)
        self._write_credentials()
        controller_log = self._start(
            "jobrun-controller", "--kubeconfig", kubeconfig, "--config", HERE / "config.yaml",
            "--metrics-bind-address", "127.0.0.1:0", "--health-probe-bind-address", "127.0.0.1:0",
            "--log-format", "json")
        self._wait("the controller's addresses", lambda: len(_addresses(controller_log)) == 2)
        addresses = _addresses(controller_log)
        self.metrics_address = addresses["metrics"]
        self._wait("the controller to be ready", lambda: _is_ready(addresses["probes"]))

    def worker_command(self, run, name, beats):
        settings = {"API_SERVER": self.cluster.server, "CREDENTIALS": self.directory / "worker", "INTERVAL": 1,
                    "NO_PROXY": "127.0.0.1"}
        return ["env", *(f"{key}={value}" for key, value in settings.items()),
                str(HERE / "worker.sh"), run, name, beats]

    def check(self):
        """Raises ProgramError when one of them has ended."""
        for program, process, log in self._started:
            if process.poll() is not None:
                raise ProgramError(f"{program} {describe_exit(process)}, see {log}")

    def logs(self):
        """All logs, the workers' too."""
        return sorted(self.directory.glob("*.log"))

    def close(self):
        for _, process, _ in reversed(self._started):
            stop_process(process, seconds_max=3)

    def _write_credentials(self):
        folder = self.directory / "worker"
        folder.mkdir(mode=0o700)
        (folder / "token").write_text(self.cluster.token, encoding="utf-8")
        (folder / "ca.crt").write_text(self.cluster.authority, encoding="utf-8")

    def _start(self, program, *arguments):
        path = self._programs / program
        if not os.access(path, os.X_OK):
            raise ProgramError(f"{path} is missing; build it with ./dev build")
        log = self.directory / f"{program}.log"
        self._started.append((program, spawn([str(path), *map(str, arguments)], log), log))
        return log

    def _wait(self, what, holds):
        deadline = time.monotonic() + _READY_SECONDS_MAX
        while not holds():
            self.check()
            if time.monotonic() > deadline:
                raise ProgramError(f"waited {_READY_SECONDS_MAX} s for {what}")
            time.sleep(_POLL_SECONDS)


class Worker:
    """One run's worker.sh, in a process group of its own."""

    def __init__(self, stage, run, beats):
        self._log = stage.directory / f"worker-{run}.log"
        self._process = spawn(stage.worker_command(run, f"worker-{run}", beats), self._log)
        self._paused = False

    @property
    def exit_code(self):
        return self._process.poll()

    def kill(self):
        self._signal(signal.SIGKILL)

    def pause(self):
        self._paused = True
        self._signal(signal.SIGSTOP)

    def resume(self):
        self._paused = False
        self._signal(signal.SIGCONT)

    def close(self):
        """Ends it and what it has started."""
        if self.exit_code is None:
            self.kill()
        self._process.wait()

    def describe(self):
        code = self.exit_code
        if code is None:
            return "paused" if self._paused else "at work"
        known = {0: "finished", 65: "fenced", 73: "too late", -signal.SIGKILL: "killed"}
        return known.get(code, describe_exit(self._process))

    def _signal(self, number):
        if self.exit_code is None:
            os.killpg(self._process.pid, number)


def _addresses(log):
    """Where the controller serves what, by what: from its lines {"msg": "serving metrics", "at": "127.0.0.1:1"}."""
    served = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # The line is not whole yet.
        if entry.get("msg", "").startswith("serving "):
            served[entry["msg"].removeprefix("serving ")] = entry["at"]
    return served


def _is_ready(address):
    try:
        return api.fetch_text(address, "/readyz")[0] == 200
    except OSError:
        return False
