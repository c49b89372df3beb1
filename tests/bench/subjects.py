"""A load server and a controller as processes, and what the kernel says about them."""

import contextlib
import datetime
import json
import os
import pathlib
import re
import select
import subprocess
import time

_READY_SECONDS_MAX = 30
_SYNC_SECONDS_MAX = 300
_STOP_SECONDS_MAX = 20
_ANY_PORT = "127.0.0.1:0"
# How many requests the controller may have under way for verdicts.
IN_FLIGHT = 32
# Reaps as fast as they come due: the limiter is not what is measured.
# What is measured is how fast it does what the breaker would hold.
_CONFIG = f"rateLimit: {{reapsPerSecond: 0, inFlight: {IN_FLIGHT}}}\nbreaker: {{enabled: false}}\n"


class BenchError(Exception):
    pass


class LoadServer:
    """jobrun-loadserver, from start to its last report."""

    def __init__(self, program, scenario, folder):
        self._folder = folder
        flags = {"--dir": folder, "--runs": scenario.runs, "--rate": scenario.rate,
                 "--interval-seconds": scenario.interval, "--timeout-seconds": scenario.timeout,
                 "--silences": scenario.silences, "--silence-seconds": scenario.silence_seconds,
                 "--storm": scenario.storm, "--late-share": scenario.late_share,
                 "--lag-seconds-max": scenario.lag_seconds_max, "--write-delay-ms": scenario.write_delay_ms,
                 "--finished": scenario.finished, "--churn": scenario.churn}
        command = [program, *(word for pair in flags.items() for word in pair)]
        command += ["--no-watch-list"] if scenario.paged else []
        self._process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE)
        self._rest = b""
        line = self._line(_READY_SECONDS_MAX)
        if not line.startswith("ready:"):
            raise BenchError(f"the load server said {line!r} instead of being ready")

    @property
    def kubeconfig(self):
        return self._folder / "kubeconfig"

    @property
    def port(self):
        return re.search(r"server: \S+:(\d+)", self.kubeconfig.read_text())[1]

    def report(self):
        self._process.stdin.write(b"report\n")
        self._process.stdin.flush()
        return json.loads(self._line(_READY_SECONDS_MAX))

    def stop(self):
        """Its last report; None when it did not end well."""
        self._process.terminate()
        code = self._process.wait(_STOP_SECONDS_MAX)
        return json.loads((self._folder / "report.json").read_text()) if code == 0 else None

    def kill(self):
        self._process.kill()
        self._process.wait()

    def _line(self, seconds):
        deadline = time.monotonic() + seconds
        while b"\n" not in self._rest:
            readable, _, _ = select.select([self._process.stdout], [], [], deadline - time.monotonic())
            data = os.read(self._process.stdout.fileno(), 65536) if readable else b""
            if not data:
                raise BenchError("the load server ended or did not answer")
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return line.decode()


class Client:
    """A program that watches the load server, and what the kernel says about it."""

    def __init__(self, command, folder, profiler=None):
        self._profiler = profiler
        self._log = folder / "client.log"
        with open(self._log, "wb") as log:
            self.started_at = time.time()
            self._process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=log)

    @property
    def log(self):
        return self._log.read_text(errors="replace")

    def await_log(self, pattern):
        """The match of the first line that says so."""
        deadline = time.monotonic() + _SYNC_SECONDS_MAX
        while not (found := re.search(pattern, self.log, re.MULTILINE)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"it did not get in step:\n{self.log[-2000:]}")
            time.sleep(0.005)
        return found

    def await_sync(self):
        """Seconds from the start of the controller's process to the log line that says so."""
        found = self.await_log(r"^(\S+)Z info synced ")
        said_at = datetime.datetime.fromisoformat(found[1]).replace(tzinfo=datetime.timezone.utc)
        return said_at.timestamp() - self.started_at

    def cpu(self):
        """Seconds of CPU of all its threads since the start, user and system, to the nanosecond: its CPU-time clock
        (clock_getcpuclockid(3))."""
        return time.clock_gettime((~self._process.pid << 3) | 2)

    def memory(self):
        """Mebibytes: resident, its anonymous part, and the most there was."""
        status = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        kibibytes = dict(re.findall(r"^(\w+):\s+(\d+) kB", status, re.MULTILINE))
        return {name: round(int(kibibytes[key]) / 1024, 2)
                for name, key in [("resident_mib", "VmRSS"), ("anonymous_mib", "RssAnon"), ("peak_mib", "VmHWM")]}

    def sampled(self):
        """A context in which it is looked where the CPU goes, if that was asked for."""
        return self._profiler.watching(self._process.pid) if self._profiler else contextlib.nullcontext()

    def stop(self):
        self._process.terminate()
        return self._process.wait(_STOP_SECONDS_MAX)

    def kill(self):
        self._process.kill()
        self._process.wait()


def controller_command(program, kubeconfig, folder, scenario):
    config = folder / "config.yaml"
    config.write_text(_CONFIG + ("watch: {finished: true}\n" if scenario.watches_all else ""))
    command = [program, "--kubeconfig", kubeconfig, "--config", config, "--metrics-bind-address", _ANY_PORT,
               "--health-probe-bind-address", _ANY_PORT]
    return [*command, *(["--leader-elect"] if scenario.elects else [])]
