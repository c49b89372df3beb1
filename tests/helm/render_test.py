"""What the chart makes of its values. Needs helm, and no server."""

import json
import re
import subprocess

import pytest
import yaml

from chart import CHART, KUBE_VERSION, VARIANTS
from servers import CRD, ROOT

ALL_VARIANTS = sorted(path.stem for path in VARIANTS.glob("*.yaml"))


@pytest.fixture(scope="module")
def default(chart):
    return chart.objects()


def test_lint_finds_nothing(chart):
    done = chart.helm("lint", "--strict", "--kube-version", KUBE_VERSION, CHART)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_lint_finds_nothing_in_variants(chart, variant):
    done = chart.helm("lint", "--strict", "--kube-version", KUBE_VERSION, CHART, values=chart.values(variant))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_a_render_is_always_the_same(chart, variant):
    assert chart.text(variant) == chart.text(variant)


def test_what_is_made_from_the_chart_is_up_to_date(chart):
    done = subprocess.run([ROOT / "manifests/render.sh", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_is_of_the_program_s_version():
    version = re.search(r"^project\(jobrun VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), flags=re.M)[1]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version


def test_the_resource_is_that_of_crds(default):
    wanted = yaml.safe_load(CRD.read_text())
    rendered = default.one("CustomResourceDefinition")
    assert rendered["spec"] == wanted["spec"]
    assert rendered["metadata"]["name"] == wanted["metadata"]["name"]


def test_the_resource_is_kept_unless_asked_otherwise(chart, default):
    kept = "helm.sh/resource-policy"
    assert default.one("CustomResourceDefinition")["metadata"]["annotations"] == {kept: "keep"}
    lost = chart.objects({"crds": {"keep": False}}).one("CustomResourceDefinition")
    assert kept not in lost["metadata"].get("annotations", {})
    assert not chart.objects({"crds": {"enabled": False}}).all("CustomResourceDefinition")


def test_the_default_needs_no_resource_of_others(default):
    assert not [each for each in default.objects if each["apiVersion"].startswith("monitoring.coreos.com")]


def test_the_default_arguments(default):
    assert default.arguments() == [
        "--config=/etc/jobrun/config.yaml", "--leader-elect", "--leader-election-namespace=jobrun-system",
        "--leader-election-id=jobrun", "--metrics-bind-address=:8080", "--health-probe-bind-address=:8081",
        "--log-level=info", "--log-format=text"]


def test_arguments_of_namespaced_mode(chart):
    arguments = chart.objects("namespaced").arguments()
    assert [each for each in arguments if each.startswith(("--namespace", "--selector"))] == [
        "--namespace=team-a", "--namespace=team-b", "--selector=team=a"]


def test_arguments_of_secure_metrics(chart):
    render = chart.objects("secure-metrics")
    assert {"--metrics-secure", "--metrics-cert-path=/etc/jobrun-metrics-certs", "--metrics-bind-address=:8443"} <= set(
        render.arguments())
    assert {"name": "metrics-certs", "mountPath": "/etc/jobrun-metrics-certs", "readOnly": True} in render.container()[
        "volumeMounts"]
    self_signed = chart.objects({"metrics": {"secure": True}})
    assert "--metrics-secure" in self_signed.arguments()
    assert not [each for each in self_signed.arguments() if each.startswith("--metrics-cert-path")]


def test_metrics_turned_off(chart):
    render = chart.objects({"metrics": {"enabled": False}})
    assert "--metrics-bind-address=0" in render.arguments()
    assert not render.all("Service")


def test_no_election_for_one_replica_that_wants_none(chart):
    render = chart.objects("single")
    assert "--leader-elect" not in render.arguments()
    assert render.one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    own = render.one("Role", "jobrun-own")
    assert not [rule for rule in own["rules"] if "leases" in rule["resources"]]


def test_the_environment_names_the_pod(default):
    paths = {each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"] for each in default.container()["env"]}
    assert paths == {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace", "POD_UID": "metadata.uid"}


@pytest.mark.parametrize("image, wanted", [
    ({}, "jobrun:0.1.0"),
    ({"tag": "v2"}, "jobrun:v2"),
    ({"registry": "example.com:5000", "repository": "a/b"}, "example.com:5000/a/b:0.1.0"),
    ({"digest": "sha256:" + "a" * 64}, "jobrun@sha256:" + "a" * 64),
])
def test_the_image(chart, image, wanted):
    assert chart.objects({"image": image}).container()["image"] == wanted


def test_a_parent_chart_names_the_registry(chart):
    assert chart.objects({"global": {"imageRegistry": "r.io"}}).container()["image"] == "r.io/jobrun:0.1.0"
    assert chart.objects("digest").pod()["spec"]["imagePullSecrets"] == [{"name": "shared"}, {"name": "regcred"}]


def test_the_configuration_is_a_directory_that_is_reloaded(chart, default):
    mounts = default.container()["volumeMounts"]
    assert mounts == [{"name": "config", "mountPath": "/etc/jobrun", "readOnly": True}]
    assert yaml.safe_load(default.config()) == {}
    values = chart.values("everything")
    assert yaml.safe_load(chart.objects(values).config()) == values["config"]


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_no_volume_is_mounted_inside_another(chart, variant):
    """A runtime can't make a directory for it in a read-only volume."""
    paths = [each["mountPath"].rstrip("/") + "/" for each in chart.objects(variant).container()["volumeMounts"]]
    assert not [(inner, outer) for inner in paths for outer in paths if inner != outer and inner.startswith(outer)]


def test_only_what_a_reload_does_not_apply_restarts_the_pods(chart, default):
    lanes = {"config": {"lanes": {"etl": {"deadlineSeconds": 60}}, "reaping": "DryRun"}}
    election = {"config": {"leaderElection": {"leaseSeconds": 30}}}
    assert chart.objects(lanes).pod() == default.pod()
    assert chart.objects(election).pod() != default.pod()


def test_a_disruption_budget_only_where_there_is_something_to_disrupt(chart, default):
    assert default.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert not chart.objects("single").all("PodDisruptionBudget")
    assert chart.objects("overrides").one("PodDisruptionBudget")["spec"]["maxUnavailable"] == "50%"


def test_pods_spread_over_nodes(chart, default):
    labels = default.one("Deployment")["spec"]["selector"]
    assert default.pod()["spec"]["topologySpreadConstraints"] == [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
         "labelSelector": labels}]
    assert "topologySpreadConstraints" not in chart.objects("single").pod()["spec"]


def test_selectors_find_the_pods_and_nothing_that_changes(chart):
    for variant in (None, "overrides"):
        render = chart.objects(variant and {**chart.values(variant), "networkPolicy": {"enabled": True}})
        labels = render.pod()["metadata"]["labels"].items()
        selector = render.one("Deployment")["spec"]["selector"]["matchLabels"]
        assert selector.keys() == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
        assert selector.items() <= labels
        assert render.one("Service")["spec"]["selector"] == selector
        assert render.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == selector


def test_common_labels_and_annotations_are_everywhere(chart):
    values = {key: value for key, value in chart.values("overrides").items() if key != "extraObjects"}
    for each in chart.objects(values).objects:
        metadata = each["metadata"]
        assert metadata["labels"]["team"] == "platform", metadata["name"]
        assert metadata["annotations"]["example.com/page"] == "platform-oncall", metadata["name"]


def test_every_name_has_the_release_s_full_name(chart):
    values = {key: value for key, value in chart.values("overrides").items() if key != "extraObjects"}
    names = {each["metadata"]["name"] for each in chart.objects({**values, "serviceAccount": {}}).objects}
    assert {name for name in names if not name.startswith("shared-liveness")} == {"jobruns.jobrun.dev"}


@pytest.mark.parametrize("release, wanted", [
    ("jobrun", "jobrun"), ("my-jobrun", "my-jobrun"), ("shared", "shared-jobrun"), ("r" * 53, "r" * 40)])
def test_the_full_name(chart, release, wanted):
    assert chart.objects(release=release).one("Deployment")["metadata"]["name"] == wanted


def test_namespaced_mode_needs_nothing_in_the_cluster_s_scope(chart):
    render = chart.objects("namespaced")
    assert render.kinds() == ["ConfigMap", "Deployment", "PodDisruptionBudget", "Role", "RoleBinding", "Service",
                              "ServiceAccount"]
    roles = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in render.all("Role")}
    assert roles == {("team-a", "jobrun"), ("team-b", "jobrun"), ("jobrun-system", "jobrun-own")}


def test_a_policy_of_namespaced_mode_is_bound_to_its_namespaces(chart, default):
    assert "matchResources" not in default.one("ValidatingAdmissionPolicyBinding")["spec"]
    values = {"watch": {"namespaces": ["team-b", "team-a"]}}
    (expression,) = chart.objects(values).one("ValidatingAdmissionPolicyBinding")["spec"]["matchResources"][
        "namespaceSelector"]["matchExpressions"]
    assert expression == {"key": "kubernetes.io/metadata.name", "operator": "In",
                          "values": ["jobrun-system", "team-a", "team-b"]}


def test_rights_on_pods_only_where_they_are_judged(chart, default):
    def on_pods(render):
        return [rule["verbs"] for rule in render.one("ClusterRole", "jobrun")["rules"] if "pods" in rule["resources"]]
    assert on_pods(default) == []
    assert on_pods(chart.objects({"config": {"executors": {"enabled": True}}})) == [["get", "list", "watch"]]


def test_workers_get_no_right_to_forge_managed_fields(default):
    (runs, status) = default.one("ClusterRole", "jobrun-worker")["rules"]
    assert (runs["resources"], runs["verbs"]) == (["jobruns"], ["get", "list", "watch"])
    assert (status["resources"], status["verbs"]) == (["jobruns/status"], ["get", "patch"])


def test_nobody_but_the_controller_has_the_verb_by_which_it_is_known(chart):
    for each in chart.objects("everything").all("ClusterRole"):
        has_it = any("reap" in rule["verbs"] for rule in each["rules"])
        assert has_it == (each["metadata"]["name"] == "jobrun"), each["metadata"]["name"]
        assert not any("*" in rule["verbs"] for rule in each["rules"])


def test_aggregation_can_be_turned_off(chart, default):
    def aggregated(render):
        return [(role["metadata"]["name"], label.rpartition("/")[2]) for role in render.all("ClusterRole")
                for label in role["metadata"]["labels"] if label.startswith("rbac.authorization.k8s.io/")]
    assert sorted(aggregated(default)) == [
        ("jobrun-editor", "aggregate-to-admin"), ("jobrun-editor", "aggregate-to-edit"),
        ("jobrun-viewer", "aggregate-to-admin"), ("jobrun-viewer", "aggregate-to-edit"),
        ("jobrun-viewer", "aggregate-to-view")]
    assert aggregated(chart.objects("no-crds")) == []


def test_alerts_are_changed_one_by_one(chart):
    def alerts(values):
        groups = chart.objects({"prometheusRule": {"enabled": True, **values}}).one("PrometheusRule")["spec"]["groups"]
        return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}
    file = yaml.safe_load((CHART / "rules/jobrun.rules.yaml").read_text())
    assert alerts({}) == {rule["alert"]: {**rule, "labels": rule.get("labels", {})}
                          for group in file["groups"] for rule in group["rules"] if "alert" in rule}
    name = "JobRunControllerDown"
    assert name not in alerts({"alerts": {name: {"enabled": False}}})
    changed = alerts({"alertLabels": {"team": "a"}, "alerts": {name: {"for": "42m", "severity": "info"}}})[name]
    assert changed["for"] == "42m" and changed["labels"]["severity"] == "info" and changed["labels"]["team"] == "a"
    unknown = {"prometheusRule": {"enabled": True, "alerts": {"NoSuch": {"for": "1m"}}}}
    assert "prometheusRule.alerts.NoSuch: expected one of" in chart.refusal(unknown)


def test_dashboards_are_those_of_the_files(chart):
    dashboards = chart.objects("everything").one("ConfigMap", "jobrun-dashboards")
    assert dashboards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboards["metadata"]["annotations"] == {"grafana_folder": "Jobs"}
    files = {path.name: json.loads(path.read_text()) for path in (CHART / "dashboards").glob("*.json")}
    assert files and {name: json.loads(text) for name, text in dashboards["data"].items()} == files


def test_a_monitor_finds_the_service(chart):
    render = chart.objects("everything")
    monitor, service = render.one("ServiceMonitor"), render.one("Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert (endpoint["scheme"], endpoint["tlsConfig"]) == ("https", {"insecureSkipVerify": True})
    assert monitor["metadata"]["labels"]["release"] == "monitoring"


def test_further_objects_are_templates(chart):
    render = chart.objects("overrides")
    assert render.one("ConfigMap", "jobrun-extra")["data"] == {"name": "shared-liveness"}
    assert render.one("ConfigMap", "extra-text")["metadata"]["namespace"] == "jobrun-system"


def test_every_variant_is_used_for_something_else(chart, default):
    texts = {chart.text(variant) for variant in ALL_VARIANTS}
    assert len(texts | {default.text}) == len(ALL_VARIANTS) + 1


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / path).read_text(), flags=re.M | re.S)


@pytest.mark.parametrize("text", blocks("docs/install.md", "yaml"), ids=lambda text: text.split()[0])
def test_values_in_the_documentation_are_taken(chart, text):
    assert chart.text(yaml.safe_load(text)) != chart.text()


def test_the_plain_manifest_takes_the_image_as_documented():
    lines = "".join(blocks("docs/install.md", "sh")).splitlines()
    (command,) = [line for line in lines if line.startswith("sed ")]
    done = subprocess.run(command.partition(" | ")[0], shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    images = [each["spec"]["template"]["spec"]["containers"][0]["image"] for each in yaml.safe_load_all(done.stdout)
              if each["kind"] == "Deployment"]
    assert images == ["registry.example.com/platform/jobrun:0.1.0"]
