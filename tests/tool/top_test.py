"""jobrun top."""

import os
import pty
import select
import signal
import subprocess

from place import environment, program

ALTERNATE, BACK = b"\x1b[?1049h", b"\x1b[?1049l"


def test_one_picture_for_pipes(place):
    place.claimed("old", {"lane": "sync"}, beat_ago=600, claimed_ago=900)
    place.claimed("new", {"lane": "sync"}, beat_ago=1)
    place.create("waits", {"lane": "batch"})
    place.failed("broken", {"lane": "batch"})
    text = place.said("top", "--once")
    assert text.startswith("4 runs in namespace") and "\x1b" not in text and "still reading" not in text
    rows = [line.split() for line in text.splitlines()]
    assert ["sync", "0", "2", "0", "0", "0"] in rows and ["batch", "1", "0", "0", "1", "0"] in rows
    assert ["(all)", "1", "2", "0", "1", "0"] in rows
    assert text.index(f"{place.name}/old") < text.index(f"{place.name}/new")
    assert f"{place.name}/broken" in text[text.index("Latest failures"):]


def test_only_those_asked_for(place):
    place.create("a", {"lane": "sync"})
    place.create("b", {"lane": "batch"})
    assert place.said("top", "--once", "--lane", "sync").startswith("1 runs of lane sync")


def test_ctrl_c_leaves_the_terminal_as_it_was(place):
    place.claimed("a")
    terminal, inside = pty.openpty()
    process = subprocess.Popen([program(), "top", "--interval", "0.1", "--kubeconfig", place.server.kubeconfig, "-n",
                                place.name], stdin=inside, stdout=inside, env=environment(TERM="xterm"))
    os.close(inside)
    shown = _read_until(terminal, f"{place.name}/a".encode())
    assert shown.startswith(ALTERNATE)
    place.claimed("b")
    _read_until(terminal, f"{place.name}/b".encode())
    process.send_signal(signal.SIGINT)
    assert BACK in _read_until(terminal, BACK)
    assert process.wait(20) == 0
    os.close(terminal)


def _read_until(terminal, part, seconds=20):
    shown = b""
    while part not in shown:
        assert select.select([terminal], [], [], seconds)[0], f"no {part!r} in {shown!r}"
        shown += os.read(terminal, 65536)
    return shown


def test_a_bad_interval_is_told(place):
    done = place.tool("top", "--interval", "0")
    assert done.returncode == 64 and "--interval" in done.stderr
