"""What somebody sees who watches runs with kubectl: every transition that was meant, and no other."""

import itertools
import json

import canaries
from kubectl_test import kubectl
from processes import spawn, stop_process
from space import LATE_SECONDS, beats, eventually
from stories import story

TIMEOUT = 4
RETRIED = {"retry": {"maxAttempts": 2, "backoffSeconds": 1}}


class KubectlWatch:
    """`kubectl get jobruns --watch` on a namespace, from start to end of a `with`."""

    def __init__(self, space):
        self._space = space
        self._output = space.dir / "kubectl-watch.json"
        self._marks = itertools.count(1)

    def __enter__(self):
        self._process = spawn(
            [kubectl(), "--kubeconfig", self._space.server.kubeconfig, "--cache-dir", str(self._space.dir / "kubectl"),
             "--namespace", self._space.name, "get", "jobruns", "--watch", "--output-watch-events", "-o", "json"],
            self._output)
        self.mark()
        return self

    def __exit__(self, *_):
        stop_process(self._process)

    def mark(self):
        """Returns when a run that is created now has been seen: the watch shows all that was before it."""
        name = f"mark-{next(self._marks)}"
        self._space.create(name)
        eventually(lambda: any(event["object"]["metadata"]["name"] == name for event in self.events()))
        return name

    def events(self):
        """What it has printed so far, as far as it is whole, but for the canaries."""
        decoder, text, at, events = json.JSONDecoder(), self._output.read_text(), 0, []
        while (at := text.find("{", at)) >= 0:
            try:
                event, at = decoder.raw_decode(text, at)
            except json.JSONDecodeError:
                assert self._process.poll() is None, text[at:]
                break
            if not canaries.is_canary(event["object"]):
                events.append(event)
        return events

    def stories(self):
        """{run: what was seen of it}: "ADDED" where it appeared, and then its phases, each change of them once."""
        stories = {}
        for event in self.events():
            run = event["object"]
            seen = stories.setdefault(run["metadata"]["name"], [])
            if event["type"] != "MODIFIED":
                seen.append(event["type"])
            phase = run.get("status", {}).get("phase", "Pending")
            if seen[-1] != phase:
                seen.append(phase)
        return stories


def fail_for(space, name, reason):
    return space.ends(name, "Failed", reason, TIMEOUT + LATE_SECONDS)


@story
def test_kubectl_get_watch_shows_the_intended_transitions_and_no_other(space):
    """Healthy, silent, past its deadline, never heard of, exited and cancelled runs, all at once."""
    space.controller()
    with KubectlWatch(space) as watch:
        healthy = space.alive("healthy", beats(TIMEOUT))
        silent = space.dead("silent", beats(TIMEOUT), RETRIED)
        space.claimed("never-beat", beats(TIMEOUT))
        space.alive("hangs", beats(TIMEOUT), {"deadlineSeconds": TIMEOUT})
        exited = space.claimed("exited", {"finalizeGraceSeconds": 1})
        assert exited.patch(exitCode=0, exitTime=exited.now()) == 200
        space.create("cancelled-pending")
        space.alive("cancelled-running", beats(60), {"cancelGraceSeconds": 1})
        for name in ("cancelled-pending", "cancelled-running"):
            assert space.rest.merge(f"{space.runs}/{name}", {"spec": {"cancelled": True}}).code == 200
        space.silent_until_reaped(silent, "silent", TIMEOUT)
        successor = space.successor("silent").name
        fail_for(space, "hangs", "DeadlineExceeded")
        fail_for(space, "cancelled-pending", "Cancelled")
        fail_for(space, "cancelled-running", "Cancelled")
        space.ends("exited", "Succeeded", "FinalizedByController", LATE_SECONDS)
        healthy.fall_silent()
        assert healthy.finish() == 200
        last_mark = watch.mark()
        left_alone = ["ADDED", "Pending"]
        assert watch.stories() == {
            "mark-1": left_alone,
            "healthy": ["ADDED", "Pending", "Running", "Succeeded"],
            "silent": ["ADDED", "Pending", "Running", "Stuck"],
            successor: left_alone,
            "never-beat": ["ADDED", "Pending", "Running"],
            "hangs": ["ADDED", "Pending", "Running", "Failed"],
            "exited": ["ADDED", "Pending", "Running", "Succeeded"],
            "cancelled-pending": ["ADDED", "Pending", "Failed"],
            "cancelled-running": ["ADDED", "Pending", "Running", "Failed"],
            last_mark: left_alone,
        }
