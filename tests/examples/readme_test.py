"""The README's two minutes: its commands for a first heartbeat from Python, as they stand there.

`pip install` finds what tests/examples/build.sh has fetched, so that no network is needed while this runs.
"""

import os
import pathlib
import re
import signal
import subprocess

import languages
import servers
from rest import Rest

SECONDS_MAX = 120
_BLOCK = re.compile(r"^<!-- tested: python -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands():
    (block,) = _BLOCK.findall((servers.ROOT / "README.md").read_text())
    return block


def folder_with(program, scratch):
    """A folder that looks like the tree after ./dev build."""
    (scratch / "build/release/bin").mkdir(parents=True)
    (scratch / "build/release/bin/jobrun-devserver").symlink_to(program)
    (scratch / "docs").symlink_to(servers.ROOT / "docs")
    return scratch


def test_its_commands_beat_from_python(tmp_path):
    languages.command("python")
    program = pathlib.Path(os.environ.get("JOBRUN_DEVSERVER") or servers.ROOT / "build/release/bin/jobrun-devserver")
    if not program.exists():
        servers.give_up(f"NO DEV SERVER: {program} is missing; run ./dev build")
    settings = {**os.environ, "PATH": f"{languages.kubectl_folder()}:/usr/bin:/bin", "NO_PROXY": "127.0.0.1",
                "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(languages.BUILT / "python/wheels"),
                "KUBECACHEDIR": str(tmp_path / "cache")}
    log = tmp_path / "log"
    with log.open("wb") as output:
        shell = subprocess.Popen(["bash", "-e", "-c", commands()], cwd=folder_with(program, tmp_path), env=settings,
                                 stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        assert shell.wait(SECONDS_MAX) == 0, log.read_text()
        (kubeconfig,) = tmp_path.glob("build/*/kubeconfig")
        run = Rest(str(kubeconfig)).get("/apis/jobrun.dev/v1/namespaces/default/jobruns/demo").body
        assert (run["status"]["phase"], run["status"]["progress"]) == ("Succeeded", "20/20")
        assert re.search(r"^demo +Succeeded +default ", log.read_text(), re.MULTILINE), log.read_text()
    finally:
        os.killpg(shell.pid, signal.SIGKILL)  # The server that the commands have left in the background.
