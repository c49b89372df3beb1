"""A small client of the Kubernetes API: what the demo needs. Standard library only."""

import base64
import dataclasses
import http.client
import json
import re
import ssl
import urllib.parse

RUNS = "/apis/jobrun.dev/v1/namespaces/default/jobruns"
_TIMEOUT_SECONDS = 10


class ApiError(Exception):
    """The server refused a request; the text says which one and why."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Where the server is and how to get in."""

    server: str
    token: str
    authority: str  # certificates in PEM


def read_kubeconfig(path):
    """The Cluster of a kubeconfig that holds just one, as jobrun-devserver writes it."""
    with open(path, encoding="utf-8") as file:
        text = file.read()

    def value_of(key):
        found = re.search(rf"""["']?\b{key}["']?\s*:\s*["']?([^\s"',}}]+)""", text)
        if not found:
            raise ApiError(f"{path}: no {key} in it")
        return found.group(1)

    authority = base64.b64decode(value_of("certificate-authority-data")).decode()
    return Cluster(value_of("server"), value_of("token"), authority)


class Api:
    """Requests to one server, each on a connection of its own."""

    def __init__(self, cluster):
        self._address = urllib.parse.urlsplit(cluster.server)
        self._tls = ssl.create_default_context(cadata=cluster.authority)
        self._headers = {"Authorization": f"Bearer {cluster.token}", "Accept": "application/json",
                         "User-Agent": "jobrun-demo/1"}

    def get(self, path):
        return self._answer("GET", path)

    def post(self, path, body):
        return self._answer("POST", path, body)

    def watch(self, path, version):
        """Yields the watch's events from that resourceVersion on, until the server ends it or is silent for long."""
        query = urllib.parse.urlencode({"watch": "true", "resourceVersion": version})
        connection, answer = self._send("GET", f"{path}?{query}")
        try:
            while line := answer.readline():
                yield json.loads(line)
        finally:
            connection.close()

    def _answer(self, method, path, body=None):
        connection, answer = self._send(method, path, body)
        try:
            return json.load(answer)
        finally:
            connection.close()

    def _send(self, method, path, body=None):
        connection = http.client.HTTPSConnection(self._address.hostname, self._address.port, timeout=_TIMEOUT_SECONDS,
                                                 context=self._tls)
        headers = {**self._headers, **({"Content-Type": "application/json"} if body else {})}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        if answer.status >= 400:
            detail = answer.read().decode(errors="replace")[:500]
            connection.close()
            raise ApiError(f"{method} {path}: {answer.status}: {detail}")
        return connection, answer


def fetch_text(address, path):
    """GET over plain HTTP, as a Prometheus or a kubelet does; returns the code and the body."""
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
