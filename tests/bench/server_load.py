"""What server_cost.py measures with: a real API server and etcd, workers that beat, watchers that count bytes, and what the
kernel and etcd say about it."""

import concurrent.futures
import datetime
import gzip
import http.client
import json
import multiprocessing
import os
import pathlib
import random
import re
import signal
import time
import urllib.request

import yaml

from rest import JSON_PATCH, MERGE, Rest
from servers import ROOT, KubeServer, create_namespace, jobrun

_RUNS = "/apis/jobrun.dev/v1/namespaces/{}/jobruns"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE_SECONDS = 30
# What etcd counts, as figures of ours. In its write-ahead log a write stands as it was asked for; db is what its history takes.
_COUNTED = {"wal": "etcd_disk_wal_write_bytes_total", "db": "etcd_mvcc_db_total_size_in_use_in_bytes",
            "fsyncs": "etcd_disk_wal_fsync_duration_seconds_count", "puts": "etcd_mvcc_put_total",
            "etcd_out": "etcd_network_client_grpc_sent_bytes_total"}
PLAIN, LARGE, GUARDED = "plain", "large", "guarded"  # Namespaces.


class CostError(Exception):
    pass


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Meter:
    """Readings of one server; the difference of two is what happened in between."""

    def __init__(self, server):
        self._pids, self._url = server.pids, server.etcd_url + "/metrics"

    def read(self):
        with urllib.request.urlopen(self._url, timeout=_PATIENCE_SECONDS) as reply:
            text = reply.read().decode()
        reading = {name: float(re.search(rf"^{metric} (\S+)$", text, re.MULTILINE)[1]) for name, metric in _COUNTED.items()}
        reading |= {f"cpu_{program}": self._cpu(pid) for program, pid in self._pids.items()}
        return {**reading, "seconds": time.monotonic()}

    @staticmethod
    def _cpu(pid):
        """Seconds that a process has used, in user and system mode."""
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


class Watcher:
    """Somebody who watches the changes of a collection from now on, in a process of its own, and counts what comes."""

    def __init__(self, kubeconfig, path):
        self._bytes, self._events = (multiprocessing.Value("Q", 0) for _ in range(2))
        self._opened = multiprocessing.Event()
        self._process = multiprocessing.Process(target=self._count, args=(kubeconfig, path), daemon=True)
        self._process.start()
        if not self._opened.wait(_PATIENCE_SECONDS):
            raise CostError(f"no watch of {path}")

    @property
    def bytes(self):
        return self._bytes.value

    @property
    def events(self):
        return self._events.value

    def stop(self):
        self._process.terminate()
        self._process.join()

    def _count(self, kubeconfig, path):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        rest = Rest(kubeconfig)
        version = rest.get(path + "?limit=1").body["metadata"]["resourceVersion"]
        with rest.watch(path, seconds_max=3600, timeoutSeconds=3600, resourceVersion=version) as watch:
            self._opened.set()
            while data := watch.read_bytes():
                self._bytes.value += len(data)
                self._events.value += data.count(b"\n")


class Workers:
    """`count` connections, each of a worker with the same number of runs in each namespace and one Lease."""

    def __init__(self, server, count, runs_each, payload_bytes):
        self.count, self.runs_each, self.kubeconfig = count, runs_each, server.kubeconfig
        self._payload_bytes = payload_bytes
        self._rests = [Rest(server.kubeconfig, user_agent="worker/1") for _ in range(count)]
        self._pool = concurrent.futures.ThreadPoolExecutor(count)
        self.runs = {}  # (namespace, worker): list of (name, uid)

    @property
    def size(self):
        return self.count * self.runs_each

    def close(self):
        self._pool.shutdown(cancel_futures=True)

    def begin(self):
        """Creates and claims all runs, and the Leases."""
        for namespace in (PLAIN, LARGE, GUARDED):
            create_namespace(self._rests[0], namespace)
        list(self._pool.map(self._begin_one, range(self.count)))

    def _begin_one(self, worker):
        rest = self._rests[worker]
        for namespace in (PLAIN, LARGE, GUARDED):
            self.runs[namespace, worker] = [self._claimed(rest, namespace, f"run-{worker}-{number}", worker)
                                            for number in range(self.runs_each)]
        made = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": f"worker-{worker}"},
                "spec": {"holderIdentity": f"worker-{worker}", "renewTime": now()}}
        _expect(rest.post(_LEASES.format(PLAIN), made), 201)

    def _claimed(self, rest, namespace, name, worker):
        payload = {"text": _words(self._payload_bytes, name)} if namespace == LARGE else {"table": "customers"}
        spec = {"lane": "sync", "deadlineSeconds": 3600, "payload": payload,
                "heartbeat": {"intervalSeconds": 30, "timeoutSeconds": 150}}
        created = _expect(rest.post(_RUNS.format(namespace), jobrun(name, spec)), 201)
        claim = {"phase": "Running", "claimedBy": f"worker-{worker}", "claimedAt": now(), "lastHeartbeatAt": now(),
                 "progress": "0 of 1000 rows"}
        _expect(rest.merge(f"{_RUNS.format(namespace)}/{name}/status", {"status": claim}), 200)
        return name, created.body["metadata"]["uid"]

    def beat(self, way, per_second):
        """One beat of every run in that way, at an even pace; returns how many writes that were and the bytes answered."""
        begin = time.monotonic() + 0.1
        pace = self.count / per_second
        done = list(self._pool.map(lambda worker: self._beat_one(way, worker, begin + worker / per_second, pace),
                                   range(self.count)))
        return sum(writes for writes, _ in done), sum(size for _, size in done)

    def _beat_one(self, way, worker, begin, pace):
        size, requests = 0, [way.request(worker, run) for run in self.runs[way.namespace, worker]]
        for number, (path, body) in enumerate(requests):
            time.sleep(max(0.0, begin + number * pace - time.monotonic()))
            reply = _expect(self._rests[worker].request("PATCH", path, body(number), way.content_type), 200)
            size += int(reply.headers.get("Content-Length") or len(json.dumps(reply.body, separators=(",", ":"))) + 1)
        return len(requests), size


def _words(size, seed):
    """Text that a packer makes as much of as of most texts: words of a vocabulary, in an order of its own."""
    letters, order = random.Random(1), random.Random(seed)
    vocabulary = ["".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=letters.randint(3, 9))) for _ in range(2000)]
    return " ".join(order.choices(vocabulary, k=size // 3))[:size]


def _expect(reply, code):
    if reply.code != code:
        raise CostError(f"{reply.code} instead of {code}: {reply.message}")
    return reply


class Way:
    """A way to beat: what is sent, and where the runs are. A Lease is renewed once for all runs of its worker; as many
    renewals are measured as other ways make beats."""

    def __init__(self, namespace=PLAIN, kind="merge", progress=False, lease=False):
        self.namespace, self.content_type = namespace, JSON_PATCH if kind == "json" else MERGE
        self.is_lease = lease
        self._kind, self._progress = kind, progress

    @property
    def watched(self):
        """What those who follow these beats watch."""
        return (_LEASES if self.is_lease else _RUNS).format(self.namespace)

    def request(self, worker, run):
        """The path, and what makes the body when it is sent."""
        name, uid = run
        if self.is_lease:
            lease = f"worker-{worker}"
            return (f"{_LEASES.format(self.namespace)}/{lease}",
                    lambda _: {"spec": {"holderIdentity": lease, "renewTime": now()}})
        return f"{_RUNS.format(self.namespace)}/{name}/status", lambda number: self._body(f"worker-{worker}", uid, number)

    def _body(self, worker, uid, number):
        status = {"lastHeartbeatAt": now(), **({"progress": f"{number} of 1000 rows"} if self._progress else {})}
        if self._kind == "merge":
            return {"status": status}
        return [{"op": "test", "path": "/metadata/uid", "value": uid},
                {"op": "test", "path": "/status/claimedBy", "value": worker},
                *({"op": "add", "path": f"/status/{field}", "value": value} for field, value in status.items())]


def start(directory):
    """A real server with JobRuns, whose etcd waits for the disk and keeps all of its history."""
    return KubeServer(api_flags=["--etcd-compaction-interval=0"], etcd_flags=[]).start(directory)


def guard(rest):
    """The chart's admission policy, for one of the namespaces; returns when it is in force."""
    paths = {"ValidatingAdmissionPolicy": "validatingadmissionpolicies",
             "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings"}
    for made in yaml.safe_load_all((ROOT / "manifests/install.yaml").read_text()):
        if made and made["kind"] in paths:
            if made["kind"].endswith("Binding"):
                only = {"matchLabels": {"kubernetes.io/metadata.name": GUARDED}}
                made["spec"]["matchResources"] = {"namespaceSelector": only}
            _expect(rest.post(f"/apis/admissionregistration.k8s.io/v1/{paths[made['kind']]}", made), 201)
    renamed = {"spec": {"payload": {"table": None, "tables": "customers"}}}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while rest.merge(f"{_RUNS.format(GUARDED)}/run-0-0?dryRun=All", renamed).code != 422:
        if time.monotonic() > deadline:
            raise CostError("the admission policy does not come into force")
        time.sleep(0.2)


def listed(rest, namespace, how, is_zipped):
    """All runs of a namespace, listed as `how` says: the bytes of each answer."""
    headers = {"Accept-Encoding": "gzip"} if is_zipped else {}
    path = _RUNS.format(namespace)
    if how == "WatchList":
        return [_watch_list(rest, path, headers)]
    limit, token, answers = {"pages of 500": 500, "whole": 0}[how], "", []
    while True:
        query = {"limit": limit, "continue": token} if limit else {"resourceVersion": 0}
        answer_headers, data = rest.get_bytes(path + rest.query(query), headers)
        answers.append(data)
        if (answer_headers.get("Content-Encoding") == "gzip") != data.startswith(b"\x1f\x8b"):
            raise CostError("the answer is not encoded as it says")
        token = _token_of(data) if limit else ""
        if not token:
            return answers


def _token_of(data):
    text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    return json.loads(text)["metadata"].get("continue", "")


def _watch_list(rest, path, headers):
    asked = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    data = bytearray()
    with rest.watch(path, seconds_max=_PATIENCE_SECONDS, headers=headers, **asked) as watch:
        while b"k8s.io/initial-events-end" not in data[-4096:]:
            more = watch.read_bytes()
            if not more:
                raise http.client.IncompleteRead(bytes(data[-200:]))
            data += more
    return bytes(data)
