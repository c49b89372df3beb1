"""One Lease, renewed by a worker, keeps all its runs alive; it is deleted before their silence is written."""

import datetime
import threading

from rest import Rest
from space import eventually
from stories import story

BY_LEASE = {"heartbeat": {"source": "Lease", "intervalSeconds": 1, "timeoutSeconds": 4}}


class WorkerLease:
    """The Lease of one worker, as the protocol of docs/workers.md has it: whoever makes it beats in the status first."""

    def __init__(self, space, name, workers):
        self._rest, self._asking = (Rest(space.server.kubeconfig) for _ in range(2))  # Of different threads.
        self._name, self._workers = name, workers
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{space.name}/leases"
        self._stop = threading.Event()
        self._thread = None

    def exists(self):
        return self._asking.get(f"{self._path}/{self._name}").code == 200

    def renew(self):
        """One renewal; the answer's code, of the first try."""
        spec = {"spec": {"holderIdentity": self._name, "renewTime": _now()}}
        code = self._rest.merge(f"{self._path}/{self._name}", spec).code
        if code == 404:
            for worker in self._workers:
                worker.beat()
            made = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": self._name}, **spec}
            assert self._rest.post(self._path, made).code == 201
        return code

    def renew_every(self, seconds):
        def go_on():
            while not self._stop.wait(seconds):
                self.renew()
        self._stop.clear()
        self._thread = threading.Thread(target=go_on, daemon=True)
        self._thread.start()
        return self

    def fall_silent(self):
        self._stop.set()
        self._thread.join()


def _now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def one_run(space, name="run", spec=None):
    worker = space.claimed(name, spec or BY_LEASE)
    lease = WorkerLease(space, "w1", [worker])
    assert lease.renew() == 404
    return worker, lease


@story
def test_one_lease_keeps_all_runs_of_its_worker_alive(space):
    controller = space.controller()
    names = ["one", "two", "three"]
    workers = [space.claimed(name, BY_LEASE) for name in names]
    lease = WorkerLease(space, "w1", workers)
    lease.renew()
    versions = {name: space.get(name).version for name in names}
    lease.renew_every(0.5)
    for name in names:
        space.stays(name, "Running", 4)
    assert {name: space.get(name).version for name in names} == versions, "nobody has written to the runs"
    lease.fall_silent()
    for name in names:
        space.ends(name, "Stuck", "HeartbeatTimeout", 20)
    assert not lease.exists()
    eventually(lambda: controller.metrics().total("jobrun_reaps_total", reason="HeartbeatTimeout") == 3)


@story
def test_a_controller_paused_before_it_deletes_the_lease_spares_a_worker_that_renewed(space):
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    _, lease = one_run(space)
    delete = gate.catch("DELETE", "/leases/").wait()
    assert lease.renew() == 200
    assert delete.forward() == 409
    lease.renew_every(0.5)
    space.stays("run", "Running", 6)
    assert controller.metrics().total("jobrun_reap_conflicts_total") >= 1
    lease.fall_silent()
    space.ends("run", "Stuck", "HeartbeatTimeout", 20)


@story
def test_a_controller_paused_between_judging_and_writing_spares_a_worker_that_renewed(space):
    """The Lease is deleted already; the worker finds that out and beats in the status."""
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    _, lease = one_run(space)
    verdict = gate.catch("PATCH", "/run/status").wait()
    assert verdict.body["status"]["reason"] == "HeartbeatTimeout"
    assert not lease.exists()
    assert lease.renew() == 404
    assert verdict.forward() == 409
    lease.renew_every(0.5)
    space.stays("run", "Running", 6)
    lease.fall_silent()
    space.ends("run", "Stuck", "HeartbeatTimeout", 20)
    eventually(lambda: controller.metrics().total("jobrun_reaps_total", reason="HeartbeatTimeout") == 1)


@story
def test_a_lost_answer_to_the_deletion_of_the_lease_changes_nothing(space):
    gate = space.gate()
    space.controller(kubeconfig=gate.kubeconfig)
    _, lease = one_run(space)
    gate.catch("DELETE", "/leases/").wait().lose_answer()
    space.ends("run", "Stuck", "HeartbeatTimeout", 30)
    assert not lease.exists()


@story
def test_a_deadline_does_not_wait_for_the_lease(space):
    space.controller()
    _, lease = one_run(space, spec={**BY_LEASE, "deadlineSeconds": 4})
    lease.renew_every(0.5)
    space.ends("run", "Failed", "DeadlineExceeded", 20)
    assert lease.exists()
    lease.fall_silent()


@story
def test_without_a_right_on_leases_the_controller_says_so(space):
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    allow = gate.refuse(403, "no leases for you", lambda method, path, headers: "/leases" in path)
    one_run(space)
    eventually(lambda: "leases.coordination.k8s.io" in controller.page("/readyz")[1])
    assert not controller.ready()
    allow()
    space.ends("run", "Stuck", "HeartbeatTimeout", 30)
