"""What the API server shows of the runs, and when: the demo's own watch, which knows nothing of the controller."""

import copy
import dataclasses
import http.client
import threading
import time

import api

_TERMINAL = ("Succeeded", "Failed", "Stuck")
_RETRY_SECONDS = 0.2


@dataclasses.dataclass
class Sighting:
    """One run as the watch showed it. Times are this process's monotonic clock at the event's arrival."""

    lane: str = ""
    phase: str = ""
    reason: str = ""
    message: str = ""
    worker: str = ""
    beats: int = 0
    last_beat: str = ""
    created: float | None = None
    claimed: float | None = None
    beaten: float | None = None
    ended: float | None = None

    def take(self, run, now):
        """Brings it up to an object that arrived `now`."""
        status = run.get("status", {})
        self.lane = run["spec"]["lane"]
        self.phase = status.get("phase", "Pending")
        self.reason, self.message = status.get("reason", ""), status.get("message", "")
        self.worker = status.get("claimedBy", "")
        if self.created is None:
            self.created = now
        if self.claimed is None and self.worker:
            self.claimed = now
        beat = status.get("lastHeartbeatAt", "")
        if beat != self.last_beat:
            self.last_beat, self.beaten, self.beats = beat, now, self.beats + 1
        if self.ended is None and self.phase in _TERMINAL:
            self.ended = now


class Observer:
    """Follows all runs on a thread of its own, for as long as the process lives."""

    def __init__(self, client):
        self._client = client
        self._lock = threading.Lock()
        self._sightings = {}
        self._version = ""  # The watch goes on from here; only of that thread once it runs.
        self._list()  # Before any run is there, so that each one's creation is seen as it happens.
        threading.Thread(target=self._follow_for_ever, name="watch", daemon=True).start()

    def sightings(self):
        """A copy: Sighting by the run's name."""
        with self._lock:
            return copy.deepcopy(self._sightings)

    def _follow_for_ever(self):
        while True:
            try:
                self._follow()
            except (OSError, http.client.HTTPException, ValueError, api.ApiError):
                time.sleep(_RETRY_SECONDS)

    def _follow(self):
        for event in self._client.watch(api.RUNS, self._version):
            if event["type"] == "ERROR":  # The version is too old.
                self._list()
                return
            if event["type"] in ("ADDED", "MODIFIED"):
                self._take(event["object"])
            self._version = event["object"]["metadata"]["resourceVersion"]

    def _list(self):
        listed = self._client.get(api.RUNS)
        for run in listed["items"]:
            self._take(run)
        self._version = listed["metadata"]["resourceVersion"]

    def _take(self, run):
        if run["spec"]["lane"] == "jobrun-canary":
            return  # The controller's own, and no work.
        now = time.monotonic()
        with self._lock:
            self._sightings.setdefault(run["metadata"]["name"], Sighting()).take(run, now)
