"""Prometheus, promtool and Alertmanager as processes on ports that the kernel picks. Standard library only."""

import json
import pathlib
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from processes import describe_exit, spawn, stop_process

PROGRAMS = ("prometheus", "promtool", "prometheus-alertmanager")
START_SECONDS_MAX = 30
_ASK_SECONDS_MAX = 10
_ANY_PORT = "127.0.0.1:0"
_LISTENING = re.compile(r'msg="Listening on" address=(\S+)')


def missing_programs():
    return [program for program in PROGRAMS if shutil.which(program) is None]


def eventually(condition, seconds, what):
    """The first value that is true; `what` is expected."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
    return value


def promtool(*arguments):
    """(exit code, what it said)"""
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class _Server:
    """A process that serves HTTP and says on which port."""

    def __init__(self, directory, name, config, *flags):
        self.dir = pathlib.Path(directory) / name
        self.dir.mkdir(parents=True)
        self._log = self.dir / "log"
        config_file = self.dir / "config.json"  # JSON is YAML.
        config_file.write_text(json.dumps(config))
        self._process = spawn([name, f"--config.file={config_file}", f"--web.listen-address={_ANY_PORT}", *flags],
                              self._log)
        try:
            self.address = eventually(self._listening, START_SECONDS_MAX, f"{name} listens")[1]
        except AssertionError:
            self.stop()
            raise

    @property
    def log(self):
        return self._log.read_text(errors="replace")

    def _listening(self):
        assert self._process.poll() is None, f"{describe_exit(self._process)}:\n{self.log}"
        return _LISTENING.search(self.log)

    def ask(self, path, **query):
        url = f"http://{self.address}{path}?{urllib.parse.urlencode(query, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=_ASK_SECONDS_MAX) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def stop(self):
        stop_process(self._process)


class Prometheus(_Server):
    """Scrapes each target, {HOST:PORT: its labels}, and evaluates the rules, every second."""

    def __init__(self, directory, targets, rules=(), alertmanager=None, second="1s"):
        config = {"global": {"scrape_interval": second, "scrape_timeout": second, "evaluation_interval": second},
                  "scrape_configs": [{"job_name": "jobrun", "static_configs": [
                      {"targets": [target], "labels": labels} for target, labels in targets.items()]}],
                  "rule_files": [str(path) for path in rules]}
        if alertmanager:
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.address]}]}]}
        super().__init__(directory, "prometheus", config, f"--storage.tsdb.path={pathlib.Path(directory) / 'tsdb'}")
        try:
            eventually(lambda: self.ask("/-/ready")[0] == 200, START_SECONDS_MAX, "Prometheus is ready")
        except AssertionError:
            self.stop()
            raise

    def api(self, path, **query):
        """The data of an answer that must be a success."""
        code, text = self.ask(f"/api/v1/{path}", **query)
        assert code == 200, f"{path} {query}: {code} {text}"
        return json.loads(text)["data"]

    def now(self, expression):
        """[(labels, value)] at this moment."""
        answer = self.api("query", query=expression)
        assert answer["resultType"] == "vector", f"{expression}: {answer['resultType']}"
        return [(series["metric"], float(series["value"][1])) for series in answer["result"]]

    def over(self, expression, start, end, step=1):
        """[(labels, [(time, value)])] between two times."""
        answer = self.api("query_range", query=expression, start=start, end=end, step=step)
        return [(series["metric"], [(float(at), float(value)) for at, value in series["values"]])
                for series in answer["result"]]


class Alertmanager(_Server):
    """Sends every alert to one webhook, at once."""

    def __init__(self, directory, webhook):
        config = {"route": {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"},
                  "receivers": [{"name": "hook", "webhook_configs": [{"url": webhook}]}]}
        super().__init__(directory, "prometheus-alertmanager", config,
                         f"--storage.path={pathlib.Path(directory) / 'am'}", "--cluster.listen-address=")
