"""Workers as their authors would write them in Python: with the official Kubernetes client."""

import datetime
import threading
import time

import kubernetes
import urllib3

_RESOURCE = ("jobrun.dev", "v1")
_REQUEST_SECONDS_MAX = 30
_BEAT_SECONDS_MAX = 3  # Far below every timeout: the next heartbeat may get through.
_LOADING = threading.Lock()  # The client shares the files that it makes of a kubeconfig before it has written them.


def rfc3339(moment):
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _client(kubeconfig):
    configuration = kubernetes.client.Configuration()
    with _LOADING:
        kubernetes.config.load_kube_config(kubeconfig, client_configuration=configuration)
    configuration.retries = False  # A heartbeat that failed is followed by the next one, not by itself.
    return kubernetes.client.CustomObjectsApi(kubernetes.client.ApiClient(configuration))


class Worker:
    """Claims one run and works on it. Its clock may be wrong by `clock_off`, a timedelta."""

    def __init__(self, kubeconfig, namespace, run, name="w1", clock_off=datetime.timedelta()):
        self.name = name
        self.sent_at = self.accepted_at = None  # The last accepted heartbeat or claim, on time.monotonic().
        self.gap_max = 0.0  # Seconds: the longest there was between two of them.
        self._clock_off = clock_off
        self._api = _client(kubeconfig)
        self._run = {"namespace": namespace, "plural": "jobruns", "name": run}
        self._silent = threading.Event()
        self._beating = None

    def now(self):
        return rfc3339(datetime.datetime.now(datetime.timezone.utc) + self._clock_off)

    def patch(self, seconds_max=_REQUEST_SECONDS_MAX, **status):
        """One status patch; returns the HTTP code of the answer, 0 without one in time."""
        sent_at = time.monotonic()
        try:
            self._api.patch_namespaced_custom_object_status(
                *_RESOURCE, **self._run, body={"status": status}, _request_timeout=seconds_max)
        except kubernetes.client.ApiException as refusal:
            return refusal.status
        except (urllib3.exceptions.HTTPError, OSError):
            return 0
        if self.accepted_at is not None:
            self.gap_max = max(self.gap_max, sent_at - self.accepted_at)
        self.sent_at, self.accepted_at = sent_at, time.monotonic()
        return 200

    def claim(self, at=None, **status):
        code = self.patch(phase="Running", claimedBy=self.name, claimedAt=at or self.now(), **status)
        assert code == 200, f"the claim was answered {code}"
        return self

    def beat(self, at=None):
        return self.patch(lastHeartbeatAt=at or self.now())

    def finish(self):
        return self.patch(phase="Succeeded", exitCode=0, exitTime=self.now(), completionTime=self.now())

    def beat_every(self, seconds):
        """Beats from now on, also through errors, until it falls silent or is fenced (422)."""
        self._silent.clear()
        self._beating = threading.Thread(target=self._beat_on, args=(seconds,), daemon=True)
        self._beating.start()
        return self

    def stop_beating(self):
        self._silent.set()

    def fall_silent(self):
        """Returns when the last heartbeat has been answered."""
        self.stop_beating()
        if self._beating:
            self._beating.join()

    def _beat_on(self, seconds):
        due = time.monotonic()
        while not self._silent.wait(max(0.0, due - time.monotonic())):
            if self.patch(_BEAT_SECONDS_MAX, lastHeartbeatAt=self.now()) == 422:
                return
            due = max(due + seconds, time.monotonic())
