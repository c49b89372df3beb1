"""A real Kubernetes API server with its etcd, on loopback, for tests and for trying things by hand.

As a module:     server = KubeServer(); server.start(directory); ...; server.stop()
By hand:         python3 tests/kube/kubeserver.py up DIR      prints `ready: export KUBECONFIG=...`
                 python3 tests/kube/kubeserver.py down DIR

The programs come from tests/kube/build.sh. TLS and RBAC are on. Processes started from a module die with the
thread that started them, also when it is killed; those of `up` live until `down`. Standard library only.
"""

import base64
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pki
from processes import describe_exit, end_process, spawn, stop_process, tail

START_SECONDS_MAX = 90
PORT_ATTEMPTS_MAX = 8
# Below the range from which Linux takes ports for outgoing connections, so that none of them can sit on
# a server's port while that server is down.
PORT_RANGE = (20000, 32767)


class StartError(RuntimeError):
    """The server did not become ready; the message carries the end of its log."""


class PortTaken(StartError):
    """Somebody else listens on a port that was free a moment ago."""


def bin_dir():
    """The folder that tests/kube/build.sh builds into."""
    return pathlib.Path(os.environ.get("JOBRUN_KUBE_BIN") or pathlib.Path.home() / ".cache/jobrun-kube/bin")


def free_port():
    """A loopback port that nobody listens on now; the caller must be ready to lose the race for it."""
    for _ in range(1000):
        port = random.randint(*PORT_RANGE)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise StartError(f"no free port in {PORT_RANGE}")


class KubeServer:
    """One etcd and one kube-apiserver. Data and ports survive kill() and restart()."""

    name = "kube"

    def __init__(self, api_flags=(), die_with_parent=True, etcd_flags=("--unsafe-no-fsync",)):
        self.api_flags = list(api_flags)  # Further kube-apiserver flags, e.g. ["--event-ttl=5m"].
        self.etcd_flags = list(etcd_flags)  # Further flags of etcd. Tests do without the disk.
        self.die_with_parent = die_with_parent
        self.dir = None
        self.version = None  # As the server reports it, e.g. "v1.36.3".
        self.api_port = self.etcd_port = self.peer_port = None
        self._api = self._etcd = None  # subprocess.Popen while running.

    @property
    def kubeconfig(self):
        """Path of a kubeconfig with every right."""
        return str(self.dir / "kubeconfig")

    @property
    def url(self):
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def ca_file(self):
        """Whom its clients have to trust; renew_certificate() changes what is in it."""
        return str(self.dir / "pki" / "trusted.crt")

    @property
    def etcd_url(self):
        """Where etcd answers, its /metrics among others."""
        return f"http://127.0.0.1:{self.etcd_port}"

    @property
    def pids(self):
        """Those of both processes, by program."""
        return {"kube-apiserver": self._api.pid, "etcd": self._etcd.pid}

    @property
    def api_log(self):
        return self.dir / "api.log"

    def start(self, directory):
        """Starts both on an empty store in `directory` and returns when the API server is ready."""
        self.dir = pathlib.Path(directory).resolve()
        self.dir.mkdir(parents=True, exist_ok=True)
        pki.create(self.dir / "pki")
        shutil.copy(self.dir / "pki" / "ca.crt", self.ca_file)
        for _ in range(PORT_ATTEMPTS_MAX):
            self.api_port, self.etcd_port, self.peer_port = free_port(), free_port(), free_port()
            shutil.rmtree(self.dir / "etcd", ignore_errors=True)
            try:
                self._start_etcd()
                self._start_api()
            except PortTaken:
                self.stop()
                continue
            except BaseException:
                self.stop()
                raise
            return self
        raise StartError(f"lost the race for a free port {PORT_ATTEMPTS_MAX} times")

    def stop(self):
        """Ends both processes and removes the data; the logs stay. May be called at any time, also twice."""
        for process in (self._api, self._etcd):
            stop_process(process)
        if self.dir is not None:
            shutil.rmtree(self.dir / "etcd", ignore_errors=True)
        self._api = self._etcd = None

    def kill(self):
        """SIGKILLs the API server; etcd keeps the data."""
        stop_process(self._api, signal.SIGKILL)
        self._api = None

    def restart(self):
        """Starts the API server again (after kill) on the same port and data, with the present api_flags."""
        self.kill()
        self._start_api()

    kill_api, restart_api = kill, restart

    def pause(self):
        """Stops the API server in its tracks: connections stay open and nothing answers."""
        self._api.send_signal(signal.SIGSTOP)

    def resume(self):
        self._api.send_signal(signal.SIGCONT)

    def pause_etcd(self):
        """Stops the store in its tracks: what the API server has in its caches can be read, and nothing else goes on."""
        self._etcd.send_signal(signal.SIGSTOP)

    def resume_etcd(self):
        self._etcd.send_signal(signal.SIGCONT)

    def kill_etcd(self):
        """SIGKILLs the store; its data stay."""
        stop_process(self._etcd, signal.SIGKILL)
        self._etcd = None

    def restart_etcd(self):
        """Starts the store again (after kill_etcd) on the same port and data; returns when the API server has found it."""
        self.kill_etcd()
        self._start_etcd()
        self._await_api()

    def refuse_writes(self):
        """Makes the store read-only, as one that is full: reads, watches and deletions go on, every other write is
        answered 500."""
        self._alarm("ACTIVATE")

    def take_writes(self):
        """Ends refuse_writes()."""
        self._alarm("DEACTIVATE")

    def renew_certificate(self):
        """Another CA vouches for the API server from its next restart() on, and no other does. Clients keep their
        certificates."""
        pki_dir, other = self.dir / "pki", self.dir / "pki" / "other"
        shutil.rmtree(other, ignore_errors=True)
        pki.create(other)
        for name in ("server.crt", "server.key"):
            shutil.copy(other / name, pki_dir)
        shutil.copy(other / "ca.crt", self.ca_file)

    def kubeconfig_for(self, user, groups=()):
        """Path of a kubeconfig whose client certificate names this user; RBAC decides what it may do."""
        path = self.dir / f"kubeconfig-{user}"
        pki.client(self.dir / "pki", user, groups)
        self._write_kubeconfig(path, user)
        return str(path)

    def compact(self):
        """Makes every earlier resourceVersion too old to watch from: compacts etcd, empties the watch cache."""
        text = base64.b64encode(b"compaction").decode()
        revision = self._etcd_call("kv/put", {"key": text, "value": text})["header"]["revision"]
        self._etcd_call("kv/compaction", {"revision": revision, "physical": True})
        self.restart()

    def _alarm(self, action):
        (member,) = self._etcd_call("cluster/member/list", {})["members"]
        self._etcd_call("maintenance/alarm", {"action": action, "memberID": member["ID"], "alarm": "NOSPACE"})

    def _etcd_call(self, method, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.etcd_port}/v3/{method}", data=json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    def _start_etcd(self):
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.etcd_port, self.peer_port))
        self._etcd = self._spawn("etcd", [
            "--data-dir", str(self.dir / "etcd"), *self.etcd_flags, "--log-level", "error",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}"])
        self._await_ready(self._etcd, "etcd", client + "/health", None)

    def _start_api(self):
        pki_dir = self.dir / "pki"
        self._api = self._spawn("kube-apiserver", [
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}", f"--secure-port={self.api_port}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--service-cluster-ip-range=10.0.0.0/24",
            f"--tls-cert-file={pki_dir}/server.crt", f"--tls-private-key-file={pki_dir}/server.key",
            f"--client-ca-file={pki_dir}/ca.crt", "--authorization-mode=RBAC",
            # It refuses every pod in a namespace without the ServiceAccount `default`, which a controller that does not
            # run here would create. Tests create pods in any namespace, and so does the dev server, without admission.
            "--disable-admission-plugins=ServiceAccount",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki_dir}/sa.key", f"--service-account-signing-key-file={pki_dir}/sa.key",
            "--shutdown-delay-duration=0s", *self.api_flags])
        self._write_kubeconfig(self.dir / "kubeconfig", "admin")
        tls = self._await_api()
        with urllib.request.urlopen(self.url + "/version", timeout=10, context=tls) as reply:
            self.version = json.load(reply)["gitVersion"]

    def _await_api(self):
        """Returns what to ask it with."""
        pki_dir = self.dir / "pki"
        tls = ssl.create_default_context(cafile=self.ca_file)
        tls.load_cert_chain(pki_dir / "admin.crt", pki_dir / "admin.key")
        self._await_ready(self._api, "api", self.url + "/readyz", tls)
        self._await_ready(self._api, "api", self.url + "/api/v1/namespaces/default", tls)
        return tls

    def _spawn(self, program, arguments):
        path = bin_dir() / program
        if not path.exists():
            raise StartError(f"{path} is missing: run tests/kube/build.sh")
        label = {"kube-apiserver": "api"}.get(program, program)
        process = spawn([str(path), *arguments], self.dir / f"{label}.log", self.die_with_parent)
        (self.dir / f"{label}.pid").write_text(f"{process.pid}\n")
        return process

    def _await_ready(self, process, label, url, tls):
        log = self.dir / f"{label}.log"
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if process.poll() is not None:
                kind = PortTaken if "address already in use" in tail(log) else StartError
                raise kind(f"{label} {describe_exit(process)}:\n{tail(log)}")
            try:
                with urllib.request.urlopen(url, timeout=2, context=tls) as reply:
                    if reply.status == 200:
                        return
            except (OSError, urllib.error.HTTPError):
                time.sleep(0.1)
        raise StartError(f"{label} not ready after {START_SECONDS_MAX} s:\n{tail(log)}")

    def _write_kubeconfig(self, path, user):
        pki_dir = self.dir / "pki"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": self.ca_file}}],
            "users": [{"name": user, "user": {"client-certificate": f"{pki_dir}/{user}.crt",
                                              "client-key": f"{pki_dir}/{user}.key"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        }, indent=1) + "\n")


def _down(directory):
    """Ends what `up` started, by the recorded process ids and only where they still name our programs."""
    # The API server first: without its etcd it takes a minute to end.
    for label, program in (("api", "kube-apiserver"), ("etcd", "etcd")):
        pid_file = pathlib.Path(directory, f"{label}.pid")
        if pid_file.exists():
            end_process(int(pid_file.read_text()), str(bin_dir() / program))
            pid_file.unlink()


def main(arguments):
    if len(arguments) != 2 or arguments[0] not in ("up", "down"):
        print("usage: kubeserver.py up DIR | down DIR", file=sys.stderr)
        return 2
    if arguments[0] == "down":
        _down(arguments[1])
        return 0
    try:
        server = KubeServer(die_with_parent=False).start(arguments[1])
    except StartError as error:
        print(f"kubeserver.py: {error}", file=sys.stderr)
        return 1
    print(f"ready: export KUBECONFIG={server.kubeconfig}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
