"""The controller's binary as a pod of the chart's Deployment would run it: its arguments, configuration and
environment, and for credentials nothing but a token of its service account, bound to its pod."""

import itertools
import pathlib

from controller import Controller

# Replaced: no other test may be in the way of a port, and there is no kubelet that would mount a file.
_OF_THE_MACHINE = ("--config=", "--metrics-bind-address=", "--health-probe-bind-address=", "--metrics-cert-path=")
_numbers = itertools.count(1)


class Replicas:
    """An installed release, and processes in the places of its pods."""

    def __init__(self, cluster, directory, values, release="jobrun", namespace="jobrun-system"):
        self.cluster, self.release, self.namespace = cluster, release, namespace
        self.dir = pathlib.Path(directory)
        cluster.install(release, namespace, values)
        cluster.await_runs()
        self.render = cluster.chart.objects(values, release, namespace)
        self.account = self.render.pod()["spec"]["serviceAccountName"]
        self.running = []

    def start(self, *further_flags):
        """One more replica, ready."""
        name = f"{self.release}-{next(_numbers)}"
        pod = self.cluster.pod(self.namespace, name, self.render.pod())
        self.config_path(name).write_text(self.render.config())
        flags = [each for each in self.render.arguments() if not each.startswith(_OF_THE_MACHINE)]
        replica = Controller(
            self.dir / f"{name}.log", self.cluster.kubeconfig(self.namespace, self.account, pod),
            "--config", self.config_path(name), *flags, *further_flags,
            environment={"POD_NAME": name, "POD_NAMESPACE": self.namespace, "POD_UID": pod["metadata"]["uid"]})
        replica.pod = pod
        self.running.append(replica)
        return replica.start().await_ready()

    def config_path(self, name):
        return self.dir / f"{name}.yaml"

    def logs(self):
        return "\n".join(f"--- {each.log_path}\n{each.log}" for each in self.running)

    def close(self):
        for each in self.running:
            each.kill()
