"""A plain client of the Kubernetes API that shows codes, headers and bodies as they are."""

import base64
import http.client
import json
import os
import socket
import ssl
import tempfile
import urllib.parse

import yaml

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
_TIMEOUT_SECONDS = 30


class Reply:
    """One answer: `code`, `headers` and the decoded `body`."""

    def __init__(self, code, headers, body):
        self.code, self.headers, self.body = code, headers, body

    @property
    def message(self):
        return self.body.get("message", "") if isinstance(self.body, dict) else str(self.body)

    def __repr__(self):
        return f"<{self.code} {json.dumps(self.body)[:600]}>"


class Rest:
    """Talks to the server of a kubeconfig's current context. One connection, not for several threads."""

    def __init__(self, kubeconfig, user_agent="jobrun-test/1"):
        with open(kubeconfig) as file:
            config = yaml.safe_load(file)
        context = _named(config, "contexts", "context", config["current-context"])
        cluster = _named(config, "clusters", "cluster", context["cluster"])
        user = _named(config, "users", "user", context.get("user")) or {}
        self._address = urllib.parse.urlsplit(cluster["server"])
        self._cluster, self._user = cluster, user
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}
        if "token" in user:
            self._headers["Authorization"] = f"Bearer {user['token']}"
        self._connection = None

    @property
    def url(self):
        return self._address.geturl()

    def request(self, method, path, body=None, content_type="application/json", headers=None):
        """Sends one request on the kept connection and returns its Reply; `body` is made JSON. A read is sent again when
        the server has closed the connection, as it does after a minute and a half without a request."""
        text = None if body is None else json.dumps(body)
        sent = {**self._headers, **({"Content-Type": content_type} if body is not None else {}), **(headers or {})}
        is_kept = self._connection is not None
        try:
            answer, raw = self._exchange(method, path, text, sent)
        except http.client.RemoteDisconnected:
            if not (is_kept and method == "GET"):
                raise
            answer, raw = self._exchange(method, path, text, sent)
        is_json = "json" in answer.headers.get("Content-Type", "")
        return Reply(answer.status, answer.headers, json.loads(raw) if is_json else raw.decode())

    def _exchange(self, method, path, text, headers):
        if self._connection is None:
            self._connection = self._connect(_TIMEOUT_SECONDS)
        try:
            self._connection.request(method, path, text, headers)
            answer = self._connection.getresponse()
            return answer, answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    @staticmethod
    def query(parameters):
        """What follows the path; empty without parameters."""
        return f"?{urllib.parse.urlencode(parameters)}" if parameters else ""

    def get_bytes(self, path, headers=None):
        """What a GET is answered with as it came, also compressed: (headers, bytes)."""
        answer, raw = self._exchange("GET", path, None, {**self._headers, **(headers or {})})
        assert answer.status == 200, raw[:600]
        return answer.headers, raw

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body):
        return self.request("POST", path, body)

    def put(self, path, body):
        return self.request("PUT", path, body)

    def merge(self, path, body, **options):
        return self.request("PATCH", path, body, MERGE, **options)

    def json_patch(self, path, body):
        return self.request("PATCH", path, body, JSON_PATCH)

    def delete(self, path, body=None):
        return self.request("DELETE", path, body)

    def watch(self, path, seconds_max=10, headers=None, **query):
        """A Watch on the list at `path`; next() on it raises TimeoutError after that much silence."""
        return Watch(self._connect(seconds_max), path, {"watch": "true", **query}, {**self._headers, **(headers or {})})

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self, timeout):
        host, port = self._address.hostname, self._address.port
        if self._address.scheme == "https":  # The files are read anew: a CA may have been replaced.
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=_tls_context(self._cluster, self._user))
        return http.client.HTTPConnection(host, port, timeout=timeout)


class Watch:
    """An open watch: an iterator of event dicts, and a context manager that closes it."""

    def __init__(self, connection, path, query, headers):
        self._connection = connection
        connection.request("GET", path + Rest.query(query), headers=headers)
        self._answer = connection.getresponse()
        self.code = self._answer.status

    def body(self):
        """All of the answer, when it is no stream."""
        return json.loads(self._answer.read())

    def read_bytes(self):
        """The next bytes as they come; none at its end."""
        return self._answer.read1(1 << 16)

    def __iter__(self):
        return self

    def __next__(self):
        try:
            line = self._answer.readline()
        except socket.timeout as silence:
            raise TimeoutError("no watch event in time") from silence
        if not line:
            raise StopIteration
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()


def _named(config, kind, content, name):
    return next((entry[content] for entry in config.get(kind) or [] if entry["name"] == name), None)


def _tls_context(cluster, user):
    if cluster.get("insecure-skip-tls-verify"):
        context = ssl._create_unverified_context()
    elif "certificate-authority-data" in cluster:
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
    else:
        context = ssl.create_default_context(cafile=cluster.get("certificate-authority"))
    if "client-certificate-data" in user:
        with tempfile.NamedTemporaryFile() as both:
            both.write(base64.b64decode(user["client-certificate-data"]) + b"\n")
            both.write(base64.b64decode(user["client-key-data"]))
            both.flush()
            context.load_cert_chain(both.name)
    elif "client-certificate" in user:
        context.load_cert_chain(os.path.expanduser(user["client-certificate"]), user["client-key"])
    return context
