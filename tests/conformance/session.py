"""Replays the steps of a case on one server, and says what the server answered in words that two servers can share."""

import copy
import json
import re

from rest import MERGE, Rest
from servers import create_namespace

GROUPS = {"jobruns": "/apis/jobrun.dev/v1", "leases": "/apis/coordination.k8s.io/v1"}
END = "zz-end"  # An object of each kind that is changed last, so that a watch is known to have come to its end.
WATCH_SECONDS_MAX = 10
NO_UID = "00000000-0000-0000-0000-000000000000"
WORDED = {404, 409, 410}  # Whose messages are compared. 422 has causes; what can't be read is worded by Go.
_TIMES = {"creationTimestamp", "deletionTimestamp"}


class Answer:
    """What a server said to one step: `code`, `body` and `warnings`, all normalised."""

    def __init__(self, code, body, warnings=()):
        self.code, self.body, self.warnings = code, body, sorted(warnings)

    def __eq__(self, other):
        return (self.code, self.body, self.warnings) == (other.code, other.body, other.warnings)

    def text(self):
        lines = [str(self.code), *(f"Warning: {each}" for each in self.warnings), json.dumps(self.body, indent=1, sort_keys=True)]
        return "\n".join(lines)


class Memory:
    """What a server has said in this case: versions and uids in the order in which they came to light."""

    def __init__(self, start):
        self.start = self.newest = start
        self.token = None
        self.objects = {}                 # name: the last one seen
        self._versions, self._uids = {}, {}  # name: those it had
        self._order, self._uid_order = [start], []

    def learn(self, item):
        meta = item.get("metadata", {})
        name, version, uid = meta.get("name"), meta.get("resourceVersion"), meta.get("uid")
        if not name or not uid:
            return
        self.objects[name] = item
        if uid not in self._uid_order:
            self._uid_order.append(uid)
            self._uids.setdefault(name, []).append(uid)
        # With dryRun there is an object without a version, or with the one it had.
        if version and version not in self._order:
            self._order.append(version)
            self._versions.setdefault(name, []).append(version)
            self.newest = version

    def version(self, name, back):
        known = self._versions.get(name, [])
        return known[-1 - back] if back < len(known) else self.start

    def uid(self, name, back):
        known = self._uids.get(name, [])
        return known[-1 - back] if back < len(known) else NO_UID

    def name_of_version(self, version):
        return f"version {self._order.index(version)}" if version in self._order else "another version"

    def name_of_uid(self, uid):
        return f"uid {self._uid_order.index(uid)}" if uid in self._uid_order else "another uid"

    def place_of(self, version):
        """Of a list: after which of the known versions it stands. Others' writes move it, too, on a real server."""
        return f"after version {sum(int(each) <= int(version) for each in self._order) - 1}"

    def named(self, text):
        """A message with names in place of versions and uids."""
        for uid in self._uid_order:
            text = text.replace(uid, self.name_of_uid(uid))
        known = sorted(self._order, key=len, reverse=True)
        return re.sub(r"\b\d{2,}\b", lambda match: self.name_of_version(match[0]) if match[0] in known else match[0], text)


class Session:
    """One case on one server, in a namespace of its own."""

    def __init__(self, rest, namespace):
        self._rest, self._namespace = rest, namespace
        create_namespace(rest, namespace)
        self._memory = Memory(rest.get(self._path("jobruns")).body["metadata"]["resourceVersion"])
        self._ends = {}
        self._kind = ""

    def take(self, step):
        """Sends it, and returns the Answer."""
        self._kind = step.get("watch") or step["kind"]
        if "watch" in step:
            return self._watch(step["watch"], self._query(step["query"]))
        body = self._body(step["body"]) if "body" in step else None
        path = self._path(step["kind"], step["name"])
        query = Rest.query(self._query(step["query"]))
        reply = self._rest.request(step["method"], path + query, body, step.get("type", "application/json"))
        return self._answer(reply)

    # ---- what is sent ----

    def _path(self, kind, name=""):
        path = f"{GROUPS.get(kind, GROUPS['jobruns'])}/namespaces/{self._namespace}/{kind}"
        return f"{path}/{name}" if name else path

    def _query(self, query):
        filled = {name: self._fill(value) for name, value in query.items()}
        return {name: value for name, value in filled.items() if value is not None}

    def _body(self, body):
        if isinstance(body, dict) and "$object" in body:
            name = body["$object"]
            known = self._memory.objects.get(name, {"metadata": {"name": name}})
            return merged(copy.deepcopy(known), self._fill(body["change"]))
        return self._fill(body)

    def _fill(self, value):
        if isinstance(value, dict):
            return {key: self._fill(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._fill(each) for each in value]
        if not isinstance(value, str) or not value.startswith("$"):
            return value
        what, *which = value.split(":")
        if what == "$RV":
            return self._memory.version(which[0], int(which[1]))
        if what == "$UID":
            return self._memory.uid(which[0], int(which[1]))
        return {"$NEWEST": self._memory.newest, "$CONTINUE": self._memory.token}[what]

    # ---- what comes back ----

    def _answer(self, reply):
        body = reply.body
        if not isinstance(body, dict):
            return Answer(reply.code, str(body).strip())
        items = body["items"] or [] if "items" in body else [body]
        if body.get("kind") != "Status":
            for item in items:
                self._memory.learn(item)
        if "items" in body:
            self._memory.token = body["metadata"].get("continue") or None
        # Those of a refused request come or don't come.
        warnings = [each for name, each in reply.headers.items() if name.lower() == "warning" and reply.code < 300]
        return Answer(reply.code, self._shared(body), warnings)

    def _shared(self, body):
        if body.get("kind") == "Status":
            return self._shared_status(body)
        if "items" in body:
            meta = body["metadata"]
            shared = {**meta, "resourceVersion": self._memory.place_of(meta["resourceVersion"]),
                      "continue": "a token" if meta.get("continue") else meta.get("continue")}
            return {**body, "metadata": shared, "items": [self._shared_object(item) for item in body["items"] or []]}
        return self._shared_object(body)

    def _shared_object(self, item):
        meta = {name: "a time" if name in _TIMES else value for name, value in item.get("metadata", {}).items()}
        if "uid" in meta:
            meta["uid"] = self._memory.name_of_uid(meta["uid"])
        if "resourceVersion" in meta:
            meta["resourceVersion"] = self._memory.name_of_version(meta["resourceVersion"])
        # Entries are ordered by their times, of which two servers see different ones.
        entries = [{**entry, "time": "a time"} if "time" in entry else entry for entry in meta.get("managedFields", [])]
        if self._kind == "leases":
            meta.pop("managedFields", None)  # Those of Go structs are other than those of schemas.
        if "managedFields" in meta:
            meta["managedFields"] = sorted(entries, key=lambda each: json.dumps(each, sort_keys=True))
        return {**item, "metadata": meta} if "metadata" in item else item

    def _shared_status(self, body):
        shared = copy.deepcopy(body)
        details = shared.get("details", {})
        if "uid" in details:
            details["uid"] = self._memory.name_of_uid(details["uid"])
        causes = details.get("causes", [])
        if causes:  # They are in any order, some are told twice, and the message is made of them.
            # One more is told of numbers that are none of their type, at one of several places.
            causes = [cause for cause in causes if "Checked value" not in cause.get("message", "")]
            told = {json.dumps(self._shared_cause(cause), sort_keys=True) for cause in causes}
            details["causes"], shared["message"] = [json.loads(each) for each in sorted(told)], "of the causes"
        elif shared.get("code") in WORDED:
            shared["message"] = self._memory.named(shared.get("message", ""))
        else:
            shared.pop("message", None)
        if not details:
            shared.pop("details", None)
        return shared

    def _shared_cause(self, cause):
        """Its field and what is wrong, without how each server comes to say so."""
        field, message = cause.get("field", ""), self._memory.named(cause.get("message", ""))
        if field.startswith(("metadata", "patch")):
            message = message.split(":")[0]
        if "must be of type" in message:
            message = "of another type"
        # The rule could not be evaluated, because a time has a small t; refused it is, too.
        message = re.sub(r"Invalid value: .* evaluating rule: ", "Invalid value: ", message)
        # An update names the whole path or its end, by whether the real server could match old and new.
        message = re.sub(r"[\w.\[\]]*\.(?=\w+ in body)", "", message)
        return {**cause, "message": message}

    # ---- watches ----

    def _watch(self, kind, query):
        """All events up to a change that is made now."""
        mark = self._mark_the_end(kind)
        events = []
        try:
            with self._rest.watch(self._path(kind), WATCH_SECONDS_MAX, **query) as watch:
                if watch.code != 200:
                    return Answer(watch.code, self._shared(watch.body()))
                for event in watch:
                    item = event["object"]
                    if event["type"] == "BOOKMARK":
                        if "annotations" in item["metadata"]:  # Others come when they come.
                            events.append(["BOOKMARK", item["metadata"]["annotations"]])
                        continue
                    if event["type"] == "ERROR":
                        return Answer(200, [*events, ["ERROR", self._shared(item)]])
                    events.append([event["type"], self._event(event)])
                    if item["metadata"]["name"] == END and item["metadata"].get("labels", {}).get("mark") == mark:
                        # With sendInitialEvents the bookmark that ends them follows.
                        if query.get("sendInitialEvents") and "allowWatchBookmarks" in query and events[-1][0] == "ADDED":
                            events.append(["BOOKMARK", next(watch)["object"]["metadata"]["annotations"]])
                        return Answer(200, events)
        except TimeoutError:
            pass
        return Answer(200, [*events, "and no end"])

    def _event(self, event):
        item = event["object"]
        # A deletion's version is told by nothing but this event, and by no event to who does not watch.
        if event["type"] == "DELETED":
            shared = self._shared_object(item)
            shared["metadata"]["resourceVersion"] = self._memory.place_of(item["metadata"]["resourceVersion"])
            return shared
        return self._shared_object(item)

    def _mark_the_end(self, kind):
        mark = self._ends[kind] = self._ends.get(kind, 0) + 1
        path, labels = self._path(kind, END), {"team": "a", "mark": str(mark)}
        if mark == 1:
            reply = self._rest.post(self._path(kind), {**TYPES[kind], "metadata": {"name": END, "labels": labels}, "spec": {}})
        else:
            reply = self._rest.request("PATCH", path, {"metadata": {"labels": labels}}, MERGE)
        if reply.code == 404:  # A collection was deleted.
            reply = self._rest.post(self._path(kind), {**TYPES[kind], "metadata": {"name": END, "labels": labels}, "spec": {}})
        if reply.code >= 300:
            raise AssertionError(f"the end of a watch can't be marked: {reply}")
        self._memory.learn(reply.body)
        return str(mark)


TYPES = {"jobruns": {"apiVersion": "jobrun.dev/v1", "kind": "JobRun"},
         "leases": {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}}


def merged(value, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    value = value if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            value.pop(key, None)
        else:
            value[key] = merged(value.get(key), change)
    return value
