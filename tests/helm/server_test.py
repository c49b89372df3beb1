"""Every object of every variant before a real API server, and the life of a release."""

import os
import subprocess

import pytest
import yaml

from chart import CHART, NAMESPACE, RELEASE, VARIANTS
from cluster import eventually
from kubeserver import bin_dir
from servers import ROOT, jobrun

ALL_VARIANTS = sorted(path.stem for path in VARIANTS.glob("*.yaml"))
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RUNS = "/apis/jobrun.dev/v1/namespaces/default/jobruns"


@pytest.fixture(scope="module", autouse=True)
def prepared(cluster):
    """The namespaces that the variants name, and the resources of the Prometheus operator."""
    for namespace in (NAMESPACE, "team-a", "team-b"):
        cluster.namespace(namespace, **RESTRICTED)
    cluster.kubectl("apply", "--server-side", "-f", str(ROOT / "tests/helm/operator-crds.yaml"))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")


def dry_run(cluster, text):
    """Has the API server judge every object as if it were to be stored; warnings are refusals too."""
    wanted = [each for each in yaml.safe_load_all(text) if each]
    done = cluster.try_kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict",
                               "--warnings-as-errors", "-f", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(wanted), done.stdout


def test_every_object_of_the_default(cluster, chart):
    dry_run(cluster, chart.text())


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_every_object_of_a_variant(cluster, chart, variant):
    dry_run(cluster, chart.text(variant))


@pytest.mark.parametrize("variant", [None, *ALL_VARIANTS])
def test_the_pod_is_allowed_where_pods_are_restricted(cluster, chart, variant):
    template = chart.objects(variant).pod()
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tried"}, "spec": template["spec"]}
    reply = cluster.rest.post(f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All&fieldValidation=Strict", pod)
    assert reply.code == 201, reply.message
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    refused = cluster.rest.post(f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All", pod)
    assert refused.code == 403 and "restricted" in refused.message


def test_the_plain_manifest(cluster):
    text = (ROOT / "manifests/install.yaml").read_text()
    namespace = cluster.rest.get(f"/api/v1/namespaces/{NAMESPACE}").body
    assert namespace["metadata"]["labels"].items() >= RESTRICTED.items()
    dry_run(cluster, text)


def resource(cluster):
    return cluster.rest.get(f"{CRDS}/jobruns.jobrun.dev")


def gone(cluster, release=RELEASE):
    """Everything of the release that was in the cluster is there no more, the resource aside."""
    kinds = "clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts,configmaps,deployments,services," \
            "poddisruptionbudgets,flowschemas,prioritylevelconfigurations,validatingadmissionpolicies," \
            "validatingadmissionpolicybindings"
    left = cluster.kubectl("get", kinds, "-A", "-o", "name", "-l", f"app.kubernetes.io/instance={release}")
    return left == ""


def try_it(cluster, notes):
    """Does what the notes say, up to where they watch."""
    commands = notes[notes.index("  echo '{"):notes.index("  kubectl -n default get jobrun try-it -w")]
    environment = {**os.environ, "KUBECONFIG": cluster.server.kubeconfig, "PATH": f"{bin_dir()}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-euc", commands], env=environment, timeout=60, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    status = cluster.rest.get(f"{RUNS}/try-it").body["status"]
    assert status["phase"] == "Running" and status["lastHeartbeatAt"] > status["claimedAt"]


def test_a_release_is_installed_upgraded_rolled_back_and_uninstalled(cluster):
    """With crds.keep the runs outlive all of it."""
    def replicas():
        return cluster.rest.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{RELEASE}").body["spec"]["replicas"]

    told = cluster.install(RELEASE, NAMESPACE)
    assert "STATUS: deployed" in told
    cluster.await_runs()
    try_it(cluster, told)
    uid = cluster.create(RUNS, jobrun("survivor"))["metadata"]["uid"]

    cluster.install(RELEASE, NAMESPACE, {"replicas": 3, "config": {"reaping": "DryRun"}})
    assert replicas() == 3
    config = cluster.rest.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{RELEASE}").body["data"]["config.yaml"]
    assert yaml.safe_load(config) == {"reaping": "DryRun"}

    cluster.helm("rollback", RELEASE, "1", "--namespace", NAMESPACE)
    assert replicas() == 2

    assert "jobruns.jobrun.dev" in cluster.uninstall(RELEASE, NAMESPACE)  # It says what it kept.
    assert gone(cluster)
    assert resource(cluster).code == 200
    assert cluster.rest.get(f"{RUNS}/survivor").body["metadata"]["uid"] == uid

    cluster.install(RELEASE, NAMESPACE)  # It takes the kept resource over.
    assert cluster.rest.get(f"{RUNS}/survivor").body["metadata"]["uid"] == uid

    cluster.install(RELEASE, NAMESPACE, {"crds": {"enabled": False}})
    assert resource(cluster).code == 200
    cluster.uninstall(RELEASE, NAMESPACE)


def test_without_keep_the_runs_go_with_the_release(cluster):
    cluster.install(RELEASE, NAMESPACE)
    assert "deletes the resource" in cluster.install(RELEASE, NAMESPACE, {"crds": {"keep": False}})
    cluster.await_runs()
    cluster.rest.post(RUNS, jobrun("lost"))
    cluster.uninstall(RELEASE, NAMESPACE)
    eventually(lambda: resource(cluster).code == 404, "the resource is deleted")
    assert gone(cluster)


def test_a_resource_that_was_applied_by_hand_is_taken_over_as_documented(cluster):
    """docs/install.md gives these two commands."""
    cluster.kubectl("delete", "crd", "jobruns.jobrun.dev", "--ignore-not-found")
    cluster.kubectl("apply", "--server-side", "-f", str(ROOT / "crds/jobruns.yaml"))
    refused = cluster.chart.helm("install", RELEASE, CHART, "--namespace", NAMESPACE,
                                 kubeconfig=cluster.server.kubeconfig)
    assert refused.returncode != 0 and "jobruns.jobrun.dev" in refused.stderr
    cluster.kubectl("label", "crd", "jobruns.jobrun.dev", "app.kubernetes.io/managed-by=Helm")
    cluster.kubectl("annotate", "crd", "jobruns.jobrun.dev", f"meta.helm.sh/release-name={RELEASE}",
                    f"meta.helm.sh/release-namespace={NAMESPACE}")
    cluster.install(RELEASE, NAMESPACE)
    cluster.uninstall(RELEASE, NAMESPACE)


def test_releases_of_several_teams_stand_side_by_side(cluster):
    """Each with its own name, policy and FlowSchemas; what is shared comes with the first."""
    cluster.install(RELEASE, NAMESPACE, {"watch": {"namespaces": ["team-a"]}})
    second = {"watch": {"namespaces": ["team-b"]}, "crds": {"enabled": False}, "userRoles": {"create": False}}
    cluster.install("team-b-jobrun", NAMESPACE, second)
    names = cluster.kubectl("get", "validatingadmissionpolicies,deployments,roles", "-A", "-o", "name", "-l",
                            "app.kubernetes.io/part-of=jobrun").split()
    assert {name.rpartition("/")[2] for name in names} == {
        RELEASE, f"{RELEASE}-own", "team-b-jobrun", "team-b-jobrun-own"}
    cluster.uninstall(RELEASE, NAMESPACE)
    assert resource(cluster).code == 200 and not gone(cluster, "team-b-jobrun")
    cluster.uninstall("team-b-jobrun", NAMESPACE)
    assert gone(cluster, "team-b-jobrun")


def test_a_tenant_with_no_right_in_the_cluster_s_scope_installs_it(cluster):
    """Namespaced mode, by somebody who is only `admin` of some namespaces and may give what the controller needs."""
    namespaces = (NAMESPACE, "team-a", "team-b")
    needed = cluster.chart.objects("namespaced").one("Role", RELEASE + "-own")["rules"]
    watched = next(each["rules"] for each in cluster.chart.objects("namespaced").all("Role")
                   if each["metadata"]["namespace"] == "team-a")
    cluster.service_account("default", "tenant")
    cluster.create("/apis/rbac.authorization.k8s.io/v1/clusterroles",
                   {"metadata": {"name": "may-give"}, "rules": needed + watched})
    for namespace in namespaces:
        for role in ("admin", "may-give"):
            cluster.create(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings", {
                "metadata": {"name": f"tenant-{role}"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": "tenant", "namespace": "default"}]})
    # No controller of the cluster runs here that would put `admin` together from the roles aggregated to it.
    own = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["*"]}
    basics = {"apiGroups": ["", "apps", "policy"], "verbs": ["*"], "resources": [
        "configmaps", "secrets", "serviceaccounts", "services", "deployments", "poddisruptionbudgets"]}
    cluster.kubectl("patch", "clusterrole", "admin", "--type=merge", "-p", yaml.safe_dump(
        {"aggregationRule": None, "rules": [own, basics]}))
    tenant = cluster.kubeconfig("default", "tenant")
    told = cluster.helm("install", "tenant", CHART, "--namespace", NAMESPACE, kubeconfig=tenant,
                        values=cluster.chart.values("namespaced"))
    assert "It watches runs in team-a, team-b." in told
    cluster.helm("uninstall", "tenant", "--namespace", NAMESPACE, kubeconfig=tenant)
