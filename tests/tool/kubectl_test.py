"""jobrun as a plugin of the real kubectl."""

import pathlib
import subprocess

from kubeserver import bin_dir
from place import environment, program


def test_kubectl_finds_it(place):
    place.create("a", {"lane": "sync"})
    path = f"{pathlib.Path(program()).parent}:/usr/bin:/bin"
    done = subprocess.run([str(bin_dir() / "kubectl"), "jobrun", "list", "-n", place.name], capture_output=True, text=True,
                          timeout=60, env=environment(PATH=path, KUBECONFIG=place.server.kubeconfig), check=False)
    assert done.returncode == 0 and done.stdout.splitlines()[1].split()[:3] == ["a", "Pending", "sync"], done


def test_usage_speaks_of_the_plugin():
    link = pathlib.Path(program()).parent / "kubectl-jobrun"
    done = subprocess.run([link, "--help"], capture_output=True, text=True, timeout=60, env=environment(), check=False)
    assert done.returncode == 0 and "kubectl jobrun" in done.stdout
