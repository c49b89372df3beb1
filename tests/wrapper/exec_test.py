"""What `jobrun exec` does for the work it runs: its beginning, its signals, its end."""

import json
import os
import re
import signal

import pytest

from servers import ROOT
from wrapper import await_true, is_alive


def test_the_works_end_is_the_runs_end_and_ours(bench):
    bench.create()
    wrapper = bench.exec(script="echo out; echo err >&2; sleep 1.5; exit 0")
    assert wrapper.wait() == 0
    assert (wrapper.out, wrapper.err) == ("out\n", "err\n"), "nothing is added to what the work prints"
    status = bench.status()
    assert (status["phase"], status["exitCode"]) == ("Succeeded", 0)
    assert status["claimedAt"] < status["lastHeartbeatAt"] < status["exitTime"] == status["completionTime"]


@pytest.mark.parametrize("script, code", [("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
def test_a_failure_keeps_its_status(bench, script, code):
    bench.create()
    assert bench.exec(script=script).wait() == code
    status = bench.status()
    assert (status["phase"], status["reason"], status["exitCode"]) == ("Failed", "ExitNonZero", code)


@pytest.mark.parametrize("command, code", [("no-such-command", 127), ("/etc/passwd", 126), ("/no/such", 127)])
def test_what_can_not_be_run_claims_nothing(bench, command, code):
    bench.create()
    wrapper = bench.call("exec", "-n", bench.namespace, "--run", "r", "--", command)
    assert wrapper.wait() == code
    assert len(wrapper.err.splitlines()) == 1 and command in wrapper.err
    assert bench.phase() == "Pending"


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "USR1", "USR2", "TERM"])
def test_signals_reach_the_whole_process_group(bench, name):
    bench.create()
    trap = f"trap 'echo child {name}; exit 7' {name}"
    wrapper = bench.begun(script=f"{trap}; sh -c \"{trap}; echo inner; while :; do sleep 0.1; done\" & wait; wait")
    wrapper.said("inner")
    wrapper.signal(getattr(signal, "SIG" + name))
    assert wrapper.wait() == 7
    # What a shell starts in the background ignores these two.
    await_true(lambda: wrapper.out.count(f"child {name}") == (1 if name in ("INT", "QUIT") else 2))


def test_work_that_ends_on_term_is_handed_back(bench):
    bench.create()
    wrapper = bench.begun()
    wrapper.signal(signal.SIGTERM)
    assert wrapper.wait() == 143
    status = bench.status()
    assert (status["phase"], status["reason"]) == ("Failed", "HandedBack")
    assert "exitCode" not in status, "it says nothing about the work"


def test_work_that_finishes_on_term_has_succeeded(bench):
    bench.create()
    wrapper = bench.begun(script="trap 'exit 0' TERM; while :; do sleep 0.1; done")
    wrapper.signal(signal.SIGTERM)
    assert wrapper.wait() == 0
    assert bench.phase() == "Succeeded"


def test_the_work_knows_its_run(bench):
    bench.create(lane="etl", payload={"rows": [1, 2], "text": "a\"b"})
    wrapper = bench.exec("--worker", "w7", script="env | grep ^JOBRUN_ | sort; cat $JOBRUN_PAYLOAD_FILE; "
                         "echo; stat -c %a $JOBRUN_PAYLOAD_FILE; echo file $JOBRUN_PAYLOAD_FILE")
    assert wrapper.wait() == 0
    lines = wrapper.out.splitlines()
    assert {"JOBRUN_NAME=r", f"JOBRUN_NAMESPACE={bench.namespace}", "JOBRUN_ATTEMPT=1", "JOBRUN_LANE=etl",
            "JOBRUN_WORKER=w7", "JOBRUN_PROGRESS_FD=3", "600"} <= set(lines)
    assert {"rows": [1, 2], "text": "a\"b"} in [json.loads(line) for line in lines if line.startswith("{")]
    path = next(line for line in lines if line.startswith("file ")).split()[1]
    assert not is_file(path), "the payload's file is gone with the work"
    assert bench.status()["claimedBy"] == "w7"


def is_file(path):
    try:
        with open(path):
            return True
    except FileNotFoundError:
        return False


def test_a_payload_that_can_not_be_written_fails_the_run_and_says_why(bench):
    bench.create(payload={"a": 1})
    wrapper = bench.exec(script="true", environment={"TMPDIR": "/no/such/folder"})
    assert wrapper.wait() == 126
    assert "set TMPDIR" in wrapper.err
    assert bench.status()["reason"] == "ExitNonZero"


def test_progress_goes_with_the_heartbeats(bench):
    bench.create()
    wrapper = bench.exec(script="echo 1/2 >&3; sleep 2; echo 2/2 >&$JOBRUN_PROGRESS_FD; sleep 2; echo done >&3")
    await_true(lambda: bench.status().get("progress") == "1/2")
    await_true(lambda: bench.status().get("progress") == "2/2")
    assert wrapper.wait() == 0
    assert bench.status()["progress"] == "done", "the last word is not lost with the work"


def test_progress_may_stand_in_a_file(bench):
    bench.create()
    path = bench.dir / "progress"
    wrapper = bench.exec("--progress-file", path, script=f"echo 1 >>{path}; sleep 3; printf '2\\n3/3' >>{path}; sleep 3")
    await_true(lambda: bench.status().get("progress") == "1")
    await_true(lambda: bench.status().get("progress") == "3/3")
    assert wrapper.wait() == 0


def test_heartbeats_that_mean_progress_end_with_it(bench):
    bench.create()
    script = "for i in 1 2 3 4; do echo $i >&3; sleep 0.6; done; sleep 60"
    wrapper = bench.exec("--liveness", "progress", "--grace", "1", script=script)
    assert wrapper.wait() == 143
    assert "no progress was reported for 3 s" in wrapper.err
    status = bench.status()
    assert (status["reason"], status["progress"]) == ("HandedBack", "4")


def test_a_program_in_cpp_reports_from_inside_its_loop(bench):
    bench.create()
    wrapper = bench.call("exec", "-n", bench.namespace, "--run", "r", "--liveness", "progress", "--", work_in_cpp(), 12)
    assert wrapper.wait() == 0
    assert bench.status()["progress"] == "12/12"


def test_a_program_in_cpp_that_hangs_is_found(bench):
    bench.create()
    wrapper = bench.call("exec", "-n", bench.namespace, "--run", "r", "--liveness", "progress", "--", work_in_cpp(), 4, "hang")
    assert wrapper.wait() == 143
    assert (bench.status()["reason"], bench.status()["progress"]) == ("HandedBack", "4/4")


def work_in_cpp():
    return os.environ.get("JOBRUN_PROGRESS_WORK") or ROOT / "build/release/bin/progress_work"


def test_a_cancelled_run_stops_its_work(bench):
    bench.create()
    wrapper = bench.begun()
    bench.edit(cancelled=True)
    assert wrapper.wait() == 143
    status = bench.status()
    assert (status["phase"], status["reason"]) == ("Failed", "Cancelled")


def test_gates_leave_the_end_to_the_controller(bench):
    bench.create(completionGates=[{"conditionType": "Copied"}])
    wrapper = bench.exec(script="exit 0")
    assert wrapper.wait() == 0
    status = bench.status()
    assert (status["phase"], status["exitCode"]) == ("Running", 0)
    assert "its gates" in wrapper.err


def test_the_work_dies_with_its_wrapper(bench):
    bench.create()
    wrapper = bench.begun()
    child = int(re.search(r"begun (\d+)", wrapper.out).group(1))
    wrapper.signal(signal.SIGKILL)
    wrapper.wait()
    await_true(lambda: not is_alive(child))


def test_orphans_are_reaped_by_a_wrapper_that_is_process_1(bench):
    bench.create()
    script = "(sh -c 'sleep 0.3' & ); sleep 1; grep -c 'State:.Z' /proc/[0-9]*/status | grep -c ':1$'; exit 5"
    wrapper = bench.exec(script=script, under=("unshare", "--pid", "--fork", "--mount-proc"))
    assert wrapper.wait() == 5
    assert wrapper.out.splitlines() == ["0"], "a zombie is left"


def test_the_run_is_created_first_where_that_is_asked_for(bench):
    manifest = bench.dir / "run.yaml"
    manifest.write_text("apiVersion: jobrun.dev/v1\nkind: JobRun\nmetadata: {generateName: made-}\n"
                        "spec: {lane: etl, payload: {number: 7, text: \"7\"}}\n")
    wrapper = bench.call("exec", "-n", bench.namespace, "--create", "-f", manifest, "--", "sh", "-c", "cat $JOBRUN_PAYLOAD_FILE")
    assert wrapper.wait() == 0
    assert json.loads(wrapper.out) == {"number": 7, "text": "7"}
    runs = bench.rest.get(bench.runs).body["items"]
    assert [run["status"]["phase"] for run in runs] == ["Succeeded"] and runs[0]["metadata"]["name"].startswith("made-")
    assert bench.call("exec", "-n", bench.namespace, "--create", "--lane", "etl", "--", "true").wait() == 0
    assert len(bench.rest.get(bench.runs).body["items"]) == 2
