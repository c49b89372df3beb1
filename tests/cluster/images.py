"""The images of the tests' own pods, made by the tool that makes the project's (manifests/image)."""

import json
import pathlib
import sys

import settings

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "manifests/image"))
import archive  # noqa: E402
import build  # noqa: E402
import tree  # noqa: E402

WORKER_IMAGE = "jobrun.test/worker:1"
# What keeps a pod's namespaces while its containers come and go.
_SANDBOX = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"
_APPLETS = ("cat", "dd", "grep", "head", "kill", "printf", "sed", "sleep", "tail", "tr")


def sandbox(out):
    """The image of a pod's sandbox; returns its archive."""
    made = tree.Tree(out / "sandbox")
    made.program("/usr/bin/busybox", "/usr/bin/busybox")
    archive.write(made.root, out / "sandbox.tar", settings.SANDBOX_IMAGE,
                  {"User": build.USER, "Entrypoint": ["/usr/bin/busybox", "sh", "-c", _SANDBOX]}, 0)
    return out / "sandbox.tar"


def worker(out):
    """A worker: the one of the demo, and what a shell needs for it."""
    made = tree.Tree(out / "worker")
    made.program("/usr/bin/busybox", "/usr/bin/busybox")
    for applet in _APPLETS:
        made.link(f"usr/bin/{applet}", "busybox")
    # Busybox's date has no microseconds, and its shell would take that one.
    for program in ("curl", "date"):
        made.program(f"/usr/bin/{program}", f"/usr/bin/{program}")
    made.program("/usr/bin/dash", "/usr/bin/sh")
    made.accounts()
    made.copy(ROOT / "tests/demo/worker.sh", "/usr/bin/worker.sh", 0o755)
    made.copy(ROOT / "tests/cluster/pod.sh", "/usr/bin/pod.sh", 0o755)
    archive.write(made.root, out / "worker.tar", WORKER_IMAGE,
                  {"User": build.USER, "Entrypoint": ["/usr/bin/pod.sh"], "Env": ["PATH=/usr/bin"]}, 0)
    return out / "worker.tar"


def controller(programs, out, tag):
    """The project's image, by a tag of its own; raises when its checks find anything."""
    found = build.build(pathlib.Path(programs), out, tag)
    if found:
        raise RuntimeError(f"the image is not fit for use: {json.dumps(found, indent=1)}")
    return out / "jobrun.tar"
