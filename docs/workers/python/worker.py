"""worker.py NAMESPACE/NAME: works on one JobRun, with the official Kubernetes client. Put your work into work().

Exit codes: 0 done; 1 the work failed; 65 the run is over, fenced or cancelled; 66 no such run; 69 no answer; 73 claimed
by, or assigned to, another worker; 77 forbidden; 143 handed back because of SIGTERM.
"""

import datetime
import os
import signal
import socket
import sys
import time

import kubernetes
import urllib3


def work(payload):
    """Yields its progress after every step: work that hangs yields nothing, and then nobody beats for it."""
    steps = payload.get("steps", 60)
    for step in range(1, steps + 1):
        time.sleep(payload.get("stepSeconds", 1))
        if step == payload.get("failAt"):
            raise RuntimeError(f"step {step} failed")
        yield f"{step}/{steps}"


class Run:
    """One JobRun, as its worker sees it."""

    def __init__(self, api, namespace, name, worker):
        self.api, self.worker = api, worker
        self.where = {"group": "jobrun.dev", "version": "v1", "plural": "jobruns", "namespace": namespace, "name": name}
        self.request_seconds = 5
        self.uid = self.interval = self.timeout = self.accepted_at = self.next_beat_at = None
        self.cancelled = False

    def request(self, method, **options):
        """The answer's code, 0 without one, and the run as it is now, or what went wrong."""
        try:
            return 200, method(_request_timeout=self.request_seconds, **self.where, **options)
        except kubernetes.client.ApiException as error:
            return error.status, error.reason
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return 0, error

    def patch(self, kind, body):
        sent_at = time.monotonic()
        self.api.api_client.set_default_header("Content-Type", f"application/{kind}-patch+json")
        code, run = self.request(self.api.patch_namespaced_custom_object_status, body=body)
        if code == 200:
            self.accepted_at, self.cancelled = sent_at, run["spec"].get("cancelled", False)
        return code, run

    def claim(self):
        """Returns the payload. The time is taken once: a claim whose answer was lost is seen to be ours."""
        claimed_at = now()
        for _ in range(5):
            code, run = self.request(self.api.get_namespaced_custom_object)
            if code == 200:
                spec, status = run["spec"], run.get("status", {})
                owner, since = status.get("claimedBy"), status.get("claimedAt")
                if status.get("phase", "Pending") not in ("Pending", "Running"):
                    stop(65, f"the run is over: {status['phase']}")
                if owner and (owner, since) != (self.worker, claimed_at):
                    stop(73, f"claimed by {owner} since {since}")
                if spec.get("assignedTo", self.worker) != self.worker:
                    stop(73, f"assigned to {spec['assignedTo']}")
                # The guard: of two workers that have read this version, one gets a 409, and reads again.
                guard = {"resourceVersion": run["metadata"]["resourceVersion"]}
                claim = {"phase": "Running", "claimedAt": claimed_at, "claimedBy": self.worker}
                code, run = self.patch("merge", {"metadata": guard, "status": claim})
            if code == 200:
                self.uid = run["metadata"]["uid"]
                heartbeat = {"intervalSeconds": 30, "timeoutSeconds": 150, **spec.get("heartbeat", {})}
                self.interval, self.timeout = heartbeat["intervalSeconds"], heartbeat["timeoutSeconds"]
                self.request_seconds, self.next_beat_at = min(5, self.interval / 3), self.accepted_at + self.interval
                return spec.get("payload", {})
            if code in (401, 403, 404):
                stop(66 if code == 404 else 77, run)
            time.sleep(1)
        return stop(69, f"can't claim the run: {code} {run}")

    def report(self, status):
        """Whether it was accepted. What was not may be accepted later, unless the run is no longer ours: a new run of
        this name, and one that another worker has claimed, refuse it."""
        guard = {"/metadata/uid": self.uid, "/status/claimedBy": self.worker}
        code, run = self.patch("json", [
            *({"op": "test", "path": path, "value": value} for path, value in guard.items()),
            *({"op": "add", "path": f"/status/{key}", "value": value} for key, value in status.items())])
        if code in (404, 422):
            stop(65, f"fenced: {code} {run}")
        if code != 200:
            log(f"not accepted: {code} {run}")
            self.stop_if_silent()
        return code == 200

    def beat(self, progress):
        """To be called after every step; beats once in an interval, whatever became of the beat before."""
        if time.monotonic() >= self.next_beat_at:
            self.next_beat_at = time.monotonic() + self.interval
            self.report({"lastHeartbeatAt": now(), "progress": progress})
        self.stop_if_silent()

    def stop_if_silent(self):
        if time.monotonic() - self.accepted_at >= self.timeout:
            stop(65, f"fenced: nothing was accepted for {self.timeout} s, so somebody else may be doing the work")

    def record(self, **status):
        """What must arrive is sent until it does."""
        while not self.report(status):
            time.sleep(self.interval)


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def log(text):
    print(f"{now()} {text}", file=sys.stderr, flush=True)


def stop(code, why):
    """Ends the worker, and with it the work."""
    log(why)
    sys.exit(code)


def main():
    signals = []
    signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_config(client_configuration=configuration)  # A kubeconfig, or the pod's service account.
    configuration.retries = False  # Left alone, it makes four requests of one, each with the whole timeout.
    client = kubernetes.client.ApiClient(configuration)
    worker = os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"
    run = Run(kubernetes.client.CustomObjectsApi(client), *sys.argv[1].split("/"), worker)

    payload = run.claim()
    log(f"claimed as {worker}")
    exit_code, end = 0, {"phase": "Succeeded"}
    try:
        for progress in work(payload):
            run.beat(progress)
            reason = "Cancelled" if run.cancelled else "HandedBack" if signals else None
            if reason:
                run.record(phase="Failed", reason=reason, completionTime=now())
                stop(65 if run.cancelled else 143, reason)
    except Exception as error:  # Of the work; stop() raises none.
        exit_code, end = 1, {"phase": "Failed", "reason": "WorkFailed", "message": str(error)}
    run.record(exitCode=exit_code, exitTime=now())
    run.record(**end, completionTime=now())
    log(end["phase"])
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
