"""Alerts on their whole way: a controller in trouble, Prometheus with the rules, Alertmanager, somebody's webhook."""

import http.server
import json
import queue
import threading

import pytest

from prometheus import Alertmanager
from watched import SECONDS_MAX, TARGET, Watched


class Webhook:
    """Keeps what is posted to it."""

    def __init__(self):
        received = self.received = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def next(self, name, status):
        """The next alert of that name and status."""
        while True:
            for alert in self.received.get(timeout=SECONDS_MAX)["alerts"]:
                if (alert["labels"]["alertname"], alert["status"]) == (name, status):
                    return alert

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def webhook():
    webhook = Webhook()
    yield webhook
    webhook.close()


@pytest.fixture
def watched(programs, server, tmp_path, webhook):
    alertmanager = Alertmanager(tmp_path, webhook.url)
    try:
        with Watched(server, tmp_path, alertmanager=alertmanager) as watched:
            assert webhook.received.empty()
            yield watched
    finally:
        alertmanager.stop()


def is_complete(alert, name):
    """It says what it is about, how bad it is and where to read on."""
    assert alert["labels"] == {"alertname": name, "severity": "critical", **TARGET}
    assert alert["annotations"]["runbook_url"] == f"https://jobrun.dev/docs/runbooks/{name}.md"
    assert "paging/jobrun" in alert["annotations"]["description"]


def test_a_controller_that_is_gone_reaches_the_webhook_with_its_runbook(watched, webhook):
    watched.controller.kill()
    is_complete(webhook.next("JobRunControllerDown", "firing"), "JobRunControllerDown")


def test_a_controller_that_loses_its_api_server_is_told_and_told_again_when_it_sees(watched, webhook):
    watched.gate.cut()
    is_complete(webhook.next("JobRunControllerBlind", "firing"), "JobRunControllerBlind")
    watched.gate.heal()
    webhook.next("JobRunControllerBlind", "resolved")
