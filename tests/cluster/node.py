"""One node of a cluster: a set of Linux namespaces with a kubelet in it."""

import ctypes
import os
import pathlib
import signal
import subprocess
import time

import settings

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS_MAX = 10
_CLONE_NEWNET = 0x40000000
_CONTAINERD = "/run/containerd/containerd.sock"


class NodeError(RuntimeError):
    """A node did not do what it was asked; the text carries what it said."""


class Node:
    """Node `index` (from 1) of the cluster in `folder`."""

    def __init__(self, folder, index, bin_dir):
        self.index, self.name, self.address = index, settings.node_name(index), settings.node_address(index)
        self.folder = pathlib.Path(folder) / f"n{index}"
        self._cluster, self._bin = pathlib.Path(folder), bin_dir

    @property
    def pid(self):
        """Of the node's first process, as seen from here."""
        try:
            return int((self.folder / "pid").read_text())
        except FileNotFoundError:
            raise NodeError(f"there is no cluster in {self._cluster}; ./dev cluster up begins one") from None

    def begin(self, nodes, spawn):
        """Starts the first process in new namespaces; it waits there for its network if it is not node 1."""
        (self.folder / "log").mkdir(exist_ok=True)
        path = f"{self._bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        unshare = spawn(["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child",
                         "--propagation", "private", "env", "-i", f"PATH={path}", "HOME=/root",
                         str(HERE / "node_init.sh"), str(self._cluster), str(self.index), self.name, str(nodes)],
                        self.folder / "log" / "init.log")
        children = pathlib.Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
        deadline = time.monotonic() + START_SECONDS_MAX
        while unshare.poll() is None and time.monotonic() < deadline:
            inner = children.read_text().split()
            if inner:
                (self.folder / "pid").write_text(inner[0])
                return
            time.sleep(0.02)
        raise NodeError(f"{self.name} did not start:\n{(self.folder / 'log' / 'init.log').read_text()}")

    def end(self):
        """Ends every process of the node, if it is this cluster's, and returns when they are gone."""
        try:
            pid = self.pid
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if str(HERE / "node_init.sh").encode() not in command or str(self._cluster).encode() not in command:
                return  # The number is somebody else's by now.
            os.kill(pid, signal.SIGKILL)
            while _is_running(pid):
                time.sleep(0.05)
        except (FileNotFoundError, ProcessLookupError, NodeError):
            pass  # It never began, or has ended.

    def plug_in(self, first):
        """The cable from this node to the bridge of the first one."""
        first.run("sh", "-c", "until ip link show nodes; do sleep 0.05; done")
        first.run("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", str(self.pid),
                  namespaces=["--net"])
        first.run("ip", "link", "set", self._cable, "master", "nodes", "up")

    def cut(self, first):
        """Pulls that cable: the node goes on, alone."""
        first.run("ip", "link", "set", self._cable, "down")

    def mend(self, first):
        first.run("ip", "link", "set", self._cable, "up")

    @property
    def _cable(self):
        return f"to-{self.name}"

    def command(self, *arguments, namespaces=("--mount", "--net", "--uts", "--ipc", "--pid")):
        """The command line that runs something in the node."""
        return ["nsenter", f"--target={self.pid}", *namespaces, "--", *arguments]

    def run(self, *arguments, **options):
        """Runs a command in the node and returns what it said; raises when it fails."""
        done = subprocess.run(self.command(*arguments, **options), capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise NodeError(f"{self.name}: {' '.join(arguments)}: {(done.stdout + done.stderr).strip()}")
        return done.stdout

    def add_service(self, name, command):
        """A service that begins with the node."""
        log, pid = self.folder / "log" / f"{name}.log", self.folder / "pids" / name
        for folder in (log.parent, pid.parent, self.folder / "services"):
            folder.mkdir(parents=True, exist_ok=True)
        script = self.folder / "services" / name
        script.write_text(f"#!/bin/sh\necho $$ >{pid}\nexec {' '.join(command)} >>{log} 2>&1\n")
        script.chmod(0o755)

    def stop_service(self, name):
        """SIGKILLs one of the node's services; containers go on."""
        self.run("kill", "-9", (self.folder / "pids" / name).read_text().strip())

    def start_service(self, name):
        self.run("setsid", "--fork", str(self.folder / "services" / name))

    def import_image(self, archive):
        """Makes an image known to the node's containerd."""
        self._ctr("images", "import", "--local", str(archive))

    def signal(self, pod, signal):
        """Sends a signal to the first process of a pod's container. (A command inside would often die with it.)"""
        container = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
        self._ctr("tasks", "kill", "--signal", signal, container)

    def _ctr(self, *arguments):
        return self.run(str(self._bin / "ctr"), "--address", _CONTAINERD, "--namespace", "k8s.io", *arguments)

    def await_containerd(self, seconds):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._ctr("version")
            except NodeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def join_network(self):
        """Moves the calling thread, and what it starts from now on, to the node's network."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/proc/{self.pid}/ns/net", "rb") as namespace:
            if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                raise NodeError(f"can't join the network of {self.name}: {os.strerror(ctypes.get_errno())}")


def _is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
