"""Runs the blocks of docs/workers.md that are marked as tested: a page that can be pasted stays one."""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

import api
import kubeserver
import servers
from rest import Rest

PAGE = servers.ROOT / "docs" / "workers.md"
SECONDS_MAX = 120
_BLOCK = re.compile(r"^<!-- tested: (\w+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def block(kind):
    """All blocks of that mark, one after the other."""
    texts = [text for mark, text in _BLOCK.findall(PAGE.read_text()) if mark == kind]
    assert texts, f"{PAGE} has no block marked as tested: {kind}"
    return "\n".join(texts)


def unavailable(reason):
    """Skips the test loudly, or fails it where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true: that is a failure)", pytrace=False)
    servers.missing.append(reason)
    pytest.skip(reason)


def kubectl_folder():
    """Where kubectl is: the one that the tests pin when it was built, otherwise the one on the PATH."""
    pinned = kubeserver.bin_dir() / "kubectl"
    found = pinned if pinned.exists() else shutil.which("kubectl")
    if not found:
        unavailable(f"NO KUBECTL: neither {pinned} nor one on the PATH; run tests/kube/build.sh")
    return str(pathlib.Path(found).parent)


def run_shell(script, server, scratch, **environment):
    settings = {**os.environ, "KUBECONFIG": server.kubeconfig, "KUBECACHEDIR": str(scratch / "cache"), **environment}
    done = subprocess.run(["sh", "-eu", "-c", script], env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=SECONDS_MAX, check=False)
    print(done.stdout)
    return done


def create_run(server, name, spec=None, **status):
    """A run on the server, with a status if one is given; returns a function that reads or patches the latter."""
    rest = Rest(server.kubeconfig)
    path = f"{api.RUNS}/{name}"
    rest.delete(path)
    created = rest.post(api.RUNS, servers.jobrun(name, spec))
    assert created.code == 201, created

    def status_of(**changes):
        answer = rest.merge(f"{path}/status", {"status": changes}) if changes else rest.get(path)
        assert answer.code == 200, answer
        return answer.body.get("status", {})

    if status:
        status_of(**status)
    return status_of


def test_kubectl_blocks_claim_beat_finish_and_see_the_fence(server, tmp_path):
    Rest(server.kubeconfig).delete(f"{api.RUNS}/sync-42")
    path = f"{kubectl_folder()}:{os.environ['PATH']}"
    done = run_shell(block("kubectl"), server, tmp_path, PATH=path)
    assert done.returncode == 0, done.stdout
    assert "the run is finished and its status is final" in done.stdout
    run = Rest(server.kubeconfig).get(f"{api.RUNS}/sync-42").body
    assert done.stdout.endswith(f"fenced: Succeeded laptop-7 {run['metadata']['uid']}\n")
    status = run["status"]
    assert status["claimedAt"] < status["lastHeartbeatAt"] < status["completionTime"]


def test_curl_block_beats_and_sees_the_fence(server, tmp_path):
    status = create_run(server, "sync-43", phase="Running", claimedAt="2026-01-01T00:00:00Z", claimedBy="laptop-7")
    environment = {**write_credentials(server, tmp_path), "claimed": "2026-01-01T00:00:00Z"}
    assert run_shell(block("curl"), server, tmp_path, **environment).stdout == "it counts\n"
    assert status()["lastHeartbeatAt"] > "2026-01-01T00:00:00Z"
    status(phase="Stuck", reason="HeartbeatTimeout")
    done = run_shell(block("curl"), server, tmp_path, **environment)
    assert (done.returncode, done.stdout) == (65, "fenced\n")


def write_credentials(server, folder):
    """The files of a pod's service account, from the kubeconfig; returns what the block reads them by."""
    user = yaml.safe_load(pathlib.Path(server.kubeconfig).read_text())["users"][0]["user"]
    if "token" not in user:
        pytest.skip("this server's kubeconfig has no token")
    cluster = api.read_kubeconfig(server.kubeconfig)
    (folder / "token").write_text(cluster.token)
    (folder / "ca.crt").write_text(cluster.authority)
    return {"API_SERVER": cluster.server, "CREDENTIALS": str(folder)}


@pytest.fixture(name="page")
def python_block(server, monkeypatch):
    """The names that the Python block defines."""
    if importlib.util.find_spec("kubernetes") is None:
        unavailable("NO PYTHON CLIENT: install python3-kubernetes")
    import kubernetes  # pylint: disable=import-outside-toplevel
    for module in (kubernetes.config, kubernetes.config.kube_config):  # Both read $KUBECONFIG when first imported.
        monkeypatch.setattr(module, "KUBE_CONFIG_DEFAULT_LOCATION", server.kubeconfig)
    names = {}
    exec(compile(block("python"), PAGE, "exec"), names)  # pylint: disable=exec-used
    return names


def test_python_block_claims_beats_and_finishes(server, page):
    status = create_run(server, "sync-44")
    uid = page["claim"]("sync-44", "laptop-7")
    assert (status()["phase"], status()["claimedBy"]) == ("Running", "laptop-7")
    page["beat"]("sync-44", uid, "laptop-7")
    assert status()["lastHeartbeatAt"] > status()["claimedAt"]
    page["finish"]("sync-44", uid, "laptop-7")
    assert status()["phase"] == "Succeeded"


def test_python_block_sees_the_fence(server, page):
    status = create_run(server, "sync-45")
    uid = page["claim"]("sync-45", "laptop-7")
    with pytest.raises(page["Fenced"]):
        page["beat"]("sync-45", uid, "another")
    status(phase="Stuck", reason="HeartbeatTimeout")
    with pytest.raises(page["Fenced"]):
        page["beat"]("sync-45", uid, "laptop-7")
    with pytest.raises(page["Fenced"]):
        page["beat"]("sync-gone", uid, "laptop-7")
    status = create_run(server, "sync-45")  # Another one, which nobody has claimed.
    with pytest.raises(page["Fenced"]):
        page["finish"]("sync-45", uid, "laptop-7")
    assert not status()


def test_python_block_leaves_an_assigned_run_to_its_worker(server, page):
    status = create_run(server, "sync-46", spec={"assignedTo": "laptop-8"})
    with pytest.raises(page["Fenced"]):
        page["claim"]("sync-46", "laptop-7")
    assert not status()
