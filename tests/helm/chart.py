"""The chart as helm renders it."""

import json
import subprocess

import yaml

from kubeserver import bin_dir
from servers import NO_GO_EXIT_CODE, ROOT

CHART = ROOT / "helm" / "jobrun"
VARIANTS = ROOT / "tests" / "helm" / "variants"
# The helm of tests/kube/build.sh is not told by its linker which Kubernetes it is for.
KUBE_VERSION = "1.36.3"
HELM_SECONDS_MAX = 120
RELEASE, NAMESPACE = "jobrun", "jobrun-system"


class NoHelm(Exception):
    """This machine can't build helm and helm-unittest; the text says what to do."""


class Chart:
    """Renders the chart. `values` are nested dicts, or the name of a file in variants/."""

    def __init__(self):
        build = subprocess.run([ROOT / "tests/kube/build.sh", "helm", "untt"], stderr=subprocess.PIPE, text=True, check=False)
        if build.returncode == NO_GO_EXIT_CODE:
            raise NoHelm(build.stderr.strip())
        assert build.returncode == 0, build.stderr

    def helm(self, *arguments, kubeconfig="/dev/null", values=None):
        """Runs helm; returns the finished process."""
        command = [str(bin_dir() / "helm"), "--kubeconfig", str(kubeconfig), *map(str, arguments)]
        if values is not None:
            command += ["--values", "-"]
        return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True,
                              timeout=HELM_SECONDS_MAX, check=False)

    @staticmethod
    def unittest(*arguments):
        """Runs helm-unittest; returns the finished process."""
        return subprocess.run([str(bin_dir() / "untt"), *map(str, arguments)], capture_output=True, text=True,
                              timeout=HELM_SECONDS_MAX, check=False)

    def text(self, values=None, release=RELEASE, namespace=NAMESPACE):
        done = self._template(values, release, namespace)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refusal(self, values):
        """What helm says when it refuses these values."""
        done = self._template(values, RELEASE, NAMESPACE)
        assert done.returncode != 0, f"not refused: {values}"
        return done.stderr

    def objects(self, values=None, release=RELEASE, namespace=NAMESPACE):
        """What the chart makes, as a Render."""
        return Render(self.text(values, release, namespace))

    def _template(self, values, release, namespace):
        return self.helm("template", release, CHART, "--namespace", namespace, "--kube-version", KUBE_VERSION,
                         values=self.values(values))

    @staticmethod
    def values(given):
        return yaml.safe_load((VARIANTS / f"{given}.yaml").read_text()) if isinstance(given, str) else given or {}


class Render:
    """The objects of one render."""

    def __init__(self, text):
        self.text = text
        self.objects = [each for each in yaml.safe_load_all(text) if each]

    def kinds(self):
        return sorted({each["kind"] for each in self.objects})

    def all(self, kind):
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind, name=None):
        (found,) = [each for each in self.all(kind) if name in (None, each["metadata"]["name"])]
        return found

    def pod(self):
        return self.one("Deployment")["spec"]["template"]

    def container(self):
        return self.pod()["spec"]["containers"][0]

    def arguments(self):
        return self.container()["args"]

    def config(self):
        """The controller's configuration file, as a text."""
        return self.one("ConfigMap", self.one("Deployment")["metadata"]["name"])["data"]["config.yaml"]
