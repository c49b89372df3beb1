"""A JobRun's life with plain kubectl, on each server."""

import os
import pathlib
import shutil
import subprocess

import kubeserver

SCRIPT = pathlib.Path(__file__).with_name("kubectl_script.sh")
SECONDS_MAX = 180


def kubectl():
    """The kubectl that the tests pin when it was built, otherwise the one on the PATH."""
    pinned = kubeserver.bin_dir() / "kubectl"
    return str(pinned) if pinned.exists() else shutil.which("kubectl")


def test_kubectl_script(server):
    assert kubectl(), "no kubectl: run tests/kube/build.sh or install one"
    done = subprocess.run([SCRIPT, server.kubeconfig], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=SECONDS_MAX, env={**os.environ, "KUBECTL": kubectl()})
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-2000:]
