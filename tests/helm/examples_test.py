"""The examples of manifests/ at work: their scripts run as they stand, each with the token of its own account."""

import os
import pathlib
import shutil
import subprocess

import pytest
import yaml

from cluster import eventually
from processes import spawn, stop_process
from servers import ROOT

EXAMPLES = ROOT / "manifests" / "examples"
RUNS = "/apis/jobrun.dev/v1/namespaces/work/jobruns"


def objects(name):
    return [each for each in yaml.safe_load_all((EXAMPLES / name).read_text()) if each]


def one(name, kind):
    (found,) = [each for each in objects(name) if each["kind"] == kind]
    return found


@pytest.fixture(scope="module")
def space(cluster):
    """The plain manifest, and the examples applied to a namespace for restricted pods."""
    cluster.kubectl("apply", "--server-side", "--warnings-as-errors", "-f", str(ROOT / "manifests/install.yaml"))
    cluster.await_runs()
    cluster.namespace("work", **{f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")})
    for name in ("worker.yaml", "cronjob.yaml"):
        cluster.kubectl("apply", "--server-side", "--warnings-as-errors", "-n", "work", "-f", str(EXAMPLES / name))
    return cluster


@pytest.fixture
def credentials(space, tmp_path):
    """Makes the folder that a pod of the account would have, and the variables that point to it."""
    def make(account):
        folder = tmp_path / account
        folder.mkdir()
        (folder / "token").write_text(space.token("work", account))
        shutil.copy(space.server.ca_file, folder / "ca.crt")
        return {**os.environ, "CREDENTIALS": str(folder), "API_SERVER": space.server.url, "NAMESPACE": "work"}
    return make


@pytest.fixture
def worker(space, credentials, tmp_path):
    """Starts worker.sh as a pod of this name; ends them all."""
    begun = []
    for name, text in one("worker.yaml", "ConfigMap")["data"].items():
        (tmp_path / name).write_text(text)
    environment = credentials("sync-worker")

    def start(name, **variables):
        given = {"POD_NAME": name, "LANE": "sync", "INTERVAL": "1", "WORK_SECONDS": "1", **variables}
        settings = [f"{key}={value}" for key, value in {**given, **{key: environment[key] for key in (
            "CREDENTIALS", "API_SERVER", "NAMESPACE")}}.items()]
        log = tmp_path / f"{name}.log"
        begun.append(spawn(["env", *settings, "sh", str(tmp_path / "worker.sh")], log))
        begun[-1].log = log
        return begun[-1]

    yield start
    for each in begun:
        print(pathlib.Path(each.log).read_text())
        stop_process(each)


def create(space):
    """One run as the example has it; returns its name."""
    created = space.kubectl("create", "-n", "work", "-f", str(EXAMPLES / "jobrun.yaml"), "-o", "name")
    return created.strip().partition("/")[2]


def status(space, run):
    return space.rest.get(f"{RUNS}/{run}").body.get("status", {})


def test_each_run_is_worked_on_once(space, worker):
    runs = [create(space) for _ in range(4)]
    for name in ("sync-worker-a", "sync-worker-b"):
        worker(name)
    for run in runs:
        eventually(lambda run=run: status(space, run).get("phase") == "Succeeded", f"{run} succeeds")
        ended = status(space, run)
        assert ended["exitCode"] == 0 and ended["claimedBy"].startswith("sync-worker-") and ended["lastHeartbeatAt"]


def test_other_lanes_are_left_alone(space, worker):
    body = {"apiVersion": "jobrun.dev/v1", "kind": "JobRun", "metadata": {"name": "other"}, "spec": {"lane": "other"}}
    space.create(RUNS, body)
    run = create(space)
    worker("sync-worker-c")
    eventually(lambda: status(space, run).get("phase") == "Succeeded", f"{run} succeeds")
    assert "phase" not in status(space, "other")


def test_runs_that_are_assigned_to_another_are_passed_over(space, worker):
    body = {"apiVersion": "jobrun.dev/v1", "kind": "JobRun", "metadata": {"name": "a-first"},
            "spec": {"lane": "sync", "assignedTo": "somebody"}}
    space.create(RUNS, body)
    run = create(space)
    worker("sync-worker-g")
    eventually(lambda: status(space, run).get("phase") == "Succeeded", f"{run} succeeds")
    assert "phase" not in status(space, "a-first")
    own = {**body, "metadata": {"name": "own"}, "spec": {"lane": "sync", "assignedTo": "sync-worker-g"}}
    space.create(RUNS, own)
    eventually(lambda: status(space, "own").get("phase") == "Succeeded", "its own run succeeds")


def test_a_new_run_of_the_same_name_is_another(space, worker):
    body = {"apiVersion": "jobrun.dev/v1", "kind": "JobRun", "metadata": {"name": "again"}, "spec": {"lane": "sync"}}
    space.create(RUNS, body)
    process = worker("sync-worker-h", WORK_SECONDS="600")
    eventually(lambda: status(space, "again").get("lastHeartbeatAt"), "a heartbeat")
    space.rest.delete(f"{RUNS}/again")
    space.create(RUNS, {**body, "spec": {"lane": "other"}})
    eventually(lambda: "fenced: again" in pathlib.Path(process.log).read_text(), "the worker is fenced")
    assert not status(space, "again")


def test_work_that_fails_is_reported(space, worker, tmp_path):
    run = create(space)
    worker("sync-worker-d", WORK_SECONDS="nonsense")
    eventually(lambda: status(space, run).get("phase") == "Failed", f"{run} fails")
    assert status(space, run)["reason"] == "ExitNonZero" and status(space, run)["exitCode"] != 0


def test_a_fenced_worker_stops_its_work(space, worker):
    run = create(space)
    process = worker("sync-worker-e", WORK_SECONDS="600")
    eventually(lambda: status(space, run).get("lastHeartbeatAt"), "a heartbeat")
    space.rest.merge(f"{RUNS}/{run}/status", {"status": {"phase": "Stuck", "reason": "HeartbeatTimeout"}})
    eventually(lambda: f"fenced: {run}" in pathlib.Path(process.log).read_text(), "the worker is fenced")
    another = create(space)
    eventually(lambda: status(space, another).get("claimedBy") == "sync-worker-e", "it goes on to the next run")


def test_a_worker_that_is_told_to_stop_gives_its_run_back(space, worker):
    run = create(space)
    process = worker("sync-worker-f", WORK_SECONDS="600")
    eventually(lambda: status(space, run).get("lastHeartbeatAt"), "a heartbeat")
    process.terminate()
    assert process.wait(10) == 0
    assert (status(space, run)["phase"], status(space, run)["reason"]) == ("Failed", "HandedBack")


def names(space):
    return {each["metadata"]["name"] for each in space.rest.get(RUNS).body["items"]}


def test_the_cron_job_creates_a_run_and_may_do_nothing_else(space, credentials):
    container = one("cronjob.yaml", "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    variables = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    before = names(space)
    done = subprocess.run(container["command"], env={**credentials("sync-scheduler"), **variables}, timeout=60,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(names(space) - before) == 1
    kubeconfig = space.kubeconfig("work", "sync-scheduler")
    assert space.try_kubectl("auth", "can-i", "create", "jobruns.jobrun.dev", kubeconfig=kubeconfig).stdout == "yes\n"
    for verb in ("get", "list", "watch", "patch", "delete", "reap"):
        assert space.try_kubectl("auth", "can-i", verb, "jobruns.jobrun.dev", kubeconfig=kubeconfig).stdout == "no\n"


@pytest.mark.parametrize("name, kind, path", [("worker.yaml", "Deployment", ["spec", "template"]),
                                              ("cronjob.yaml", "CronJob", ["spec", "jobTemplate", "spec", "template"])])
def test_their_pods_are_allowed_where_pods_are_restricted(space, name, kind, path):
    template = one(name, kind)
    for key in path:
        template = template[key]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tried"}, "spec": template["spec"]}
    reply = space.rest.post("/api/v1/namespaces/work/pods?dryRun=All&fieldValidation=Strict", pod)
    assert reply.code == 201, reply.message


def test_the_scripts_are_clean():
    data = one("worker.yaml", "ConfigMap")["data"]
    for shell in ("sh", "dash"):
        command = ["shellcheck", "--shell", shell, "--exclude=SC1091", "-"]
        for text in data.values():
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout
