"""The cluster itself: it comes up, it leaves nothing, and it keeps its hands off what is not its own."""

import os
import pathlib
import subprocess
import sys

import pytest

import cgroups
import cluster as clusters
import node
import settings

TOOL = pathlib.Path(clusters.__file__)


def run(*arguments, **options):
    command = [sys.executable, TOOL, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def traces(cluster):
    """What is left of a cluster outside its folder: processes and cgroups."""
    commands = pathlib.Path("/proc").glob("[0-9]*/cmdline")
    found = [path.parent.name for path in commands if _mentions(path, cluster.folder)]
    return found + [str(path / cluster._cgroup) for path in cgroups.hierarchies() if (path / cluster._cgroup).exists()]


def _mentions(path, folder):
    try:
        return str(folder).encode() in path.read_bytes() and int(path.parent.name) not in (os.getpid(), os.getppid())
    except OSError:
        return False  # It has ended.


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    cluster = clusters.Cluster(tmp_path_factory.mktemp("clusters") / "one")
    yield cluster.up()
    cluster.down()


def test_it_has_two_nodes_that_are_ready(running):
    said = running.kubectl("get", "nodes", "--no-headers")
    assert [line.split()[:2] for line in said.splitlines()] == [[each.name, "Ready"] for each in running.nodes]


def test_the_machine_keeps_its_sysctls_and_its_network(running):
    links = subprocess.run(["ip", "-oneline", "link"], capture_output=True, text=True, check=True).stdout
    assert "nodes" not in links and "to-node" not in links
    assert "nodes:" in running.nodes[0].run("ip", "-oneline", "link")
    inside = running.nodes[0].run("cat", "/proc/sys/kernel/panic").strip()
    assert inside == "10" != pathlib.Path("/proc/sys/kernel/panic").read_text().strip()


def test_a_cable_can_be_cut_and_mended(running):
    first, second = running.nodes
    ping = ["busybox", "ping", "-c", "1", "-W", "1"]
    second.cut(first)
    with pytest.raises(node.NodeError):
        second.run(*ping, settings.API_ADDRESS)
    second.mend(first)
    second.run(*ping, "-w", "5", settings.API_ADDRESS)


def test_one_that_fails_leaves_nothing_and_does_not_touch_the_other(running, tmp_path, monkeypatch):
    """Its containerd ends at once."""
    for program in running.bin.iterdir():
        (tmp_path / "bin" / program.name).parent.mkdir(exist_ok=True)
        (tmp_path / "bin" / program.name).symlink_to(program)
    (tmp_path / "bin/containerd").unlink()
    (tmp_path / "bin/containerd").symlink_to("/bin/false")
    monkeypatch.setattr(clusters, "require", lambda bin_dir: None)
    monkeypatch.setattr(clusters, "READY_SECONDS_MAX", 8)
    monkeypatch.setenv("JOBRUN_KUBE_BIN", str(tmp_path / "bin"))
    other = clusters.Cluster(tmp_path / "other")
    with pytest.raises(node.NodeError, match="containerd"):
        other.up()
    assert traces(other) == []
    assert (other.folder / "n1/log/apiserver.log").stat().st_size > 0  # What it said stays.
    other.down()
    assert not other.folder.exists()
    assert traces(running) and running.kubectl("get", "--raw=/readyz") == "ok"


def test_down_leaves_nothing(running):
    assert traces(running)
    running.down()
    assert traces(running) == [] and not running.folder.exists()
    running.down()  # A second time is fine.


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").touch()
    for verb in ("down", "up"):
        done = run(verb, tmp_path)
        assert done.returncode == 1 and f"{tmp_path} is no cluster's" in done.stderr
    assert (tmp_path / "thesis.txt").exists()


def test_a_process_of_somebody_else_is_left_alone(tmp_path):
    """The number in the file is another process's by now."""
    sleeper = subprocess.Popen(["sleep", "60"])
    cluster = clusters.Cluster(tmp_path)
    (tmp_path / "n1").mkdir()
    (tmp_path / "n1/pid").write_text(str(sleeper.pid))
    (tmp_path / clusters._MARK).touch()
    cluster.down()
    assert sleeper.poll() is None and not tmp_path.exists()
    sleeper.kill()
    sleeper.wait()


def test_cgroups_are_removed_with_what_is_below_them(tmp_path):
    name = f"jobrun-test-{os.getpid()}"
    cgroups.create(name, 2)
    there = sorted(pathlib.Path("/sys/fs/cgroup").glob(f"**/{name}/n2"))
    (there[0] / "deeper").mkdir()
    cgroups.remove(name)
    assert there and not list(pathlib.Path("/sys/fs/cgroup").glob(f"**/{name}"))


def test_a_cluster_that_is_not_there_is_named(tmp_path):
    done = run("kubectl", tmp_path, "get", "pods")
    assert done.returncode == 1 and f"there is no cluster in {tmp_path}" in done.stderr


def test_without_root_it_says_so(tmp_path):
    done = run("up", tmp_path / "it", user=65534, cwd="/")
    assert done.returncode == 77 and "NO CLUSTER: it needs root" in done.stderr


@pytest.mark.parametrize("words", [[], ["sideways"], ["up", "a", "b"], ["import", "a"], ["node", "a", "1"]])
def test_wrong_words_get_the_usage(words):
    done = run(*words)
    assert done.returncode == 2 and "cluster.py up [DIR]" in done.stderr
