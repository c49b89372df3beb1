"""The workers of docs/workers, one per language: what starts each, or why this machine can't."""

import os
import pathlib
import shutil
import subprocess

import kubeserver
import servers

WORKERS = servers.ROOT / "docs" / "workers"
BUILT = pathlib.Path(os.environ.get("JOBRUN_EXAMPLES") or servers.ROOT / "build" / "examples")
BUILD = servers.ROOT / "tests" / "examples" / "build.sh"
_COMMANDS = {
    "python": [BUILT / "python/venv/bin/python", WORKERS / "python/worker.py"],
    "sh": ["sh", WORKERS / "sh/worker.sh"],
    "go": [BUILT / "go/jobrun-worker"],
    "typescript": ["node", BUILT / "typescript/worker/dist/worker.js"],
    # Many start at the same time, and none lives for long.
    "java": ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", BUILT / "java/worker/target/worker.jar"],
}
LANGUAGES = list(_COMMANDS)


def command(language):
    """What starts the worker; skips the test when there is none, or fails it where CI=true."""
    if language == "sh":
        kubectl_folder()
    elif subprocess.run([BUILD, "--check", language], check=False).returncode:
        servers.give_up(f"NO {language} EXAMPLE: it is not built, or not anew; run tests/examples/build.sh {language}")
    return [str(word) for word in _COMMANDS[language]]


def kubectl_folder():
    """Where kubectl is: the one that the tests pin, otherwise the one on the PATH."""
    pinned = kubeserver.bin_dir() / "kubectl"
    found = pinned if pinned.exists() else shutil.which("kubectl")
    if not found:
        servers.give_up(f"NO KUBECTL: neither {pinned} nor one on the PATH; run tests/kube/build.sh")
    return str(pathlib.Path(found).parent)
