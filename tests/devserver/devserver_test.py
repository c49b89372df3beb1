"""What jobrun-devserver adds to the API model: sockets, TLS, authentication, limits, files, flags."""

import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import stat
import subprocess
import sys

import pytest

PROGRAM = os.environ["JOBRUN_DEVSERVER"]
RUNS = "/apis/jobrun.dev/v1/namespaces/default/jobruns"
SECONDS_MAX = 20


class Server:
    """A running dev server."""

    def __init__(self, directory, *flags):
        self.dir = pathlib.Path(directory)
        self.process = subprocess.Popen([PROGRAM, "--dir", str(self.dir), *flags], stdout=subprocess.PIPE, text=True)
        self.ready = self.process.stdout.readline()
        config = (self.dir / "kubeconfig").read_text()
        self.url = config.split('server: "')[1].split('"')[0]
        self.host, _, port = self.url.split("//")[1].rpartition(":")
        self.port = int(port)
        self.token = config.split("token: ")[1].split("}")[0]

    def connect(self, certificate=False):
        host = self.host.strip("[]")
        if self.url.startswith("http:"):
            return http.client.HTTPConnection(host, self.port, timeout=SECONDS_MAX)
        context = ssl.create_default_context(cafile=self.dir / "ca.crt")
        if certificate:
            context.load_cert_chain(self.dir / "client.crt", self.dir / "client.key")
        return http.client.HTTPSConnection(host, self.port, timeout=SECONDS_MAX, context=context)

    def headers(self):
        return {"Authorization": f"Bearer {self.token}", "User-Agent": "test/1"}

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(SECONDS_MAX)
        self.process.stdout.close()
        return code


@pytest.fixture(name="start")
def fixture_start(tmp_path):
    servers = []

    def start(*flags):
        servers.append(Server(tmp_path / f"server-{len(servers)}", *flags))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def ask(connection, method, path, body=None, headers=None):
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer, answer.read()


def test_tells_where_its_kubeconfig_is_and_ends_cleanly(start):
    server = start()
    assert server.ready == f"ready: export KUBECONFIG={server.dir}/kubeconfig\n"
    assert stat.S_IMODE((server.dir / "kubeconfig").stat().st_mode) == 0o600
    assert server.stop() == 0


def test_lets_in_the_token_and_the_client_certificate_and_nobody_else(start):
    server = start()
    assert ask(server.connect(), "GET", RUNS, headers=server.headers())[0].status == 200
    assert ask(server.connect(certificate=True), "GET", RUNS)[0].status == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": server.token}):
        answer, body = ask(server.connect(), "GET", RUNS, headers=headers)
        assert answer.status == 401
        assert json.loads(body)["reason"] == "Unauthorized"
    assert ask(server.connect(), "GET", "/readyz")[0].status == 200


def test_certificate_of_another_authority_is_refused(start):
    server, other = start(), start()
    context = ssl.create_default_context(cafile=server.dir / "ca.crt")
    context.load_cert_chain(other.dir / "client.crt", other.dir / "client.key")
    connection = http.client.HTTPSConnection(server.host, server.port, timeout=SECONDS_MAX, context=context)
    assert ask(connection, "GET", RUNS)[0].status == 401
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger = ssl.create_default_context(cafile=other.dir / "ca.crt")
        http.client.HTTPSConnection(server.host, server.port, context=stranger).connect()


@pytest.mark.parametrize("flags", [("--listen", "[::1]:0"), ("--plain-http",), ("--listen", "[::1]:0", "--plain-http")])
def test_listens_as_told(start, flags):
    server = start(*flags)
    assert ("[::1]" in server.url) == ("[::1]:0" in flags)
    assert ask(server.connect(), "GET", RUNS, headers=server.headers())[0].status == 200


def test_keeps_the_connection_and_dates_every_answer(start):
    server = start()
    connection = server.connect()
    first, _ = ask(connection, "GET", RUNS, headers=server.headers())
    kept = connection.sock
    second, _ = ask(connection, "GET", RUNS + "/none", headers=server.headers())
    assert connection.sock is kept
    assert (first.status, second.status) == (200, 404)
    for answer in (first, second):
        assert answer.headers["Date"].endswith(" GMT")


def test_watch_streams_changes_as_chunks(start):
    server = start()
    watching, writing = server.connect(), server.connect()
    watching.request("GET", RUNS + "?watch=true", headers=server.headers())
    stream = watching.getresponse()
    assert stream.headers["Transfer-Encoding"] == "chunked"
    for name in ("a", "b"):
        run = {"apiVersion": "jobrun.dev/v1", "kind": "JobRun", "metadata": {"name": name}, "spec": {}}
        ask(writing, "POST", RUNS, json.dumps(run), {**server.headers(), "Content-Type": "application/json"})
        event = json.loads(stream.readline())
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", name)


def test_watch_ends_at_its_timeout(start):
    server = start()
    answer, body = ask(server.connect(), "GET", RUNS + "?watch=true&timeoutSeconds=1", headers=server.headers())
    assert (answer.status, body) == (200, b"")


def test_limits(start):
    server = start()
    too_big = b"x" * (3 * 1024 * 1024 + 1)
    assert ask(server.connect(), "POST", RUNS, too_big, server.headers())[0].status == 413
    assert ask(server.connect(), "POST", RUNS, too_big[1:], server.headers())[0].status == 400
    assert ask(server.connect(), "GET", RUNS, headers={**server.headers(), "X": "x" * 65536})[0].status == 431


def test_what_is_not_http_does_not_stop_it(start):
    server = start("--plain-http")
    for noise in (b"\x16\x03\x01\x00\xff", b"GET\r\n\r\n", b"\0" * 100, b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        with socket.create_connection((server.host, server.port), SECONDS_MAX) as raw:
            raw.sendall(noise)
            raw.shutdown(socket.SHUT_WR)
            raw.settimeout(SECONDS_MAX)
            while raw.recv(65536):
                pass
    assert ask(server.connect(), "GET", "/readyz")[0].status == 200


@pytest.mark.parametrize("flags", [("--listen", "here"), ("--listen", "127.0.0.1:x"), ("--bookmark-seconds", "0"),
                                   ("--nonsense",)])
def test_wrong_flags_are_usage_errors(tmp_path, flags):
    done = subprocess.run([PROGRAM, "--dir", str(tmp_path), *flags], capture_output=True, text=True, check=False,
                          timeout=SECONDS_MAX)
    assert done.returncode == 2
    assert done.stderr.strip()


def test_version_is_one_line():
    done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True, timeout=SECONDS_MAX)
    assert done.stdout.startswith("jobrun-devserver ")


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
