"""Those who work with runs in one namespace, each with a service account and the chart's role for it."""

import datetime

from rest import Rest
from servers import jobrun

LONG_AGO = "2001-01-01T00:00:00Z"  # A beat that lies a second or more from the claim, and so is one.


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Tenant:
    """A namespace as a service account with this role sees it. `pod`: its token is bound to a pod of that name."""

    def __init__(self, cluster, namespace, role="jobrun-worker", account="worker", pod=None):
        self.cluster, self.namespace, self.account = cluster, namespace, account
        self.runs = f"/apis/jobrun.dev/v1/namespaces/{namespace}/jobruns"
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}"
        if cluster.rest.get(path).code == 404:
            cluster.service_account(namespace, account)
            if role:
                cluster.bind(namespace, role, account)
        made = pod and cluster.pod(namespace, pod, {"spec": {"serviceAccountName": account, "containers": [
            {"name": "work", "image": "work"}]}})
        self.pod = made
        self.kubeconfig = cluster.kubeconfig(namespace, account, made)
        self.rest = Rest(self.kubeconfig)

    def create(self, name, spec=None, **metadata):
        """A run, made by the administrator."""
        return self.cluster.create(self.runs, jobrun(name, spec, **metadata))

    def get(self, name):
        return self.cluster.rest.get(f"{self.runs}/{name}").body

    def patch(self, run, **status):
        return self.rest.merge(f"{self.runs}/{run}/status", {"status": status})

    def claim(self, run, name="w1", **status):
        return self.patch(run, phase="Running", claimedBy=name, claimedAt=now(), **status)

    def beat(self, run, at=None, **status):
        return self.patch(run, lastHeartbeatAt=at or now(), **status)

    def silent(self, name, spec=None, **status):
        """A run whose worker claimed it, beat once and fell silent."""
        self.create(name, spec)
        for reply in (self.claim(name, **status), self.beat(name, LONG_AGO)):
            assert reply.code == 200, reply
        return self
