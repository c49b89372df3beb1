"""`jobrun work`: a worker that takes the runs of a lane as they come."""

import collections
import re
import signal

from wrapper import await_true


def work(bench, *flags, script="true", **options):
    return bench.jobrun("work", "-n", bench.namespace, "--lane", "etl", *flags, "--", "sh", "-c", script, **options)


def phases(bench):
    return collections.Counter(run.get("status", {}).get("phase", "Pending")
                               for run in bench.rest.get(bench.runs).body["items"]
                               if run["spec"]["lane"] == "etl")


def test_it_takes_the_runs_of_its_lane_there_are_and_come(bench):
    bench.create("before", lane="etl")
    bench.create("other", lane="other")
    bench.create("assigned", lane="etl", assignedTo="somebody")
    bench.create("cancelled", lane="etl", cancelled=True)
    worker = work(bench, script="echo did $JOBRUN_NAME")
    worker.said("did before")
    bench.create("after", lane="etl")
    worker.said("did after")
    await_true(lambda: bench.phase("after") == "Succeeded")
    assert [bench.phase(name) for name in ("other", "assigned", "cancelled")] == ["Pending"] * 3
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def test_it_works_on_no_more_than_it_was_told_to(bench):
    for number in range(6):
        bench.create(f"r{number}", lane="etl")
    mark = bench.dir / "marks"
    worker = work(bench, "--concurrency", "2", "--max-runs", "6", script=f"echo + >>{mark}; sleep 0.5; echo - >>{mark}")
    assert worker.wait() == 0
    busy, most = 0, 0
    for line in mark.read_text().split():
        busy += 1 if line == "+" else -1
        most = max(most, busy)
    assert most == 2
    assert phases(bench) == {"Succeeded": 6}


def test_two_workers_never_do_the_same_run(bench):
    for number in range(60):
        bench.create(f"r{number}", lane="etl")
    mark = bench.dir / "marks"
    workers = [work(bench, "--concurrency", "4", script=f"echo $JOBRUN_NAME >>{mark}") for _ in range(4)]
    await_true(lambda: phases(bench) == {"Succeeded": 60})
    for worker in workers:
        worker.signal(signal.SIGTERM)
    assert [worker.wait() for worker in workers] == [0] * 4
    done = mark.read_text().split()
    assert len(done) == len(set(done)) == 60
    assert sum(int(re.search(r"stopped runs=(\d+)", worker.err).group(1)) for worker in workers) == 60


def test_a_drained_worker_hands_its_runs_back(bench):
    for number in range(3):
        bench.create(f"r{number}", lane="etl")
    worker = work(bench, "--concurrency", "2", script="echo begun; sleep 60")
    await_true(lambda: worker.out.count("begun") == 2)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    ends = [run.get("status", {}).get("reason") for run in bench.rest.get(bench.runs).body["items"]]
    assert sorted(ends, key=str) == ["HandedBack", "HandedBack", None]


def test_work_may_end_by_itself_while_the_worker_drains(bench):
    bench.create("r", lane="etl")
    worker = work(bench, "--drain", "20", script="echo begun; sleep 1.5")
    worker.said("begun")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert bench.phase() == "Succeeded"


def test_one_run_that_is_lost_stops_its_own_work_only(bench):
    bench.create("lost", lane="etl")
    bench.create("kept", lane="etl")
    worker = work(bench, "--concurrency", "2", "--grace", "1", script="echo begun $JOBRUN_NAME; sleep 4")
    worker.said("begun lost")
    worker.said("begun kept")
    bench.patch("lost", phase="Stuck", reason="HeartbeatTimeout")
    worker.said("lost is Stuck")
    await_true(lambda: bench.phase("kept") == "Succeeded")


def test_leases_beat_for_all_runs_of_a_worker(bench):
    bench.controller()
    for number in range(3):
        bench.create(f"r{number}", lane="etl", heartbeat={"intervalSeconds": 1, "timeoutSeconds": 4, "source": "Lease"})
    worker = work(bench, "--concurrency", "3", "--worker", "crew-1", script="sleep 7")
    await_true(lambda: bench.rest.get(f"{bench.leases}/crew-1").code == 200)
    await_true(lambda: phases(bench) == {"Succeeded": 3})
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert bench.rest.get(f"{bench.leases}/crew-1").code == 404
