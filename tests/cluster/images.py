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
_APPLETS = ("cat", "dd", "dirname", "grep", "head", "printf", "sed", "sleep", "tail", "tr")


def sandbox(out):
    """The image of a pod's sandbox; returns its archive."""
    made = tree.Tree(out / "sandbox")
    made.program("/usr/bin/busybox", "/usr/bin/busybox")
    archive.write(made.root, out / "sandbox.tar", settings.SANDBOX_IMAGE,
                  {"User": build.USER, "Entrypoint": ["/usr/bin/busybox", "sh", "-c", _SANDBOX]}, 0)
    return out / "sandbox.tar"


def worker(programs, out):
    """Workers: the one of the demo with what a shell needs for it, and `jobrun`."""
    made = tree.Tree(out / "worker")
    made.program("/usr/bin/busybox", "/usr/bin/busybox")
    for applet in _APPLETS:
        made.link(f"usr/bin/{applet}", "busybox")
    # Busybox's date has no microseconds, and its shell would take that one.
    for program in ("curl", "date"):
        made.program(f"/usr/bin/{program}", f"/usr/bin/{program}")
    made.program("/usr/bin/dash", "/usr/bin/sh")
    made.program(pathlib.Path(programs) / "jobrun", "/usr/bin/jobrun")
    made.accounts()
    made.copy(ROOT / "tests/demo/worker.sh", "/usr/bin/worker.sh", 0o755)
    made.copy(ROOT / "tests/cluster/pod.sh", "/usr/bin/pod.sh", 0o755)
    archive.write(made.root, out / "worker.tar", WORKER_IMAGE,
                  {"User": build.USER, "Entrypoint": ["/usr/bin/pod.sh"], "Env": ["PATH=/usr/bin"]}, 0)
    return out / "worker.tar"


def controller(programs, out, *tags):
    """The project's image by each of these tags, the first of them checked; returns the archives."""
    found = build.build(pathlib.Path(programs), out, f"jobrun:{tags[0]}")
    if found:
        raise RuntimeError(f"the image is not fit for use: {json.dumps(found, indent=1)}")
    _, config, _ = archive.read(out / "jobrun.tar")
    for tag in tags[1:]:  # Another image, too: one of the same content would be the same to a node.
        labels = {**config["config"]["Labels"], "jobrun.test/tag": tag}
        archive.write(out / "tree", out / f"{tag}.tar", f"jobrun:{tag}", {**config["config"], "Labels": labels}, 0)
    return [out / "jobrun.tar", *(out / f"{tag}.tar" for tag in tags[1:])]
