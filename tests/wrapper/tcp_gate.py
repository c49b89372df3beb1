"""A TCP relay on loopback whose connections can be made to hang: what a lost network looks like to both ends."""

import socket
import threading
import urllib.parse


class TcpGate:
    """Relays to the server of a URL. Half-open connections stay open and carry nothing, for good; those that are made
    afterwards work. While it is cut, new connections hang as well."""

    def __init__(self, url):
        target = urllib.parse.urlsplit(url)
        self._target = (target.hostname, target.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._generation, self._is_cut = 0, False
        self._sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def hang(self):
        """Every connection of now goes dead without a word."""
        self._generation += 1

    def cut(self):
        self.hang()
        self._is_cut = True

    def mend(self):
        self._is_cut = False

    def close(self):
        self._listener.close()
        for each in self._sockets:
            each.close()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(near)
            if self._is_cut:
                continue  # Accepted by the kernel, answered by nobody.
            far = socket.create_connection(self._target)
            self._sockets.append(far)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._relay, args=(source, sink, self._generation), daemon=True).start()

    def _relay(self, source, sink, generation):
        try:
            while data := source.recv(65536):
                if generation != self._generation:
                    continue  # Read, so that the sender notices nothing, and dropped.
                sink.sendall(data)
            if generation == self._generation:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
