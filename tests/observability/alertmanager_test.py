"""Alerts on their whole way: a controller in trouble, Prometheus with the rules, Alertmanager, somebody's webhook."""

import http.server
import json
import queue
import threading

import pytest
import yaml

import catalogue
from prometheus import Alertmanager, Prometheus, eventually
from space import Space

FOR = "2s"
SECONDS_MAX = 60
TARGET = {"namespace": "paging", "job": "jobrun"}


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
def closing():
    """A list of what is closed at the end, last first."""
    things = []
    yield things
    for close in reversed(things):
        close()


def impatient_rules(path):
    """The rules with a short `for`, and nothing else changed."""
    rules = yaml.safe_load(catalogue.RULES.read_text(encoding="utf-8"))
    for alert in rules["groups"][0]["rules"]:
        alert["for"] = FOR
    path.write_text(yaml.safe_dump(rules), encoding="utf-8")
    return path


class Watched:
    """One controller, what it speaks to the API server through, and whoever is told of its troubles."""

    def __init__(self, server, directory, closing):
        space = Space(server, None, TARGET["namespace"], directory)
        closing.append(space.close)
        self.gate = space.gate()
        self.controller = space.controller(kubeconfig=self.gate.kubeconfig, config={"canary": {"periodSeconds": 1}})
        self.webhook = Webhook()
        closing.append(self.webhook.close)
        alertmanager = Alertmanager(directory, self.webhook.url)
        closing.append(alertmanager.stop)
        self.prometheus = Prometheus(directory, {self.controller.metrics_address: TARGET},
                                     [impatient_rules(directory / "rules.yaml")], alertmanager)
        closing.append(self.prometheus.stop)
        eventually(lambda: self.prometheus.now("jobrun_build_info"), SECONDS_MAX, "the controller is scraped")
        assert self.webhook.received.empty()


@pytest.fixture
def watched(programs, server, tmp_path, closing):
    return Watched(server, tmp_path, closing)


def is_complete(alert, name):
    """It says what it is about, how bad it is and where to read on."""
    assert alert["labels"] == {"alertname": name, "severity": "critical", **TARGET}
    assert alert["annotations"]["runbook_url"] == f"https://jobrun.dev/docs/runbooks/{name}.md"
    assert "paging/jobrun" in alert["annotations"]["description"]


def test_a_controller_that_is_gone_reaches_the_webhook_with_its_runbook(watched):
    watched.controller.kill()
    is_complete(watched.webhook.next("JobRunControllerDown", "firing"), "JobRunControllerDown")


def test_a_controller_that_loses_its_api_server_is_told_and_told_again_when_it_sees(watched):
    watched.gate.cut()
    is_complete(watched.webhook.next("JobRunControllerBlind", "firing"), "JobRunControllerBlind")
    watched.gate.heal()
    watched.webhook.next("JobRunControllerBlind", "resolved")
