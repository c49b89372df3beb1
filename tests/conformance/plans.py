"""Random request sequences, made from a seed and of nothing but JSON, so that they can be replayed and shortened.

A step is {"method", "kind", "name", "query", "type", "body"}, or {"watch": kind, "query"}. Strings that begin with `$` stand
for what a server said in this case: `$RV:NAME:BACK` the resourceVersion that an object had BACK changes ago, `$UID:NAME:BACK`
the uid of its incarnation before that many, `$NEWEST` the newest resourceVersion, `$CONTINUE` the last list's token. A body
{"$object": NAME, "change": PATCH} is the object as it was last seen, with a merge patch.
"""

import random

MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
NAMES = {"jobruns": ["a", "b", "c"], "leases": ["w1", "w2"]}
STEPS_OF_A_CASE = 50

TIMES = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:30Z",
         "2026-01-01T00:00:30.123456Z", "2026-01-01T00:01:00.5Z", "9999-12-31T23:59:59.999999999Z", "2026-01-01T00:00:31Z"]
CLAIM = {"phase": "Running", "claimedAt": TIMES[0], "claimedBy": "w1"}
STATUSES = [
    CLAIM, CLAIM, CLAIM, CLAIM, {**CLAIM, "claimedBy": "w2"}, {"phase": "Running"}, {"phase": "Pending"},
    *({"lastHeartbeatAt": time} for time in TIMES), *({"lastHeartbeatAt": time, "claimedBy": "w1"} for time in TIMES[3:6]),
    {"claimedAt": TIMES[1]}, {"claimedAt": TIMES[3]}, {"claimedAt": None}, {"claimedBy": None}, {"phase": None},
    {"progress": "1"}, {"progress": "2"}, {"progress": None}, {"progress": 1}, {"progress": "x" * 1025},
    {"exitCode": 0, "exitTime": TIMES[3]}, {"exitCode": 1}, {"exitCode": None}, {"exitCode": "1"}, {"exitCode": 2147483648},
    {"executor": {"podName": "p", "podUID": "u"}}, {"executor": {"podName": None}}, {"executor": None}, {"executor": []},
    {"phase": "Succeeded", "exitCode": 0, "completionTime": TIMES[4]}, {"phase": "Succeeded"},
    {"phase": "Failed", "reason": "Reported"}, {"phase": "Failed", "reason": "PendingDeadlineExceeded", "message": "m"},
    {"phase": "Stuck", "reason": "HeartbeatTimeout", "verdictID": "v-1", "completionTime": TIMES[4],
     "retry": {"state": "Pending", "successorName": "next", "notBeforeTime": TIMES[5]}},
    {"phase": "Stuck", "retry": {"state": "NotDue"}}, {"retry": {"state": "Pending"}}, {"retry": {"state": "Exhausted"}},
    {"retry": {"state": "Created", "successorUID": "u-2"}}, {"retry": {"state": "Skipped"}}, {"retry": None},
    {"retry": {"state": "Nonsense"}}, {"lateHeartbeatTime": TIMES[5]}, {"lateHeartbeatTime": TIMES[3]},
    {"startTime": TIMES[0]}, {"startTime": TIMES[3]}, {"observedGeneration": 1}, {"observedGeneration": -1},
    {"conditions": [{"type": "theirs", "status": "True"}]}, {"conditions": []}, {"conditions": None},
    {"conditions": [{"type": "a", "status": "True"}, {"type": "a", "status": "False"}]},
    {"conditions": [{"type": "a", "status": "Maybe"}]}, {"conditions": [{"type": "b"}]}, {"conditions": {}},
    {"phase": "Gone"}, {"lastHeartbeatAt": "yesterday"}, {"lastHeartbeatAt": ""}, {"nonsense": 1}, {}, None,
]
SPECS = [
    {}, {}, {}, {"lane": "etl"}, {"lane": "default"}, {"lane": None}, {"lane": "Etl"}, {"lane": ""}, {"lane": "x" * 64},
    {"deadlineSeconds": 5}, {"deadlineSeconds": None}, {"deadlineSeconds": 0},
    {"deadlineSeconds": "5"}, {"deadlineSeconds": 2147483648}, {"deadlineSeconds": 1.5}, {"backstopSeconds": 9, "lane": "etl"},
    {"cancelled": True}, {"cancelled": False}, {"cancelled": "yes"}, {"attempt": 2}, {"attempt": 0}, {"assignedTo": "w1"},
    {"assignedTo": ""}, {"concurrencyKey": "k"}, {"reaping": "DryRun"}, {"reaping": "Off"}, {"reaping": None},
    {"heartbeat": {"intervalSeconds": 30, "timeoutSeconds": 60}}, {"heartbeat": {"intervalSeconds": 30, "timeoutSeconds": 59}},
    {"heartbeat": {"mode": "Required", "source": "Lease"}}, {"heartbeat": {"mode": "Never"}}, {"heartbeat": {"nonsense": 1}},
    {"heartbeat": None}, {"heartbeat": []}, {"heartbeat": {"timeoutSeconds": 1}}, {"payload": {"a": 1}}, {"payload": {"a": 2}},
    {"payload": {"a/b": {"c~d": [None, 1.5, "\u20ac", {}]}}}, {"payload": []}, {"payload": {"a": None}},
    {"completionGates": [{"conditionType": "copied"}]}, {"completionGates": [{"conditionType": "x"}, {"conditionType": "x"}]},
    {"completionGates": [{}]}, {"completionGates": [{"conditionType": str(each)} for each in range(9)]},
    {"retry": {"maxAttempts": 3, "backoffSeconds": 5, "on": ["Reported"], "exitCodes": {"in": [1, 2]}}},
    {"retry": {"maxAttempts": 101}}, {"retry": {"backoffSeconds": 5, "maxBackoffSeconds": 4}}, {"retry": {"on": ["a", "a"]}},
    {"retryOf": {"name": "a", "uid": "u"}}, {"retryOf": {"name": "a"}}, {"nonsense": {"a": 1}}, [], "spec",
]
METADATA = [
    {"labels": {"team": "a"}}, {"labels": {"team": "a"}}, {"labels": {"team": "b"}}, {"labels": {"team": None}}, {"labels": None},
    {"labels": {"a b": "c"}}, {"labels": {"team": "x" * 64}}, {"labels": {"team": 1}}, {"annotations": {"note": "1"}},
    {"annotations": {"note": None}}, {"annotations": {"a/b/c": "1"}}, {"finalizers": ["jobrun.dev/hold"]},
    {"finalizers": ["jobrun.dev/hold", "jobrun.dev/other"]}, {"finalizers": None}, {"finalizers": None}, {"finalizers": []},
    {"finalizers": ["a b/c"]}, {"generation": 7}, {"selfLink": "x"}, {"creationTimestamp": None},
    {"creationTimestamp": TIMES[0]}, {"deletionTimestamp": TIMES[0]}, {"deletionTimestamp": None},
    {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u"}]},
    {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o"}]}, {"ownerReferences": None},
    {"name": "other"}, {"namespace": "other"}, {"nonsense": 1}, {},
]
LEASE_SPECS = [
    {"holderIdentity": "w1", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000001Z"},
    {"holderIdentity": "w2", "leaseTransitions": 1}, {"renewTime": "2026-01-01T00:00:01.000000Z"}, {"holderIdentity": None},
    {"renewTime": "2026-01-01T00:00:02.5Z"}, {"renewTime": "2026-01-01T00:00:03Z"}, {"renewTime": "soon"}, {"renewTime": None},
    {"leaseDurationSeconds": 0}, {"leaseDurationSeconds": -1}, {"leaseDurationSeconds": "15"}, {"leaseTransitions": -1},
    {"acquireTime": "2026-01-01T01:00:00.000000+01:00"}, {"holderIdentity": ""}, {"nonsense": 1}, {}, None,
]
# Each of them takes in what marks the end of a watch (session.py), so that the stream has one.
SELECTORS = [{}, {}, {}, {"labelSelector": "team=a"}, {"labelSelector": "team in (a,b),gone!=x"}, {"labelSelector": "team!=b"},
             {"labelSelector": "team"}]
RUN_SELECTORS = [*SELECTORS, {"fieldSelector": "spec.lane=default"}, {"fieldSelector": "status.phase!=Running"},
                 {"fieldSelector": "status.phase="}, {"fieldSelector": "status.phase!=Succeeded,status.retry.state="},
                 {"fieldSelector": "metadata.name!=a"}]
FAULTY_SELECTORS = [{"labelSelector": "team in"}, {"fieldSelector": "status.reason=x"},
                    {"fieldSelector": "status.phase=Running"}, {"labelSelector": "!team"}, {"labelSelector": "team=a b"}]


class Generator:
    """Makes the steps of one case."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def case(self, length=STEPS_OF_A_CASE):
        """Begins with something that is there: what comes afterwards mostly is about that."""
        there = [self._request("POST", kind, "", {**self._type(kind), "metadata": {"name": name}, "spec": {}})
                 for kind, name in (("jobruns", "a"), ("jobruns", "b"), ("leases", "w1"))]
        return there + [self._step() for _ in range(length - len(there))]

    def _step(self):
        kind = self._pick(["jobruns"] * 6 + ["leases"])
        choices = {self._create: 14, self._status: 38 if kind == "jobruns" else 0, self._patch: 16, self._json_patch: 12,
                   self._put: 8, self._delete: 5, self._delete_collection: 1, self._get: 4, self._list: 9,
                   self._watch: 5, self._odd: 2}
        make, = self._random.choices(list(choices), list(choices.values()))
        return make(kind)

    def _create(self, kind):
        name = self._name(kind)
        body = {"metadata": {"name": name, **(self._pick(METADATA[:12]) if self._chance(0.3) else {})}, **self._type(kind)}
        if kind == "leases":
            body["spec"] = self._pick(LEASE_SPECS[:2] if self._chance(0.7) else LEASE_SPECS)
        elif self._chance(0.97):
            body["spec"] = self._pick(SPECS[:5]) if self._chance(0.6) else self._pick(SPECS)
        if self._chance(0.1):
            body["status"] = self._pick(STATUSES[:10])
        if self._chance(0.05):
            body["spec"] = {}
            body["metadata"] = {"name": name, **self._pick([{"resourceVersion": "5"}, {"uid": "u"}, {"name": "Not A Name"}, {"name": ""}])}
        return self._request("POST", kind, "", body, query=self._write_query())

    def _status(self, kind):
        body = {"status": self._pick(STATUSES)}
        if isinstance(body["status"], dict) and self._chance(0.1):
            body["status"] = {**body["status"], **(self._pick(STATUSES) or {})}
        name = self._name(kind)
        return self._request("PATCH", kind, f"{name}/status", self._guarded(name, body), MERGE, self._write_query())

    def _patch(self, kind):
        name, body = self._name(kind), {}
        if self._chance(0.6):
            body["spec"] = self._pick(SPECS if kind == "jobruns" else LEASE_SPECS)
        if self._chance(0.5):
            body["metadata"] = self._pick(METADATA)
        if self._chance(0.05):
            body = self._pick([{"spec": None}, {"status": {"phase": "Failed"}}, {"kind": "Other"}, {"nonsense": 1},
                               {"apiVersion": "jobrun.dev/v2"}, {"metadata": None}])
            return self._request("PATCH", kind, name, body, MERGE)
        of = MERGE if self._chance(0.9) else STRATEGIC
        return self._request("PATCH", kind, name, self._guarded(name, body), of, self._write_query())

    def _json_patch(self, kind):
        name = self._name(kind)
        of_status = kind == "jobruns" and self._chance(0.5)
        operations = [self._operation(kind, name, of_status) for _ in range(self._random.randint(1, 3))]
        return self._request("PATCH", kind, f"{name}/status" if of_status else name, operations, JSON_PATCH, self._write_query())

    def _operation(self, kind, name, of_status):
        paths = ["/spec/holderIdentity", "/spec/renewTime"]
        if of_status:
            paths = ["/status/phase", "/status/progress", "/status/lastHeartbeatAt", "/status/exitCode", "/status/conditions/-",
                     "/status/conditions/0", "/status/conditions/7", "/status/retry/state", "/status"]
        elif kind == "jobruns":
            paths = ["/spec/deadlineSeconds", "/spec/payload/a~1b", "/spec/payload", "/spec/lane", "/spec"]
        path = self._pick(paths + ["/metadata/labels/team", "/metadata/finalizers", "/metadata/labels",
                                   "/metadata/annotations/note"])
        value = self._pick(["Running", "1", TIMES[3], 1, {"a": 1}, {"type": "mine", "status": "True"}, "Pending"])
        right = {"op": "test", "path": "/metadata/uid", "value": f"$UID:{name}:0"}
        version = {"op": "test", "path": "/metadata/resourceVersion", "value": self._version(name)}
        return self._pick([
            right, version, {"op": "test", "path": path, "value": value}, {"op": "test", "path": path, "value": None},
            *[{"op": "add", "path": path, "value": value}] * 4, *[{"op": "replace", "path": path, "value": value}] * 3,
            *[{"op": "remove", "path": path}] * 2, {"op": "copy", "from": "/metadata/name", "path": path},
            {"op": "move", "from": "/metadata/labels/team", "path": "/metadata/annotations/team"},
            {"op": "add", "path": "/metadata/finalizers", "value": ["jobrun.dev/hold"]},
            {"op": "add", "path": "/metadata/labels", "value": {"team": "a"}}])

    def _put(self, kind):
        name = self._name(kind)
        change = {"metadata": self._pick(METADATA)} if self._chance(0.4) else {}
        of_status = kind == "jobruns" and self._chance(0.5)
        if of_status:
            change["status"] = self._pick(STATUSES)
        elif self._chance(0.7):
            change["spec"] = self._pick(SPECS if kind == "jobruns" else LEASE_SPECS)
        if self._chance(0.4):
            change.setdefault("metadata", {})
            change["metadata"] = {**change["metadata"], "resourceVersion": self._pick([None, self._version(name)])}
        body = {"$object": name, "change": change}
        return self._request("PUT", kind, f"{name}/status" if of_status else name, body, query=self._write_query())

    def _delete(self, kind):
        name = self._name(kind)
        body = {}
        if self._chance(0.5):
            body["preconditions"] = self._pick([{"uid": f"$UID:{name}:0"}, {"uid": f"$UID:{name}:1"},
                                                {"resourceVersion": self._version(name)}, {},
                                                {"uid": f"$UID:{name}:0", "resourceVersion": f"$RV:{name}:0"}])
        if self._chance(0.3):
            body.update(self._pick([{"propagationPolicy": "Background"}, {"propagationPolicy": "Never"},
                                    {"gracePeriodSeconds": 0}, {"dryRun": ["All"]}]))
        return self._request("DELETE", kind, name, body or None)

    def _delete_collection(self, kind):
        return self._request("DELETE", kind, "", query=self._pick(SELECTORS[3:]))

    def _get(self, kind):
        name = self._name(kind)
        query = {"resourceVersion": self._pick(["$NEWEST", "x"])} if self._chance(0.2) else {}
        return self._request("GET", kind, f"{name}/status" if kind == "jobruns" and self._chance(0.2) else name, query=query)

    def _list(self, kind):
        query = dict(self._pick(RUN_SELECTORS if kind == "jobruns" else SELECTORS))
        if self._chance(0.1):
            query = dict(self._pick(FAULTY_SELECTORS))
        if self._chance(0.6):
            query["limit"] = self._pick(["1", "1", "2", "500", "0"])
        if self._chance(0.4):
            query["continue"] = "$CONTINUE"
        elif self._chance(0.3):
            query.update(self._pick([
                {"resourceVersion": "$NEWEST", "resourceVersionMatch": "NotOlderThan"}, {"resourceVersion": "$NEWEST"},
                {"resourceVersion": f"$RV:{self._name(kind)}:1", "resourceVersionMatch": "Exact"},
                {"resourceVersion": f"$RV:{self._name(kind)}:0", "resourceVersionMatch": "Exact"},
                {"resourceVersionMatch": "Exact"}, {"resourceVersion": "0", "resourceVersionMatch": "Exact"},
                {"resourceVersion": "$NEWEST", "resourceVersionMatch": "Roughly"}, {"resourceVersion": "x"},
                {"sendInitialEvents": "true"}]))
        return self._request("GET", kind, "", query=query)

    def _watch(self, kind):
        query = dict(self._pick(RUN_SELECTORS if kind == "jobruns" else SELECTORS))
        query.update(self._pick([
            *({"resourceVersion": f"$RV:{name}:{back}"} for name in NAMES[kind] for back in (0, 1, 3, 9)), {},
            {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"},
            {"sendInitialEvents": "true"}, {"resourceVersion": "x"}, {"resourceVersionMatch": "NotOlderThan"},
            {"resourceVersion": "$NEWEST", "resourceVersionMatch": "Exact"}]))
        return {"watch": kind, "query": query}

    def _odd(self, kind):
        """What no client should send."""
        name = self._name(kind)
        return self._pick([
            self._request("PUT", kind, "", {}), self._request("PATCH", kind, "", {}, MERGE),
            self._request("PATCH", kind, name, {}, "application/json"), self._request("PATCH", kind, name, [], MERGE),
            self._request("PATCH", kind, name, {}, JSON_PATCH), self._request("PUT", kind, name, {**self._type(kind), "metadata": {}}),
            self._request("POST", kind, "", {"kind": "Other", "apiVersion": "v1", "metadata": {"name": "x"}}),
            self._request("POST", kind, "", {"metadata": {"name": name}}), self._request("POST", kind, "", []),
            self._request("PATCH", kind, name, [{"op": "nonsense", "path": "/spec"}], JSON_PATCH),
            self._request("GET", "nonsense", name)])

    def _guarded(self, name, body):
        """With a precondition, which may be wrong."""
        if not self._chance(0.35):
            return body
        guard = self._pick([{"resourceVersion": self._version(name)}, {"resourceVersion": f"$RV:{name}:0"},
                            {"uid": f"$UID:{name}:0"}, {"uid": f"$UID:{name}:1"}])
        return {**body, "metadata": {**(body.get("metadata") or {}), **guard}}

    def _version(self, name):
        return self._pick([*[f"$RV:{name}:0"] * 3, f"$RV:{name}:1", f"$RV:{name}:2", "$NEWEST", "x", "0", ""])

    def _write_query(self):
        if not self._chance(0.12):
            return {}
        return self._pick([{"dryRun": "All"}, {"dryRun": "Some"}, {"fieldManager": "one"}, {"fieldValidation": "Strict"},
                           {"fieldValidation": "Ignore"}, {"fieldValidation": "Warn"}, {"fieldValidation": "Nonsense"}])

    @staticmethod
    def _request(method, kind, name, body=None, of="application/json", query=None):
        step = {"method": method, "kind": kind, "name": name, "query": query or {}}
        return step if body is None else {**step, "type": of, "body": body}

    @staticmethod
    def _type(kind):
        if kind == "jobruns":
            return {"apiVersion": "jobrun.dev/v1", "kind": "JobRun"}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}

    def _name(self, kind):
        return self._pick(NAMES[kind])

    def _pick(self, choices):
        return self._random.choice(choices)

    def _chance(self, probability):
        return self._random.random() < probability
