"""A namespace, runs in it in whatever state a test wants, and jobrun as somebody at a terminal calls it."""

import datetime
import os
import pathlib
import subprocess

from gate import Gate
from processes import stop_process
from rest import Rest
from servers import ROOT, create_namespace, jobrun

SECONDS_MAX = 60


def program():
    path = pathlib.Path(os.environ.get("JOBRUN_TOOL") or ROOT / "build/release/bin/jobrun")
    assert path.exists(), f"{path} is missing: run ./dev build, or name the program in JOBRUN_TOOL"
    return str(path)


def environment(**variables):
    """That of the process, less what would choose a server or a run for jobrun."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("JOBRUN_", "KUBE", "POD_")) and not name.lower().endswith("_proxy")}
    return {**kept, **variables}


def bare(*arguments, **variables):
    """jobrun without a server."""
    return subprocess.run([program(), *map(str, arguments)], capture_output=True, text=True, timeout=SECONDS_MAX,
                          env=environment(**variables), check=False)


def ago(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Place:
    def __init__(self, server, name, directory):
        self.server, self.name, self.dir = server, name, pathlib.Path(directory)
        self.rest = Rest(server.kubeconfig)
        self.runs = f"/apis/jobrun.dev/v1/namespaces/{name}/jobruns"
        self._gates, self._processes = [], []
        create_namespace(self.rest, name)

    def close(self):
        for process in self._processes:
            stop_process(process)
            process.stdout.close()
        for gate in self._gates:
            gate.close()
        self.rest.close()

    def gate(self):
        gate = Gate(self.server.kubeconfig, self.dir)
        self._gates.append(gate)
        return gate

    # Runs.

    def create(self, name, spec=None, **metadata):
        reply = self.rest.post(self.runs, jobrun(name, spec, **metadata))
        assert reply.code == 201, reply
        return reply.body

    def status(self, name, **status):
        reply = self.rest.merge(f"{self.runs}/{name}/status", {"status": status})
        assert reply.code == 200, reply
        return reply.body

    def claimed(self, name, spec=None, worker="w-1", beat_ago=5, claimed_ago=60, **metadata):
        """A run that a worker has claimed, and beaten for."""
        self.create(name, spec, **metadata)
        self.status(name, phase="Running", claimedBy=worker, claimedAt=ago(claimed_ago))
        return self.status(name, lastHeartbeatAt=ago(beat_ago))

    def failed(self, name, spec=None, **status):
        self.claimed(name, spec)
        return self.status(name, **{"phase": "Failed", "reason": "Broken", "completionTime": ago(1), **status})

    # jobrun.

    def tool(self, *arguments, kubeconfig=None, **variables):
        return bare(*arguments, "--kubeconfig", kubeconfig or self.server.kubeconfig, "-n", self.name, **variables)

    def said(self, *arguments, **options):
        """What it prints, when all is well."""
        done = self.tool(*arguments, **options)
        assert done.returncode == 0, done
        return done.stdout

    def follow(self, *arguments, kubeconfig=None):
        """A jobrun that goes on until the test ends; its output is a pipe."""
        process = subprocess.Popen([program(), *arguments, "--kubeconfig", kubeconfig or self.server.kubeconfig, "-n", self.name],
                                   stdout=subprocess.PIPE, bufsize=0, env=environment())
        self._processes.append(process)
        return process
