#!/usr/bin/env python3
"""A real Kubernetes cluster of two nodes on this machine, without a container engine: its pods are real containers.

  cluster.py up [DIR]               builds what is missing, starts, and returns when everything is ready; a cluster
                                    that is there is ended first
  cluster.py down [DIR]             ends it and removes DIR; also what a failed `up` left
  cluster.py import DIR FILE…       makes images (docker-archives) known to both nodes; nothing is ever pulled
  cluster.py kubectl|helm DIR …     these programs, in the cluster's network
  cluster.py node DIR INDEX …       a command in a node

DIR (default build/cluster) names the cluster: there may be several. Every node is a set of namespaces, so the machine's
own network, mounts and sysctls are not touched. Needs root on Debian 12. Outside DIR it makes cgroups, which `down`
removes, and the folders /var/lib/kubelet and /var/lib/cni, where they are missing, which stay empty.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "kube"))

import cgroups  # noqa: E402
import images  # noqa: E402
import kubeserver  # noqa: E402
import node  # noqa: E402
import pki  # noqa: E402
import processes  # noqa: E402
import settings  # noqa: E402

NODES = 2
READY_SECONDS_MAX = 120
NO_GO_EXIT_CODE = 3  # Of tests/kube/build.sh.
_MARK = "jobrun-cluster"  # A file in the folder of each.
# Programs of the machine that the nodes run, and the Debian packages that have them.
_TOOLS = {"/usr/sbin/runc": "runc", "/usr/sbin/nft": "nftables", "/usr/sbin/conntrack": "conntrack",
          "/usr/lib/cni/ptp": "containernetworking-plugins", "/usr/bin/busybox": "busybox-static",
          "/usr/bin/curl": "curl", "/usr/sbin/ip": "iproute2", "/usr/bin/openssl": "openssl"}


class Unavailable(Exception):
    """This machine can't run a cluster; the text says why and what to do."""


class Cluster:
    """The cluster of one folder. up() on a folder ends the cluster that was there."""

    def __init__(self, folder, die_with_parent=True):
        self.folder = pathlib.Path(folder).resolve()
        self.bin = kubeserver.bin_dir()
        self.nodes = [node.Node(self.folder, index, self.bin) for index in range(1, NODES + 1)]
        self.kubeconfig = str(self.folder / "admin.kubeconfig")  # With every right; of use in the nodes' network only.
        self._die_with_parent = die_with_parent
        self._cgroup = f"jobrun-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:10]}"

    # Up and down.

    def up(self):
        """Starts everything and returns when pods can run. A failure leaves only the folder, for its logs."""
        require(self.bin)
        self.down()
        self._write(_MARK, "")
        try:
            self._write_files()
            cgroups.create(self._cgroup, NODES)
            for each in self.nodes:
                each.begin(NODES, lambda command, log: processes.spawn(command, log, self._die_with_parent))
            for each in self.nodes[1:]:
                each.plug_in(self.nodes[0])
            self._await_ready()
        except BaseException:
            self.end()
            raise
        return self

    def end(self):
        """Ends every process of the cluster; its folder stays."""
        for each in self.nodes:
            each.end()
        cgroups.remove(self._cgroup)

    def down(self):
        """Ends it and removes its folder. Does nothing where there is none; refuses a folder that is no cluster's."""
        if not self.folder.exists():
            cgroups.remove(self._cgroup)
            return
        if not (self.folder / _MARK).exists() and any(self.folder.iterdir()):
            raise node.NodeError(f"{self.folder} is no cluster's and is left alone; name another folder, or remove it")
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():
            raise node.NodeError(f"can't remove {self.folder}")

    def _write_files(self):
        secrets = self.folder / "pki"
        pki.create(secrets, settings.API_NAMES)
        pki.client(secrets, "kubelet-client", ["system:masters"])
        for user in settings.CLIENTS:
            pki.client(secrets, user)
        for each in self.nodes:
            pki.server(secrets, f"kubelet-{each.index}", f"/O=system:nodes/CN=system:node:{each.name}",
                       [f"DNS:{each.name}", f"IP:{each.address}"])
            self._write_node(each)
        for user in ("admin", *settings.CLIENTS, *(f"kubelet-{each.index}" for each in self.nodes)):
            self._write(f"{user}.kubeconfig", settings.kubeconfig(secrets, user))
        self._write("Corefile", settings.corefile(self.folder))
        for name, command in settings.control_plane(self.folder).items():
            self.nodes[0].add_service(name, [str(self.bin / command[0]), *command[1:]])

    def _write_node(self, each):
        for name, text in settings.node_files(self.folder, each.index, self._cgroup).items():
            self._write(f"n{each.index}/{name}", text)
        for name, command in settings.node_services(self.folder, each.index).items():
            each.add_service(name, [str(self.bin / command[0]), *command[1:]])

    def _write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _await_ready(self):
        self._await("the API server is ready", "get", "--raw=/readyz")
        sandbox = images.sandbox(self.folder)
        for each in self.nodes:
            each.await_containerd(READY_SECONDS_MAX)
            each.import_image(sandbox)
        self.apply(*settings.dns_objects())
        for each in self.nodes:
            self._await(f"{each.name} is registered", "get", "node", each.name)
        self._await("all nodes are ready", "wait", "--for=condition=Ready", "node", "--all", "--timeout=5s")
        self._await("there is a service account", "get", "--namespace=default", "serviceaccount", "default")
        deadline = time.monotonic() + READY_SECONDS_MAX
        name = "kubernetes.default.svc.cluster.local"
        lookup = self.nodes[-1].command("busybox", "nslookup", name, settings.DNS_ADDRESS)
        while subprocess.run(lookup, capture_output=True, check=False).returncode != 0:
            if time.monotonic() > deadline:
                raise node.NodeError(f"names are not resolved after {READY_SECONDS_MAX} s")
            time.sleep(0.2)

    def _await(self, what, *arguments):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            try:
                return self.kubectl(*arguments)
            except node.NodeError as error:
                if time.monotonic() > deadline:
                    raise node.NodeError(f"not after {READY_SECONDS_MAX} s: {what}: {error}") from error
                time.sleep(0.2)

    # In use.

    def client(self, program, *arguments):
        """The command line of kubectl or helm in the cluster's network."""
        return self.nodes[0].command("env", f"KUBECONFIG={self.kubeconfig}", str(self.bin / program), *arguments,
                                     namespaces=["--net"])

    def kubectl(self, *arguments, stdin=None):
        return self._call("kubectl", arguments, stdin)

    def helm(self, *arguments):
        return self._call("helm", arguments)

    def apply(self, *objects):
        """Creates or changes objects."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        return self.kubectl("apply", "--filename=-", stdin=text)

    def import_images(self, *archives):
        for each in self.nodes:
            for archive in archives:
                each.import_image(pathlib.Path(archive).resolve())

    def signal(self, pod, signal):
        """Sends a signal to the first process of a pod's container."""
        next(each for each in self.nodes if each.name == pod["spec"]["nodeName"]).signal(pod, signal)

    def join_network(self):
        """The calling thread sees the addresses of nodes, pods and services from now on, and no others."""
        self.nodes[0].join_network()

    def _call(self, program, arguments, stdin=None):
        done = subprocess.run(self.client(program, *arguments), input=stdin if stdin is not None else "", text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            raise node.NodeError(f"{program} {' '.join(arguments)}: {(done.stdout + done.stderr).strip()}")
        return done.stdout


def require(bin_dir):
    """Builds the programs of a cluster if needed; raises Unavailable when this machine can't run one."""
    if os.geteuid() != 0:
        raise Unavailable("NO CLUSTER: it needs root, for namespaces, cgroups and mounts")
    missing = sorted({package for tool, package in _TOOLS.items() if not pathlib.Path(tool).exists()})
    if missing:
        raise Unavailable(f"NO CLUSTER: run ./dev setup, or: apt-get install {' '.join(missing)}")
    built = subprocess.run([ROOT / "tests/kube/build.sh", "cluster"], stderr=subprocess.PIPE, text=True, check=False,
                           env={**os.environ, "JOBRUN_KUBE_BIN": str(bin_dir)})
    if built.returncode == NO_GO_EXIT_CODE:
        raise Unavailable(built.stderr.strip().replace("NO REAL API SERVER", "NO CLUSTER"))
    if built.returncode != 0:
        raise node.NodeError(f"tests/kube/build.sh cluster failed:\n{built.stderr[-2000:]}")


def _up(cluster, _):
    cluster.up()
    print(f"ready: ./dev cluster kubectl {cluster.folder} get nodes    (its kubeconfig: {cluster.kubeconfig})")
    return 0


def _down(cluster, _):
    cluster.down()
    return 0


def _import(cluster, archives):
    cluster.import_images(*archives)
    return 0


def _kubectl(cluster, arguments):
    return subprocess.call(cluster.client("kubectl", *arguments))


def _helm(cluster, arguments):
    return subprocess.call(cluster.client("helm", *arguments))


def _node(cluster, arguments):
    if arguments[0] not in [str(each.index) for each in cluster.nodes]:
        raise node.NodeError(f"there is no node '{arguments[0]}'; expected 1 to {NODES}")
    return subprocess.call(cluster.nodes[int(arguments[0]) - 1].command(*arguments[1:]))


# Verb -> what it does, and how many words must and may follow it.
_VERBS = {"up": (_up, 0, 1), "down": (_down, 0, 1), "import": (_import, 2, 1000), "kubectl": (_kubectl, 1, 1000),
          "helm": (_helm, 1, 1000), "node": (_node, 3, 1000)}


def main(arguments):
    verb, words_min, words_max = _VERBS.get(arguments[0] if arguments else "", (None, 0, 0))
    if verb is None or not words_min <= len(arguments) - 1 <= words_max:
        print(__doc__, file=sys.stderr)
        return 2
    cluster = Cluster(arguments[1] if len(arguments) > 1 else ROOT / "build/cluster", die_with_parent=False)
    try:
        return verb(cluster, arguments[2:])
    except (node.NodeError, OSError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 77


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
