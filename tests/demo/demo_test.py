"""The demo's judgement: what it takes for right, and that it takes nothing else for right."""

import dataclasses

import pytest
import yaml

import api
import demo
import report
import stage
from observer import Sighting
from report import Expectation, Limit

REAPED = Expectation("Stuck", "HeartbeatTimeout", Limit("beaten", 5), worker_exit=-9)
STUCK = Sighting(lane="sync", phase="Stuck", reason="HeartbeatTimeout", claimed=1.0, beaten=10.0, ended=15.004)


def judge(expected=REAPED, worker_exit=-9, **changes):
    return report.judge("crashed", expected, dataclasses.replace(STUCK, **changes), worker_exit)


def test_run_that_ended_as_expected_is_one_line():
    assert judge().as_expected
    assert judge().line.split() == ["crashed", "Stuck/HeartbeatTimeout", "Stuck", "HeartbeatTimeout", "0.004s"]


@pytest.mark.parametrize("changes, complaint", [
    ({"phase": "Failed"}, "expected Stuck/HeartbeatTimeout, found Failed/HeartbeatTimeout"),
    ({"reason": "ClaimExpired"}, "found Stuck/ClaimExpired"),
    ({"phase": "Running", "reason": "", "ended": None}, "found Running"),
    ({"ended": 13.9}, "reaped 1.100 s before it was due"),
    ({"worker_exit": None}, "expected its worker to end with -9, found None"),
    ({"expected": Expectation("Succeeded")}, "expected Succeeded, found Stuck/HeartbeatTimeout"),
])
def test_run_that_ended_otherwise_is_told(changes, complaint):
    assert len(judge(**changes).complaints) == 1
    assert judge(**changes).complaints[0].startswith("crashed: ")
    assert complaint in judge(**changes).complaints[0]


def test_run_that_was_never_seen_is_told():
    outcome = report.judge("crashed", REAPED, None, None)
    assert outcome.complaints == ("crashed: the API server never showed it",)


def test_finished_run_has_no_lag():
    finished = Expectation("Succeeded", worker_exit=0)
    outcome = judge(finished, 0, phase="Succeeded", reason="")
    assert outcome.as_expected and outcome.line.split() == ["crashed", "Succeeded", "Succeeded", "-", "-"]


def test_all_as_expected_is_exit_code_0():
    assert report.conclude([judge(), judge()], []) == ("demo: 2 of 2 runs ended as expected", 0)


def test_one_wrong_end_is_exit_code_1():
    assert report.conclude([judge(), judge(phase="Failed")], []) == ("demo: 1 of 2 runs ended as expected", 1)


def test_metrics_that_tell_another_story_are_exit_code_1():
    assert report.conclude([judge()], ["jobrun_runs by phase: …"])[1] == 1


METRICS = """# TYPE jobrun_reaps_total counter
jobrun_reaps_total{lane="sync",reason="HeartbeatTimeout"} 1
jobrun_reaps_total{lane="sync",reason="ClaimExpired"} 0
jobrun_runs{lane="sync",phase="Running"} 1
jobrun_runs{lane="sync",phase="Pending"} 0
jobrun_detection_lag_seconds_count 1
jobrun_detection_lag_seconds_sum 0.002
jobrun_detection_lag_seconds_bucket{le="0.001"} 0
jobrun_detection_lag_seconds_bucket{le="0.0025"} 1
jobrun_detection_lag_seconds_bucket{le="+Inf"} 1
"""


RUNNING = dataclasses.replace(STUCK, phase="Running", reason="", ended=None)


def test_metrics_that_agree_with_the_runs():
    assert report.disagreements_between(report.parse_metrics(METRICS), {"crashed": STUCK, "lives": RUNNING}) == []


@pytest.mark.parametrize("runs, told", [
    ({}, ["reason: the metrics say HeartbeatTimeout 1, the runs none", "phase: the metrics say Running 1, the runs none"]),
    ({"a": STUCK, "b": STUCK, "c": RUNNING, "d": RUNNING}, ["the runs HeartbeatTimeout 2", "the runs Running 2"]),
    ({"a": dataclasses.replace(STUCK, reason="ClaimExpired"), "b": RUNNING}, ["the runs ClaimExpired 1"]),
])
def test_metrics_that_differ_from_the_runs(runs, told):
    found = report.disagreements_between(report.parse_metrics(METRICS), runs)
    assert len(found) == len(told) and all(text in line for text, line in zip(told, found))


def test_metrics_summary_tells_the_lag():
    assert "1 verdicts, 2.0 ms from due to committed on average, all within 0.0025 s" in \
        report.metrics_summary(report.parse_metrics(METRICS))[-1]


def test_limits_are_those_of_the_configuration():
    with open(stage.HERE / "config.yaml", encoding="utf-8") as file:
        config = yaml.safe_load(file)
    keys = {"HeartbeatTimeout": ("heartbeat", "timeoutSeconds"), "DeadlineExceeded": ("deadlineSeconds",),
            "HeartbeatNeverStarted": ("heartbeat", "firstTimeoutSeconds"), "ClaimExpired": ("claimTTLSeconds",),
            "PendingDeadlineExceeded": ("pendingDeadlineSeconds",)}
    for scene in demo.SCENES:
        if scene.expected.limit:
            path = keys[scene.expected.reason]
            levels = (scene.spec, config["lanes"][scene.lane], config["defaults"])
            found = next(value for value in (look_up(level, path) for level in levels) if value is not None)
            assert found == scene.expected.limit.seconds, scene.name


def look_up(level, path):
    for key in path:
        level = level.get(key, {})
    return level or None


def test_no_expectation_is_in_what_the_server_gets():
    sent = []

    class Client:
        def post(self, _, body):
            sent.append(body)

    demo.create_runs(Client())
    assert [set(body) for body in sent] == [{"apiVersion", "kind", "metadata", "spec"}] * len(demo.SCENES)
    assert all(set(body["metadata"]) == {"name"} and set(body["spec"]) <= {"lane", "heartbeat"} for body in sent)


@pytest.mark.parametrize("text", [
    'clusters: [{name: c, cluster: {server: "https://127.0.0.1:1", certificate-authority-data: Y2E=}}]\n'
    "users: [{name: a, user: {token: secret}}]\n",
    "clusters:\n- cluster:\n    certificate-authority-data: Y2E=\n    server: https://127.0.0.1:1\n  name: c\n"
    "users:\n- name: a\n  user:\n    token: secret\n",
])
def test_kubeconfig_in_either_spelling(tmp_path, text):
    (tmp_path / "kubeconfig").write_text(text)
    assert api.read_kubeconfig(tmp_path / "kubeconfig") == api.Cluster("https://127.0.0.1:1", "secret", "ca")
