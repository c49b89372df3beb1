"""Plays one scenario, measured from outside: its figures, and what was wrong."""

import os
import pathlib
import statistics
import tempfile
import time

from subjects import IN_FLIGHT, BenchError, Client, LoadServer, controller_command

_SETTLE_SECONDS_MAX = 10  # after the last silent run has come due
_STORM_SECONDS_MAX = 120
_STORM_POLL_SECONDS = 0.25  # a report costs the load server a few milliseconds
_STORM_BEATS_PER_S = 40_000  # the last heartbeats before a storm, as the load server sends them
# The Lease is renewed and the canary beats every two seconds; a leader steps down after ten without a renewal.
_GAP_MS_MAX = 5000
# What memory may grow by while runs come and go, after the first have gone: pages that malloc has not used before.
_GROWTH_MIB_MAX = 4
_FLOOR_SECONDS_MAX = 10


def floor_us_per_heartbeat(scenario, bin_folder):
    """What the same heartbeats cost a program that only finds two fields in each and stores them."""
    with tempfile.TemporaryDirectory(prefix="jobrun-bench-") as name:
        folder = pathlib.Path(name)
        server = LoadServer(bin_folder / "jobrun-loadserver", scenario, folder)
        floor = None
        try:
            floor = Client([bin_folder / "jobrun-floor", server.port], folder)
            floor.await_log(r"^synced$")
            time.sleep(scenario.warm_seconds)
            before = _Moment(floor, server)
            time.sleep(min(scenario.window_seconds, _FLOOR_SECONDS_MAX))
            return _per_heartbeat(before, _Moment(floor, server))
        finally:
            if floor is not None:
                floor.kill()
            server.kill()


class _Moment:
    """What a process has used, and the load server seen, until now."""

    def __init__(self, process, server):
        self.report, self.cpu = server.report(), process.cpu()

    def since(self, earlier, key):
        return self.report[key] - earlier.report[key]


def _per_heartbeat(before, after):
    return round((after.cpu - before.cpu) / after.since(before, "heartbeats") * 1e6, 2)


def _window(scenario, controller, server):
    """CPU over a stretch of the steady state."""
    time.sleep(scenario.warm_seconds)
    before, resident = _Moment(controller, server), []
    ends = time.monotonic() + scenario.window_seconds
    with controller.sampled():
        while (left := ends - time.monotonic()) > 0:
            resident.append((time.monotonic(), controller.memory()["resident_mib"]))
            time.sleep(min(1, left))
    after = _Moment(controller, server)
    seconds, cpu = after.since(before, "monotonic_seconds"), after.cpu - before.cpu
    beats = after.since(before, "heartbeats")
    figures = {"window_seconds": round(seconds, 2), "window_heartbeats": beats, "window_cpu_s": round(cpu, 3),
               "heartbeats_per_s": round(beats / seconds, 1),
               "server_cpu_s": round(after.since(before, "cpu_seconds"), 2)}
    if scenario.churn > 0:
        return figures | _churned(before, after, resident)
    if beats > 0:
        return figures | {"cpu_us_per_heartbeat": _per_heartbeat(before, after)}
    return figures | {"cpu_s_per_minute": round(cpu / seconds * 60, 4)}


def _churned(before, after, resident):
    """What runs that come and go cost: an event is an object added, modified or deleted."""
    seconds, events = after.since(before, "monotonic_seconds"), after.since(before, "events")
    slope, _ = statistics.linear_regression(*zip(*resident))
    return {"created_per_s": round(after.since(before, "created") / seconds, 1),
            "completed_per_s": round(after.since(before, "completed") / seconds, 1),
            "events_per_s": round(events / seconds, 1),
            "cpu_us_per_event": round((after.cpu - before.cpu) / events * 1e6, 2),
            "resident_start_mib": resident[0][1], "resident_end_mib": resident[-1][1],
            "resident_growth_mib": round(resident[-1][1] - resident[0][1], 2),
            "resident_slope_mib_per_minute": round(slope * 60, 3)}


def _await_report(server, holds, seconds):
    """Whether it came to hold in so many seconds."""
    deadline = time.monotonic() + seconds
    while not (held := holds(server.report())) and time.monotonic() < deadline:
        time.sleep(_STORM_POLL_SECONDS)
    return held


def _storm(scenario, controller, server):
    """From the last heartbeats of the storm's runs to the last verdict. What the living cost besides is measured in the
    quiet before it, and taken off."""
    _await_report(server, lambda report: report["silenced"] >= scenario.storm, _STORM_SECONDS_MAX)
    quiet_seconds = scenario.timeout - scenario.storm / _STORM_BEATS_PER_S - 1
    time.sleep(quiet_seconds / 2)
    quiet = _Moment(controller, server)
    time.sleep(quiet_seconds / 2)
    before = _Moment(controller, server)
    with controller.sampled():
        _await_report(server, lambda report: report["silent_now"] == 0, _STORM_SECONDS_MAX)
    after = _Moment(controller, server)
    quiet_cpu_per_s = (before.cpu - quiet.cpu) / before.since(quiet, "monotonic_seconds")
    seconds, reaps = after.since(before, "monotonic_seconds"), after.since(before, "verdicts")
    cpu, beats = after.cpu - before.cpu, after.since(before, "heartbeats")
    figures = {"window_seconds": round(seconds, 2), "window_cpu_s": round(cpu, 3), "window_heartbeats": beats,
               "heartbeats_per_s": round(beats / seconds, 1), "quiet_cpu_s_per_s": round(quiet_cpu_per_s, 4)}
    if reaps == 0:
        return figures
    reaped_for = after.report["reaped_for_ms"] / 1000
    figures |= {"reaped_for_s": round(reaped_for, 3), "reaps_per_s": round(reaps / reaped_for, 1),
                "cpu_us_per_reap": round((cpu - quiet_cpu_per_s * seconds) / reaps * 1e6, 2)}
    if scenario.write_delay_ms > 0:
        # As fast as the server answers what may be under way together: 1.
        at_best = reaps / IN_FLIGHT * after.report["write_ms_mean"] / 1000
        figures["times_the_server"] = round(reaped_for / at_best, 3)
    return figures


def _settle(scenario, server):
    """Waits until every run that fell silent has a verdict or beats again."""
    seconds = scenario.silence_seconds + scenario.timeout + scenario.runs / scenario.rate + _SETTLE_SECONDS_MAX
    # Silences come at an even rate once every run has beaten; until the last there may be none open.
    beats = scenario.rate * scenario.silence_seconds + scenario.runs
    _await_report(server, lambda report: report["heartbeats"] >= beats and report["silent_now"] == 0, seconds)


def faults(scenario, report, figures):
    """What is wrong with the controller's behaviour, in words."""
    found = [*_wrong_verdicts(scenario, report), *(_starved(report) if scenario.elects else [])]
    if report["watches"] + report["lists"] == 0:
        found.append("it never listed")
    if report["unknown_requests"] > 0:
        found.append(f"{report['unknown_requests']} requests that no controller makes")
    if report["writes_in_flight_max"] > IN_FLIGHT:
        found.append(f"{report['writes_in_flight_max']} writes under way together; {IN_FLIGHT} may be")
    if figures.get("resident_growth_mib", 0) > _GROWTH_MIB_MAX:
        found.append(f"memory grew by {figures['resident_growth_mib']} MiB; {_GROWTH_MIB_MAX} may be")
    if scenario.churn > 0 and report["completed"] == 0:
        found.append("no run completed")
    return found


def _wrong_verdicts(scenario, report):
    for key, words in [("false_reaps", "live runs reaped"), ("missed_reaps", "dead runs not reaped in time"),
                       ("late_reaps", "dead runs reaped too late"), ("repeated_verdicts", "verdicts on top of another")]:
        if report[key] > 0:
            yield f"{report[key]} {words}"
    dies = scenario.silences + scenario.storm + scenario.churn > 0
    if not dies and report["verdicts"] > 0:
        yield f"{report['verdicts']} verdicts where no run was silent"
    if dies and report["verdicts"] == 0:
        yield "no verdict at all"
    # Of those that come and go some are always silent for less than their timeout.
    settled = report["verdicts"] + report["late_accepted"]
    if scenario.churn == 0 and settled != report["silenced"]:
        yield f"{report['silenced']} runs fell silent, {settled} were reaped or beat again"


def _starved(report):
    if report["lease_renewals"] == 0:
        yield "it never had the Lease"
    for key, words in [("lease_gap_ms_max", "renewals of the Lease"), ("canary_gap_ms_max", "beats of the canary")]:
        if report[key] > _GAP_MS_MAX:
            yield f"{report[key]:.0f} ms between two {words}"


def _figures(scenario, controller, server):
    figures = {"runs": scenario.all_runs, "sync_s": round(controller.await_sync(), 3)}
    figures["sync_cpu_s"] = round(controller.cpu(), 3)
    if scenario.window_seconds > 0:
        figures |= _window(scenario, controller, server)
    if scenario.storm > 0:
        figures |= _storm(scenario, controller, server)
    if scenario.silences > 0:
        _settle(scenario, server)
    return figures | controller.memory()


def play(scenario, bin_folder, profiler=None):
    """The figures of one scenario, with `faults`: what the controller did wrong. A profiler has looked at the window in
    which CPU was measured, or at the storm."""
    with tempfile.TemporaryDirectory(prefix="jobrun-bench-") as name:
        folder = pathlib.Path(name)
        load_before = os.getloadavg()[0]
        server = LoadServer(bin_folder / "jobrun-loadserver", scenario, folder)
        controller = None
        try:
            command = controller_command(bin_folder / "jobrun-controller", server.kubeconfig, folder, scenario)
            controller = Client(command, folder, profiler)
            figures = _figures(scenario, controller, server)
            report = server.report()
            code = controller.stop()
            report_at_end = server.stop()
        except BaseException:
            server.kill()
            if controller is not None:
                controller.kill()
            raise
        wrong = faults(scenario, report, figures)
        if code != 0:
            wrong.append(f"it ended with exit code {code}")
        if report_at_end is None:
            wrong.append("the load server did not end well")
    if scenario.floor:
        figures["floor_us_per_heartbeat"] = floor_us_per_heartbeat(scenario, bin_folder)
        figures["times_the_floor"] = round(figures["cpu_us_per_heartbeat"] / figures["floor_us_per_heartbeat"], 2)
    return figures | _told(scenario, report) | {"load_before": load_before, "faults": wrong}


def _told(scenario, report):
    """What the load server's report adds."""
    keys = ["object_bytes_min", "object_bytes_max", "heartbeats", "verdicts", "conflicts", "silenced", "late_accepted",
            "late_refused", "false_reaps", "late_reaps", "missed_reaps", "repeated_verdicts", "writes_in_flight_max",
            "kubernetes_events", "tick_late_ms_p99", "tick_late_ms_max"]
    if report["verdicts"] > 0:
        keys += ["lag_ms_p50", "lag_ms_p99", "lag_ms_max", "write_ms_mean"]
    if scenario.elects:
        keys += ["lease_gap_ms_max", "canary_gap_ms_max"]
    return {key: report[key] for key in keys}


def compare_idle(played):
    """What idle runs cost beside the Lease and the canary: their minute less one without runs."""
    without = played.get("idle-0", {}).get("cpu_s_per_minute")
    figures = played.get("idle-100k", {})
    if without is not None and "cpu_s_per_minute" in figures:
        figures["cpu_s_per_minute_beside"] = round(figures["cpu_s_per_minute"] - without, 4)
