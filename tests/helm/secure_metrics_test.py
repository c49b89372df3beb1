"""metrics.secure: with the rights that the chart gives, the controller tells who may read metrics from who may not."""

import re
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest

from replica import Replicas
from tenants import Tenant

ASK_SECONDS_MAX = 10


class Page:
    """What the metrics port of a replica answers to whom."""

    def __init__(self, cluster, replica):
        self.cluster = cluster
        self.address = re.search(r"\bat=(\S+)", replica.lines("serving metrics")[0])[1]

    def code(self, path, account=None):
        """The HTTP code for that service account of the namespace `work`; without one, for nobody."""
        request = urllib.request.Request(f"https://{self.address}{path}")
        if account:
            request.add_header("Authorization", f"Bearer {self.cluster.token('work', account)}")
        try:
            unverified = ssl._create_unverified_context()
            with urllib.request.urlopen(request, timeout=ASK_SECONDS_MAX, context=unverified) as reply:
                return reply.status
        except urllib.error.HTTPError as refusal:
            return refusal.code

    def certificate(self):
        host, _, port = self.address.rpartition(":")
        return ssl.get_server_certificate((host, int(port)))


@pytest.fixture(scope="module")
def replicas(cluster, tmp_path_factory):
    cluster.namespace("work")
    values = {"metrics": {"secure": True, "certSecret": "given"}}
    begun = Replicas(cluster, tmp_path_factory.mktemp("secure"), values)
    yield begun
    print(begun.logs())
    begun.close()


@pytest.fixture(scope="module")
def page(cluster, replicas):
    return Page(cluster, replicas.start())


def test_who_reads_metrics(cluster, page):
    for account in ("prometheus", "somebody"):
        cluster.service_account("work", account)
    cluster.kubectl("create", "clusterrolebinding", "prometheus-jobrun", "--clusterrole=jobrun-metrics-reader",
                    "--serviceaccount=work:prometheus")
    assert page.code("/metrics") == 401
    assert page.code("/metrics", "somebody") == 403
    assert page.code("/metrics", "prometheus") == 200


def test_who_asks_about_a_run(cluster, page):
    Tenant(cluster, "work").create("asked")
    cluster.service_account("work", "stranger")
    assert page.code("/debug/explain?run=work/asked", "stranger") == 403
    assert page.code("/debug/explain?run=work/asked", "worker") == 200


def test_the_given_certificate_is_served(cluster, replicas, tmp_path):
    subject = ["-subj", "/CN=given", "-days", "1", "-nodes"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *subject,
                    "-keyout", "tls.key", "-out", "tls.crt"], cwd=tmp_path, check=True, capture_output=True)
    assert "--metrics-cert-path=/etc/jobrun-metrics-certs" in replicas.render.arguments()
    given = Page(cluster, replicas.start(f"--metrics-cert-path={tmp_path}"))
    assert given.certificate().strip() == (tmp_path / "tls.crt").read_text().strip()
