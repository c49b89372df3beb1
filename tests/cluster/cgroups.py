"""The part of the cgroup tree in which a cluster's containers live. The only trace of a cluster outside its folder."""

import os
import pathlib
import time

_ROOT = pathlib.Path("/sys/fs/cgroup")
_GONE_SECONDS_MAX = 10


def create(name, nodes):
    """A group for every node, in every hierarchy."""
    for hierarchy in hierarchies():
        if hierarchy.name == "unified":  # Beside version 1 it has no controllers; the kubelet makes its groups there.
            continue
        for group in (hierarchy / name, *(hierarchy / name / f"n{index}" for index in range(1, nodes + 1))):
            group.mkdir(exist_ok=True)
            if hierarchy.name == "cpuset":  # In version 1 these begin empty, and nothing can run there.
                for file in ("cpuset.cpus", "cpuset.mems"):
                    (group / file).write_text((hierarchy / file).read_text())


def remove(name):
    """Removes them, when what ran there has ended."""
    deadline = time.monotonic() + _GONE_SECONDS_MAX
    while True:
        left = [group for hierarchy in hierarchies() for group in _leaves_first(hierarchy / name)]
        for group in left:
            try:
                group.rmdir()
            except OSError:
                pass  # Something in it is still ending.
        if not any(group.exists() for group in left) or time.monotonic() > deadline:
            return
        time.sleep(0.1)


def hierarchies():
    """Version 1 has one for each controller, version 2 one for all."""
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [path for path in sorted(_ROOT.iterdir()) if path.is_dir() and not path.is_symlink()]


def _leaves_first(group):
    return [pathlib.Path(folder) for folder, _, _ in os.walk(group, topdown=False)]
