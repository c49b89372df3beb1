"""Plays one scenario: a load server and a controller as processes, measured from outside."""

import datetime
import json
import os
import pathlib
import re
import select
import subprocess
import tempfile
import time

_READY_SECONDS_MAX = 30
_SYNC_SECONDS_MAX = 300
_SETTLE_SECONDS_MAX = 10  # after the last silent run has come due
_STOP_SECONDS_MAX = 20
_TICKS = os.sysconf("SC_CLK_TCK")
_ANY_PORT = "127.0.0.1:0"
# Reaps as fast as they come due: the limiter is not what is measured.
# What is measured is how fast it does what the breaker would hold.
_CONFIG = "rateLimit: {reapsPerSecond: 0}\nbreaker: {enabled: false}\n"


class BenchError(Exception):
    pass


class LoadServer:
    """jobrun-loadserver, from start to its last report."""

    def __init__(self, program, scenario, folder):
        self._folder = folder
        command = [program, "--dir", folder, "--runs", scenario.runs, "--rate", scenario.rate,
                   "--interval-seconds", scenario.interval, "--timeout-seconds", scenario.timeout,
                   "--silences", scenario.silences, "--silence-seconds", scenario.silence_seconds]
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

    def __init__(self, command, folder):
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
        """(user, system) seconds of all its threads since the start."""
        stat = pathlib.Path(f"/proc/{self._process.pid}/stat").read_text()
        fields = stat.rsplit(")", 1)[1].split()
        return int(fields[11]) / _TICKS, int(fields[12]) / _TICKS

    def memory(self):
        """Mebibytes: resident, its anonymous part, and the most there was."""
        status = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        kibibytes = dict(re.findall(r"^(\w+):\s+(\d+) kB", status, re.MULTILINE))
        return {name: round(int(kibibytes[key]) / 1024, 2)
                for name, key in [("resident_mib", "VmRSS"), ("anonymous_mib", "RssAnon"), ("peak_mib", "VmHWM")]}

    def stop(self):
        self._process.terminate()
        return self._process.wait(_STOP_SECONDS_MAX)

    def kill(self):
        self._process.kill()
        self._process.wait()


def controller_command(program, kubeconfig, folder):
    config = folder / "config.yaml"
    config.write_text(_CONFIG)
    return [program, "--kubeconfig", kubeconfig, "--config", config, "--metrics-bind-address", _ANY_PORT,
            "--health-probe-bind-address", _ANY_PORT]


def floor_us_per_heartbeat(scenario, bin_folder):
    """What the same heartbeats cost a program that only finds two fields in each and stores them."""
    with tempfile.TemporaryDirectory(prefix="jobrun-bench-") as name:
        folder = pathlib.Path(name)
        server = LoadServer(bin_folder / "jobrun-loadserver", scenario, folder)
        floor = None
        try:
            floor = Client([bin_folder / "jobrun-floor", server.port], folder)
            floor.await_log(r"^synced$")
            return _window(scenario, floor, server)["cpu_us_per_heartbeat"]
        finally:
            if floor is not None:
                floor.kill()
            server.kill()


def _window(scenario, controller, server):
    """CPU over a stretch of the steady state."""
    time.sleep(scenario.warm_seconds)
    before, cpu_before = server.report(), controller.cpu()
    time.sleep(scenario.window_seconds)
    after, cpu_after = server.report(), controller.cpu()
    user, system = (round(b - a, 2) for a, b in zip(cpu_before, cpu_after))
    events = after["heartbeats"] - before["heartbeats"]
    seconds = after["monotonic_seconds"] - before["monotonic_seconds"]
    figures = {"window_seconds": round(seconds, 2), "window_heartbeats": events, "window_cpu_user_s": user,
               "window_cpu_system_s": system, "heartbeats_per_s": round(events / seconds, 1),
               "server_cpu_s": round(after["cpu_seconds"] - before["cpu_seconds"], 2)}
    if events > 0:
        figures["cpu_us_per_heartbeat"] = round((user + system) / events * 1e6, 2)
    return figures


def _settle(scenario, server):
    """Waits until every run that fell silent has a verdict or beats again."""
    deadline = time.monotonic() + scenario.silence_seconds + scenario.timeout + scenario.runs / scenario.rate + _SETTLE_SECONDS_MAX
    while time.monotonic() < deadline:
        report = server.report()
        # Silences come at an even rate once every run has beaten; until the last there may be none open.
        over = report["heartbeats"] >= scenario.rate * scenario.silence_seconds + scenario.runs
        if over and report["silent_now"] == 0:
            return
        time.sleep(0.1)


def _faults(scenario, report):
    """What is wrong with the controller's behaviour, in words."""
    faults = []
    if report["initial_events"] + report["lists"] == 0:
        faults.append("it never listed")
    for key, words in [("false_reaps", "live runs reaped"), ("missed_reaps", "dead runs not reaped in time"),
                       ("unknown_requests", "requests that no controller makes")]:
        if report[key] > 0:
            faults.append(f"{report[key]} {words}")
    if scenario.silences == 0 and report["verdicts"] > 0:
        faults.append(f"{report['verdicts']} verdicts where no run was silent")
    if scenario.silences > 0 and report["verdicts"] == 0:
        faults.append("no verdict at all")
    return faults


def play(scenario, bin_folder):
    """The figures of one scenario, with `faults`: what the controller did wrong."""
    with tempfile.TemporaryDirectory(prefix="jobrun-bench-") as name:
        folder = pathlib.Path(name)
        load_before = os.getloadavg()[0]
        server = LoadServer(bin_folder / "jobrun-loadserver", scenario, folder)
        controller = None
        try:
            command = controller_command(bin_folder / "jobrun-controller", server.kubeconfig, folder)
            controller = Client(command, folder)
            figures = {"runs": scenario.runs, "sync_s": round(controller.await_sync(), 3)}
            figures["sync_cpu_s"] = round(sum(controller.cpu()), 2)
            if scenario.window_seconds > 0:
                figures |= _window(scenario, controller, server)
            if scenario.silences > 0:
                _settle(scenario, server)
            figures |= controller.memory()
            report = server.report()
            code = controller.stop()
            report_at_end = server.stop()
        except BaseException:
            server.kill()
            if controller is not None:
                controller.kill()
            raise
        faults = _faults(scenario, report)
        if code != 0:
            faults.append(f"it ended with exit code {code}")
        if report_at_end is None:
            faults.append("the load server did not end well")
    if scenario.floor:
        figures["floor_us_per_heartbeat"] = floor_us_per_heartbeat(scenario, bin_folder)
        figures["times_the_floor"] = round(figures["cpu_us_per_heartbeat"] / figures["floor_us_per_heartbeat"], 2)
    return figures | _told(scenario, report) | {"load_before": load_before, "faults": faults}


def _told(scenario, report):
    """What the load server's report adds."""
    keys = ["object_bytes_min", "object_bytes_max", "heartbeats", "verdicts", "conflicts", "silenced", "late_accepted",
            "late_refused", "false_reaps", "missed_reaps", "tick_late_ms_p99", "tick_late_ms_max"]
    if scenario.silences > 0:
        keys += ["lag_ms_p50", "lag_ms_p99", "lag_ms_max"]
    return {key: report[key] for key in keys}
