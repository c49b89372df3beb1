"""What holds of all that the chart renders together; single values are the suites' (suites_test.py). Needs helm, and no server."""

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


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_the_configuration_is_that_of_the_values(chart, variant):
    values = chart.values(variant)
    assert yaml.safe_load(chart.objects(values).config()) == values.get("config", {})


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


def test_nobody_but_the_controller_has_the_verb_by_which_it_is_known(chart):
    for each in chart.objects("everything").all("ClusterRole"):
        has_it = any("reap" in rule["verbs"] for rule in each["rules"])
        assert has_it == (each["metadata"]["name"] == "jobrun"), each["metadata"]["name"]
        assert not any("*" in rule["verbs"] for rule in each["rules"])


def test_alerts_are_those_of_the_file(chart):
    rendered = chart.objects({"prometheusRule": {"enabled": True}}).one("PrometheusRule")["spec"]["groups"]
    file = yaml.safe_load((CHART / "rules/jobrun.rules.yaml").read_text())["groups"]
    for rule in (rule for group in file for rule in group["rules"] if "alert" in rule):
        rule.setdefault("labels", {})
    assert rendered == file


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
