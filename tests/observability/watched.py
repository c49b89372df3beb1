"""A controller that a test brings into trouble, and a Prometheus that evaluates the real rules about it, impatiently."""

import itertools
import json

import yaml

import catalogue
from prometheus import Prometheus, eventually
from space import Space

FOR = "2s"
SECONDS_MAX = 60
_NUMBERS = itertools.count(1)  # Each has a namespace of its own on the server that they share.
TARGET = {"namespace": "paging", "job": "jobrun"}
# Nobody waits for the controller's own patience, either; its Lease is taken over and lost in seconds.
CONFIG = {"canary": {"periodSeconds": 1}, "breaker": {"enabled": False}, "watch": {"relistSeconds": 10},
          "leaderElection": {"leaseSeconds": 4, "renewDeadlineSeconds": 3, "retrySeconds": 1}}


def impatient_rules(path):
    """The rules with a short `for`, and nothing else changed."""
    rules = yaml.safe_load(catalogue.RULES.read_text(encoding="utf-8"))
    for alert in rules["groups"][0]["rules"]:
        alert["for"] = FOR
    path.write_text(yaml.safe_dump(rules), encoding="utf-8")
    return path


class Watched:
    """One controller, ready, and a gate between it and the API server. For `with`."""

    def __init__(self, server, directory, *flags, alertmanager=None):
        self.space = Space(server, None, f"trouble-{next(_NUMBERS)}", directory)
        self.prometheus = None
        try:
            self.gate = self.space.gate()
            self.controller = self.space.controller(*flags, kubeconfig=self.gate.kubeconfig, config=CONFIG)
            self.prometheus = Prometheus(directory, {self.controller.metrics_address: TARGET},
                                         [impatient_rules(directory / "rules.yaml")], alertmanager)
            eventually(lambda: self.prometheus.now("jobrun_build_info"), SECONDS_MAX, "the controller is scraped")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.prometheus:
            self.prometheus.stop()
        self.space.close()

    def spoil_configuration(self):
        """What somebody writes to the file of the running controller."""
        (path,) = self.space.dir.glob("config-*.yaml")
        path.write_text(json.dumps({**CONFIG, "lanez": {}}))

    def firing(self):
        """The names of the alerts that fire."""
        return {labels["alertname"] for labels, _ in self.prometheus.now('ALERTS{alertstate="firing"}')}

    def await_firing(self, name):
        eventually(lambda: name in self.firing(), SECONDS_MAX, f"{name} fires; {self.firing()} do")
