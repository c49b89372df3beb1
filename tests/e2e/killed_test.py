"""A controller that is killed at any of its writes: a mixed set of runs ends as if it had not been.

The gate counts the writes. For each of them, one controller is killed when it has been carried out and one before it
arrives; another takes over.
"""

import concurrent.futures

from executors_test import CHECKS, IGNORED, runs_in
from gate import FORWARD, LOSE
from leases_test import BY_LEASE, one_run
from space import beats, eventually

# More than an undisturbed controller makes; beyond the last one nobody is killed.
WRITES = 15
SECONDS = 90
CONFIG = {"executors": {**CHECKS["executors"], "checkSeconds": 1}}
ENDS = {
    "silent": ("Stuck", "HeartbeatTimeout", "Created"),
    "late": ("Failed", "DeadlineExceeded", "NotDue"),
    "exited": ("Succeeded", "FinalizedByController", None),
    "cancelled": ("Failed", "Cancelled", "NotDue"),
    "failed": ("Failed", "Reported", "NotDue"),
    "leased": ("Stuck", "HeartbeatTimeout", "NotDue"),
    "lost": ("Stuck", "ExecutorLost", "NotDue"),
}


def begin(space):
    """One run of each kind, each with a worker that has died; returns the pods."""
    _, pods = runs_in(space, "worker-1", "lost", IGNORED)
    space.dead("silent", beats(3), {"concurrencyKey": "k", "retry": {"maxAttempts": 2, "backoffSeconds": 1}})
    space.claimed("late", {"deadlineSeconds": 3})
    space.claimed("exited", {"finalizeGraceSeconds": 2}).patch(exitCode=0)
    space.create("cancelled", {"cancelled": True})
    space.claimed("failed").patch(phase="Failed", reason="Reported")
    space.claimed("over", {"ttlSecondsAfterFinished": 1}).patch(phase="Succeeded")
    one_run(space, "leased", BY_LEASE)
    return pods


def state(space):
    """What has become of each run, without what differs from time to time."""
    ends = {seen.name: (seen.phase, seen.status.get("reason"), seen.retry.get("state"))
            for seen in space.list() if not seen.run["spec"].get("retryOf")}
    return ends, [(seen.phase, seen.run["spec"]["attempt"]) for seen in space.list() if seen.run["spec"].get("retryOf")]


def ended(space):
    return state(space) == (ENDS, [("Pending", 2)])


def tell(space, number, fate):
    """Returns whether the write came."""
    gate = space.gate()
    write = gate.catch_write(number)
    pods = begin(space)
    first = space.controller(kubeconfig=gate.kubeconfig, config=CONFIG)
    pod_lives = True

    def go_on():
        nonlocal pod_lives
        conditions = space.get("lost").status.get("conditions", [])
        if pod_lives and "ExecutorFound" in [condition["type"] for condition in conditions]:
            pods.kill("worker-1")
            pod_lives = False
        return ended(space)

    eventually(lambda: write.arrived(0.1) or go_on(), SECONDS)
    came = write.arrived(0)
    if came:
        if fate == FORWARD:
            write.forward()
        first.kill()
        if fate == LOSE:
            write.lose()
        space.controller(config=CONFIG)
    try:
        eventually(go_on, SECONDS)
    except AssertionError:
        assert state(space) == (ENDS, [("Pending", 2)])  # Says what is different.
        raise
    return came


def test_killed_at_any_of_its_writes_all_runs_end_the_same(space, stories):
    cases = [(number, fate) for number in range(1, WRITES + 1) for fate in (FORWARD, LOSE)]
    spaces = {case: stories.space(f"killed-{case[0]}-{case[1]}") for case in cases}
    try:
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
            tales = {case: pool.submit(tell, spaces[case], *case) for case in cases}
            came = {case: tale.result() for case, tale in tales.items()}
    finally:
        for each in spaces.values():
            each.close()
    assert all(came[number, FORWARD] for number in range(1, 13)), "the set has become smaller: lower WRITES"
    assert not came[WRITES, FORWARD], "the set has grown: raise WRITES"
