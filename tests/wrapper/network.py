"""A network namespace, joined to this machine by a cable that can be cut: packets are then dropped without a word.

Needs root, iproute2 and nftables; on this machine itself it adds one interface, with an address for benchmarks (RFC 2544).
"""

import ipaddress
import os
import subprocess

_NETWORKS = ipaddress.ip_network("198.18.0.0/15")
_CUT = """
table inet cut {
  chain input { type filter hook input priority 0; policy drop; }
  chain output { type filter hook output priority 0; policy drop; }
}
"""


class Unavailable(Exception):
    """This machine, or this user, can't make network namespaces; the text says why."""


class Network:
    """`address` is this machine's end of the cable; what is started `under` it reaches nothing else."""

    def __init__(self):
        self.name = f"jobrun-{os.getpid()}"
        self.under = ("ip", "netns", "exec", self.name)
        first = _NETWORKS.network_address + 4 * (os.getpid() % 2**14)
        self.address, inside = str(first + 1), str(first + 2)
        _run("ip", "netns", "add", self.name)
        try:
            _run("ip", "link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", self.name)
            _run("ip", "address", "add", f"{self.address}/30", "dev", self.name)
            _run("ip", "link", "set", self.name, "up")
            _run("ip", "-n", self.name, "address", "add", f"{inside}/30", "dev", "eth0")
            _run("ip", "-n", self.name, "link", "set", "eth0", "up")
            self.cut()
            self.mend()
        except Unavailable:
            self.close()
            raise

    def cut(self):
        _run(*self.under, "nft", "-f", "-", text=_CUT)

    def mend(self):
        _run(*self.under, "nft", "delete", "table", "inet", "cut")

    def close(self):
        _run("ip", "netns", "delete", self.name)  # And with it both ends of the cable.


def _run(*command, text=""):
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    try:
        done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError as missing:
        raise Unavailable(f"{missing.filename} is missing; run ./dev setup") from None
    if done.returncode:
        raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()}")
