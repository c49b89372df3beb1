"""`jobrun` as a process, in a namespace of its own. JOBRUN names the program; without it, the release build's."""

import itertools
import os
import pathlib
import re
import signal
import subprocess
import time

import yaml

from controller import Controller
from rest import MERGE, Rest
from servers import ROOT, jobrun

SECONDS_MAX = 30
_numbers = itertools.count()


def program():
    path = pathlib.Path(os.environ.get("JOBRUN") or ROOT / "build/release/bin/jobrun")
    assert path.exists(), f"{path} is missing: run ./dev build, or name the program in JOBRUN"
    return str(path)


def await_true(what, seconds_max=SECONDS_MAX):
    """Until it is true; returns what it was."""
    deadline = time.monotonic() + seconds_max
    while not (result := what()):
        assert time.monotonic() < deadline, f"not within {seconds_max} s"
        time.sleep(0.02)
    return result


def is_alive(pid):
    """False also for one that has ended and was not reaped."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Wrapper:
    """One `jobrun`, from its start to its end."""

    def __init__(self, arguments, kubeconfig, log, **options):
        self._out, self._err = log.with_suffix(".out"), log.with_suffix(".err")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("POD_", "JOBRUN_"))}
        environment |= {"KUBECONFIG": str(kubeconfig), **options.pop("environment", {})}
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self.process = subprocess.Popen([*options.pop("under", ()), program(), *map(str, arguments)], stdout=out, stderr=err,
                                            stdin=subprocess.DEVNULL, env=environment, start_new_session=True, **options)

    @property
    def out(self):
        return self._out.read_text(errors="replace")

    @property
    def err(self):
        return self._err.read_text(errors="replace")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds_max=SECONDS_MAX):
        return self.process.wait(seconds_max)

    def said(self, text, seconds_max=SECONDS_MAX):
        """Until it stands in what it or its work has printed."""
        await_true(lambda: text in self.out or text in self.err or self.process.poll() is not None, seconds_max)
        assert text in self.out or text in self.err, f"ended with {self.process.poll()}: {self.out}{self.err}"

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()


class Bench:
    def __init__(self, server, directory, title):
        self.server, self.dir = server, directory
        self.namespace = f"{re.sub('[^a-z0-9]+', '-', title.lower())[:50]}-{next(_numbers)}"
        self.rest = Rest(server.kubeconfig)
        self.rest.post("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        self.runs = f"/apis/jobrun.dev/v1/namespaces/{self.namespace}/jobruns"
        self.leases = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"
        self._started = []

    def close(self):
        for each in reversed(self._started):
            each.close() if isinstance(each, Wrapper) else each.kill()
        self.rest.close()

    def create(self, name="r", interval=1, timeout=3, **spec):
        made = self.rest.post(self.runs, jobrun(name, {"heartbeat": {"intervalSeconds": interval, "timeoutSeconds": timeout}, **spec}))
        assert made.code == 201, made
        return made.body

    def run(self, name="r"):
        got = self.rest.get(f"{self.runs}/{name}")
        return got.body if got.code == 200 else None

    def status(self, name="r"):
        return self.run(name).get("status", {})

    def phase(self, name="r"):
        return self.status(name).get("phase", "Pending")

    def await_phase(self, phase, name="r", seconds_max=SECONDS_MAX):
        await_true(lambda: self.phase(name) == phase, seconds_max)
        return self.status(name)

    def patch(self, name="r", **status):
        done = self.rest.request("PATCH", f"{self.runs}/{name}/status", {"status": status}, MERGE)
        assert done.code == 200, done

    def edit(self, name="r", **spec):
        done = self.rest.request("PATCH", f"{self.runs}/{name}", {"spec": spec}, MERGE)
        assert done.code == 200, done

    def jobrun(self, *arguments, kubeconfig=None, **options):
        """Starts it."""
        log = self.dir / f"wrapper-{len(self._started)}"
        wrapper = Wrapper(arguments, kubeconfig or self.server.kubeconfig, log, **options)
        self._started.append(wrapper)
        return wrapper

    def exec(self, *flags, script="sleep 60", name="r", **options):
        """`jobrun exec` of a shell script."""
        return self.jobrun("exec", "-n", self.namespace, "--run", name, *flags, "--", "sh", "-c", script, **options)

    def begun(self, *flags, script="sleep 60", **options):
        """The same, once the work has begun."""
        wrapper = self.exec(*flags, script=f"echo begun $$; {script}", **options)
        wrapper.said("begun")
        return wrapper

    def call(self, *arguments, **options):
        """Runs it to its end; returns it."""
        wrapper = self.jobrun(*arguments, **options)
        wrapper.wait()
        return wrapper

    def controller(self, config="", **options):
        """A controller that looks after this namespace only."""
        path = self.dir / "config.yaml"
        path.write_text(config)
        controller = Controller(self.dir / "controller.log", self.server.kubeconfig, "--namespace", self.namespace,
                                "--leader-election-namespace", self.namespace, "--config", path, **options)
        self._started.append(controller)
        controller.start()
        await_true(controller.ready)
        return controller

    def kubeconfig_through(self, address):
        """The server's kubeconfig with another address in it."""
        config = yaml.safe_load(pathlib.Path(self.server.kubeconfig).read_text())
        for cluster in config["clusters"]:
            cluster["cluster"]["server"] = f"https://{address}"
        path = self.dir / "through.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path
