"""Runs that can't be had, and words on the command line that make no sense: one clear line each, and its exit code."""

import json

import pytest

from gate import Gate
from wrapper import await_true


@pytest.fixture
def gate(bench):
    gate = Gate(bench.server.kubeconfig, bench.dir)
    yield gate
    gate.close()


def refusal(bench, *arguments, **options):
    """(exit code, what stands on stderr, which is one line)."""
    wrapper = bench.call(*arguments, **options)
    assert wrapper.out == ""
    assert len(wrapper.err.splitlines()) == 1, wrapper.err
    return wrapper.wait(), wrapper.err


def exec_of(bench, name):
    return "exec", "-n", bench.namespace, "--run", name, "--", "true"


def test_an_unknown_run(bench):
    code, text = refusal(bench, *exec_of(bench, "nope"))
    assert code == 66 and "nope" in text and "not found" in text


def test_a_run_of_another_worker(bench):
    bench.create()
    bench.patch(phase="Running", claimedAt="2026-01-01T00:00:00Z", claimedBy="laptop-7")
    code, text = refusal(bench, *exec_of(bench, "r"))
    assert code == 73 and "claimed by laptop-7 since 2026-01-01T00:00:00Z" in text


def test_a_run_that_is_assigned_to_another_worker(bench):
    bench.create(assignedTo="laptop-7")
    code, text = refusal(bench, *exec_of(bench, "r"))
    assert code == 73 and "assigned to laptop-7" in text
    assert bench.exec("--worker", "laptop-7", script="true").wait() == 0


def test_a_run_that_is_over(bench):
    bench.create()
    bench.patch(phase="Failed", reason="Reported", completionTime="2026-01-01T00:00:00Z")
    code, text = refusal(bench, *exec_of(bench, "r"))
    assert code == 65 and "Failed (Reported) since 2026-01-01T00:00:00Z" in text


def test_a_cancelled_run(bench):
    bench.create(cancelled=True)
    code, text = refusal(bench, *exec_of(bench, "r"))
    assert code == 65 and "cancelled" in text


def test_no_server(bench):
    path = bench.kubeconfig_through("127.0.0.1:1")
    arguments = ("exec", "-n", bench.namespace, "--run", "r", "--claim-timeout", "1", "--", "true")
    code, text = refusal(bench, *arguments, kubeconfig=path)
    assert code == 69 and "127.0.0.1:1" in text


def test_no_right(bench):
    if bench.server.name != "kube":
        return  # The dev server refuses nobody.
    bench.create()
    path = bench.server.kubeconfig_for("stranger")
    code, text = refusal(bench, *exec_of(bench, "r"), kubeconfig=path)
    assert code == 77 and "stranger" in text


def test_no_credentials(bench):
    code, text = refusal(bench, *exec_of(bench, "r"), environment={"KUBECONFIG": "/no/such/file", "HOME": "/no/such"})
    assert code == 77 and "/no/such/file" in text


@pytest.mark.parametrize("arguments, told", [
    (("exec", "--run", "r"), "expected a command behind --"),
    (("exec", "--", "true"), "--run NAME or --create"),
    (("exec", "--run", "a/b/c", "--", "true"), "a/b/c"),
    (("exec", "--run", "r", "--liveness", "maybe", "--", "true"), "process or progress"),
    (("exec", "--run", "r", "--interval", "0", "--", "true"), "--interval"),
    (("exec", "--run", "r", "--worker", "A B", "--", "true"), "--worker"),
    (("exec", "--create", "-f", "/no/such.yaml", "--", "true"), "/no/such.yaml"),
    (("work", "--", "true"), "--lane"),
    (("work", "--lane", "NO LANE", "--", "true"), "--lane"),
    (("work", "--lane", "a", "--concurrency", "0", "--", "true"), "--concurrency"),
    (("complete", "r", "--failed", "Broken", "--exit-code", "0"), "contradict"),
    (("exce", "--run", "r"), "unknown command exce, did you mean exec?"),
    (("exec", "--rnu", "r"), "unknown flag --rnu, did you mean --run?"),
    ((), "subcommand"),
])
def test_a_command_line_that_makes_no_sense(bench, arguments, told):
    code, text = refusal(bench, *arguments)
    assert code == 64 and told in text, text


@pytest.mark.parametrize("text, told", [
    ("a: [1", "line 1"),
    ("kind: Pod\napiVersion: v1\n", "expected apiVersion jobrun.dev/v1"),
    ("apiVersion: jobrun.dev/v1\nkind: JobRun\nspec: {a: 1, a: 2}\n", "twice"),
    ("- 1\n", "expected one JobRun"),
    ("apiVersion: jobrun.dev/v1\nkind: JobRun\nspec: []\n", "expected a mapping"),
])
def test_a_manifest_that_is_none(bench, text, told):
    path = bench.dir / "bad.yaml"
    path.write_text(text)
    code, said = refusal(bench, "create", "-n", bench.namespace, "-f", path)
    assert code == 64 and told in said, said


def test_a_run_that_the_server_refuses(bench):
    path = bench.dir / "bad.yaml"
    path.write_text("apiVersion: jobrun.dev/v1\nkind: JobRun\nspec: {deadlineSeconds: -1}\n")
    code, text = refusal(bench, "create", "-n", bench.namespace, "-f", path)
    assert code == 1 and "deadlineSeconds" in text


def test_failures_can_be_read_by_machines(bench):
    code, text = refusal(bench, "-o", "json", *exec_of(bench, "nope"))
    error = json.loads(text)["error"]
    assert (code, error["exitCode"], error["reason"]) == (66, 66, "NotFound") and "nope" in error["message"]


def test_single_writes(bench):
    """beat and complete, for workers that are scripts."""
    bench.create()
    code, text = refusal(bench, "beat", "-n", bench.namespace, "r")
    assert code == 1 and "Pending" in text
    bench.patch(phase="Running", claimedAt="2026-01-01T00:00:00Z", claimedBy="w1")
    assert bench.call("beat", "-n", bench.namespace, "r", "--worker", "w1", "--progress", "1/2").wait() == 0
    assert bench.status()["progress"] == "1/2" and bench.status()["lastHeartbeatAt"]
    code, text = refusal(bench, "beat", "-n", bench.namespace, "r", "--worker", "w2")
    assert code == 73 and "claimed by w1" in text
    assert bench.call("complete", "-n", bench.namespace, "r", "--exit-code", "4").wait() == 0
    assert (bench.phase(), bench.status()["exitCode"]) == ("Failed", 4)
    code, text = refusal(bench, "beat", "-n", bench.namespace, "r")
    assert code == 65 and "ExitNonZero" in text
    code, text = refusal(bench, "beat", "-n", bench.namespace, "nope")
    assert code == 66


def test_a_write_that_is_refused_while_the_run_is_ours_is_no_fence(bench):
    bench.create()
    bench.patch(phase="Running", claimedAt="2026-01-01T00:00:00Z", claimedBy="w1", exitCode=3)
    code, text = refusal(bench, "complete", "-n", bench.namespace, "r", "--worker", "w1", "--exit-code", "4")
    assert code == 1 and "exitCode is set once" in text
    assert bench.phase() == "Running"
    assert bench.call("complete", "-n", bench.namespace, "r", "--worker", "w1", "--exit-code", "3").wait() == 0
    assert bench.phase() == "Failed"


def test_a_beat_that_a_policy_refuses_while_the_run_is_ours_is_no_fence(bench, gate):
    bench.create()
    bench.patch(phase="Running", claimedAt="2026-01-01T00:00:00Z", claimedBy="w1")
    for code in (409, 422):
        end = gate.refuse(code, "a policy", lambda method, path, headers: method == "PATCH")
        wrapper = bench.call("beat", "-n", bench.namespace, "r", kubeconfig=gate.kubeconfig)
        assert wrapper.wait() == 1 and "a policy" in wrapper.err
        end()


def test_a_run_that_is_given_up_between_the_look_and_the_write_is_the_fence(bench, gate):
    for command in ("beat", "complete"):
        bench.create(command)
        bench.patch(command, phase="Running", claimedAt="2026-01-01T00:00:00Z", claimedBy="w1")
        write = gate.catch("PATCH", "/status")
        wrapper = bench.jobrun(command, "-n", bench.namespace, command, kubeconfig=gate.kubeconfig)
        write.wait()
        bench.patch(command, phase="Stuck", reason="HeartbeatTimeout")
        assert write.forward() == 422
        assert wrapper.wait() == 65
        assert "Stuck (HeartbeatTimeout)" in wrapper.err


def test_a_beat_from_within_the_work_needs_no_words(bench):
    bench.create(timeout=60, interval=30)
    wrapper = bench.exec(script="sleep 1; $JOBRUN beat --progress 9/9", environment={"JOBRUN": __import__("wrapper").program()})
    assert wrapper.wait() == 0, wrapper.err
    await_true(lambda: bench.status()["progress"] == "9/9")
