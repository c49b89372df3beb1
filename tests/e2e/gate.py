"""A gate between one controller and its API server: holds, loses, refuses and changes what passes through it.

It is an HTTP proxy on loopback; behind it, it speaks to the server with the rights of the kubeconfig it was given.
Canaries and the election's Lease pass through it too, and it cuts them off like everything else; but nobody catches,
counts or refuses those by accident. Standard library only.
"""

import http.client
import http.server
import json
import pathlib
import socket
import ssl
import threading

import pki
from canaries import is_about_them
from rest import Rest

FORWARD, LOSE, LOSE_ANSWER, CUT_ANSWER = "forward", "lose", "lose the answer", "cut the answer short"
HELD_SECONDS_MAX = 60
_WATCH_SECONDS_MAX = 600
_ASKED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_ANSWERED = ("Content-Type", "Content-Encoding", "Date", "Retry-After")


class Caught:
    """The next request that matches; it is held until somebody says what becomes of it."""

    def __init__(self):
        self.body = None  # Decoded, once it has arrived.
        self._arrived, self._decided, self._answered = threading.Event(), threading.Event(), threading.Event()
        self._fate, self._code = FORWARD, None

    def arrived(self, seconds):
        return self._arrived.wait(seconds)

    def wait(self, seconds=20):
        assert self._arrived.wait(seconds), f"no such request within {seconds} s"
        return self

    def forward(self):
        """To the server, and its answer back; returns the answer's code."""
        self._decide(FORWARD)
        assert self._answered.wait(HELD_SECONDS_MAX), "the server did not answer"
        return self._code

    def lose(self):
        """The server never sees it."""
        self._decide(LOSE)

    def lose_answer(self):
        """The server carries it out, and the connection ends instead of an answer."""
        self._decide(LOSE_ANSWER)

    def _decide(self, fate):
        self._fate = fate
        self._decided.set()

    def hold(self, body):
        self.body = json.loads(body) if body else None
        self._arrived.set()
        self._decided.wait(HELD_SECONDS_MAX)
        return self._fate

    def note(self, code):
        self._code = code
        self._answered.set()


class Answer:
    """What the gate answers itself: an API error."""

    def __init__(self, code, message, headers=None, **more):
        self.code, self.headers = code, {"Content-Type": "application/json", **(headers or {})}
        self.content = _status(code, message, more)


class Cut(Exception):
    """The connection ends here, in the middle of an answer."""


class Fault:
    """What may be wrong with everything that passes a gate. This one is nothing; faults.py has those that are something.
    Called by the threads of all connections."""

    def before(self, method, path):
        """What becomes of a request that the server has not seen yet: FORWARD, LOSE or an Answer."""
        return FORWARD

    def after(self, method, path):
        """The same when the server has carried it out: FORWARD, LOSE_ANSWER, CUT_ANSWER or an Answer."""
        return FORWARD

    def is_last(self):
        """Whether the connection ends after an answer, which says so."""
        return False

    def pieces(self, path, lines):
        """The lines of a watch as the bytes in which they are sent. May raise Cut."""
        yield from lines


class Gate:
    """Open from the start. `listening=False`: connections are refused until listen(). `pki_dir`: HTTPS, with a
    certificate from there. `fault`: what is wrong with it."""

    def __init__(self, upstream, directory, listening=True, pki_dir=None, fault=Fault()):
        self.upstream = upstream  # A kubeconfig.
        self.fault = fault
        self.flowing = threading.Event()  # Cleared: watches are silent, their events wait.
        self.flowing.set()
        self._lock = threading.Lock()
        self.packed = 0  # Answers that the server has packed.
        self._cut = self._listening = False
        self._rules, self._catches, self._rewrites, self._connections = [], [], [], set()
        self._numbered, self.writes = {}, 0  # Requests so far that change an object; Events and canaries don't count.
        self._server = _Server(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self._server.gate = self
        self._server.server_bind()
        self.url = f"{'https' if pki_dir else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        if pki_dir:
            self._serve_tls(pathlib.Path(pki_dir))
        self.kubeconfig = write_kubeconfig(pathlib.Path(directory) / "gate.kubeconfig", self.url)
        if listening:
            self.listen()

    def _serve_tls(self, directory):
        pki.create(directory)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(directory / "server.crt", directory / "server.key")
        self._server.tls = tls

    def listen(self):
        self._listening = True
        self._server.server_activate()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def catch(self, method, part):
        """Holds the next request of that method whose path has that part."""
        caught = Caught()
        with self._lock:
            self._catches.append((method, part, caught))
        return caught

    def catch_write(self, number):
        """Holds the number-th request that changes an object, counted from 1."""
        caught = Caught()
        with self._lock:
            self._numbered[number] = caught
        return caught

    def refuse(self, code, message, when=lambda method, path, headers: True, canaries=False):
        """Answers such requests with an API error until the function that it returns is called; with `canaries` also
        those about canaries and the election."""
        rule = (when, code, message, canaries)
        with self._lock:
            self._rules.append(rule)
        self.end_connections()  # Also of the watches that are open.
        return lambda: self._rules.remove(rule)

    def rewrite(self, old, new):
        """Replaces these bytes in whatever the controller reads."""
        self._rewrites.append((old, new))

    def cut(self):
        self._cut = True
        self.end_connections()

    def heal(self):
        self._cut = False

    def end_connections(self):
        with self._lock:
            for connection in self._connections:
                _end(connection)

    def close(self):
        self.cut()
        self.flowing.set()
        if self._listening:
            self._server.shutdown()  # First: the loop would spin on a socket that is closed.
        self._server.server_close()

    # What the handlers ask, each in its own thread.

    def admit(self, connection):
        with self._lock:
            self._connections.add(connection)
        return not self._cut

    def forget(self, connection):
        with self._lock:
            self._connections.discard(connection)

    def take_catch(self, method, path):
        with self._lock:
            if method != "GET" and "/events" not in path:
                self.writes += 1
                if self.writes in self._numbered:
                    return self._numbered.pop(self.writes)
            for entry in self._catches:
                if entry[0] == method and entry[1] in path:
                    self._catches.remove(entry)
                    return entry[2]
        return None

    def refusal(self, request, about_canaries):
        """The Answer to a request that is refused; None for others. `request`: method, path and headers."""
        return next((Answer(code, message) for when, code, message, canaries in list(self._rules)
                     if (canaries or not about_canaries) and when(*request)), None)

    def rewritten(self, content):
        for old, new in self._rewrites:
            content = content.replace(old, new)
        return content


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    gate = tls = None

    def handle_error(self, request, client_address):
        pass  # A cut connection is no news.


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # What is sent in pieces arrives in pieces.

    def setup(self):
        if self.server.tls:  # In the thread of the connection: a handshake that fails is only its own.
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()
        self.upstream = _Upstream(self.server.gate.upstream)

    def handle(self):
        try:
            if self.server.gate.admit(self.connection):
                super().handle()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            self.server.gate.forget(self.connection)
            self.upstream.close()

    def serve(self):
        gate, method = self.server.gate, self.command
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        about_canaries = is_about_them(self.path, body)
        refusal = gate.refusal((method, self.path, self.headers), about_canaries)
        if refusal:
            return self.tell(refusal)
        caught = None if about_canaries else gate.take_catch(method, self.path)
        if caught:
            fate = caught.hold(body)
            self.upstream.close()  # The server may have been restarted meanwhile.
        else:
            fate = gate.fault.before(method, self.path)
        if fate == LOSE:
            return self.hang_up()
        if isinstance(fate, Answer):
            return self.tell(fate)
        asked = {key: self.headers[key] for key in _ASKED if self.headers[key]}
        reply = self.upstream.ask(method, self.path, body, asked)
        if caught:
            caught.note(reply.status)
        if reply.headers.get("Content-Encoding") == "gzip":
            gate.packed += 1
        if "watch=" in self.path and reply.status == 200:
            return self.stream(reply)
        content = gate.rewritten(reply.read())
        fate = fate if caught else gate.fault.after(method, self.path)
        if fate == LOSE_ANSWER:
            return self.hang_up()
        if isinstance(fate, Answer):
            return self.tell(fate)
        sent = len(content) // 2 if fate == CUT_ANSWER else len(content)
        self.answer(reply.status, reply.headers, content, sent)
        return self.hang_up() if fate == CUT_ANSWER else None

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def tell(self, answer):
        self.answer(answer.code, answer.headers, answer.content)

    def answer(self, code, headers, content, sent=None):
        """`sent`: only so many of its bytes, though it says all of its length."""
        self.begin(code, headers)
        self.send_header("Content-Length", str(len(content)))
        if self.server.gate.fault.is_last():
            self.send_header("Connection", "close")  # Closes it too, when the answer is out.
        self.end_headers()
        self.wfile.write(content[:sent])

    def stream(self, reply):
        self.begin(reply.status, reply.headers)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for piece in self.server.gate.fault.pieces(self.path, self.lines(reply)):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        except Cut:
            return self.hang_up()
        return self.wfile.write(b"0\r\n\r\n")

    def lines(self, reply):
        for line in iter(reply.readline, b""):
            self.server.gate.flowing.wait()
            yield self.server.gate.rewritten(line)

    def begin(self, code, headers):
        self.send_response_only(code)
        for key in _ANSWERED:
            if headers.get(key):
                self.send_header(key, headers[key])

    def hang_up(self):
        self.close_connection = True
        _end(self.connection)

    def log_message(self, *_):
        pass


class _Upstream(Rest):
    """The server behind the gate, answers not decoded."""

    def ask(self, method, path, body, headers):
        if self._connection is None:
            self._connection = self._connect(_WATCH_SECONDS_MAX)
        self._connection.request(method, path, body or None, {**self._headers, **headers})
        return self._connection.getresponse()


def write_kubeconfig(path, url, cluster=None, user=None):
    """A kubeconfig for that address; `cluster` and `user` are what it says beyond."""
    path.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url, **(cluster or {})}}],
        "users": [{"name": "test", "user": user or {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}))
    return str(path)


def _status(code, message, more):
    reason = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 410: "Expired", 429: "TooManyRequests",
              504: "Timeout"}.get(code, "InternalError")
    return json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
                       "reason": reason, "message": message, **more}).encode()


def _end(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
