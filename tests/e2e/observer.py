"""Every version of every JobRun on a server but the canaries, as a watch shows them."""

import http.client
import threading
import time
import urllib.parse

import canaries
from rest import Rest

_ALL_RUNS = "/apis/jobrun.dev/v1/jobruns"
_BUT_CANARIES = {"fieldSelector": f"spec.lane!={canaries.LANE}"}
_RETRY_SECONDS = 0.2
_SILENCE_SECONDS_MAX = 60


class Seen:
    """One version of a run, and when it was seen (time.monotonic())."""

    def __init__(self, run):
        self.run, self.at = run, time.monotonic()
        self.status = run.get("status") or {}

    @property
    def phase(self):
        return self.status.get("phase", "Pending")

    @property
    def name(self):
        return self.run["metadata"]["name"]

    @property
    def retry(self):
        return self.status.get("retry") or {}

    @property
    def version(self):
        return int(self.run["metadata"]["resourceVersion"])


class Observer:
    """Follows one server in a thread of its own until the process ends. May be asked from any thread."""

    def __init__(self, server):
        self._server = server
        self._seen = {}  # (namespace, name): list of Seen, oldest first.
        self._changed = threading.Condition()
        threading.Thread(target=self._follow, daemon=True).start()

    def versions(self, namespace, name):
        with self._changed:
            return list(self._seen.get((namespace, name), []))

    def wait(self, namespace, name, wanted, seconds):
        """The first version for which wanted(seen) holds; None when there is none in time."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for seen in self._seen.get((namespace, name), []):
                    if wanted(seen):
                        return seen
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)

    def _follow(self):
        rest = Rest(self._server.kubeconfig, user_agent="observer/1")
        while True:
            try:
                self._follow_once(rest)
            except (OSError, http.client.HTTPException, ValueError):
                rest.close()  # The server is away, or cut a line short.
            time.sleep(_RETRY_SECONDS)

    def _follow_once(self, rest):
        reply = rest.get(f"{_ALL_RUNS}?{urllib.parse.urlencode(_BUT_CANARIES)}")
        if reply.code != 200:
            return
        listed = reply.body
        for run in listed["items"]:
            self._note(run)
        version = listed["metadata"]["resourceVersion"]
        with rest.watch(_ALL_RUNS, _SILENCE_SECONDS_MAX, resourceVersion=version, **_BUT_CANARIES) as watch:
            for event in watch:
                if event["type"] == "ERROR":
                    return
                if event["type"] in ("ADDED", "MODIFIED"):
                    self._note(event["object"])

    def _note(self, run):
        key = (run["metadata"]["namespace"], run["metadata"]["name"])
        seen = Seen(run)
        with self._changed:
            versions = self._seen.setdefault(key, [])
            if not versions or versions[-1].version < seen.version:
                versions.append(seen)
                self._changed.notify_all()
