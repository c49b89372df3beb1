"""What ./dev bench plays, and what is asked of it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    story: str
    runs: int  # that beat
    rate: int = 0  # heartbeats a second over all of them
    interval: int = 30
    timeout: int = 150
    silences: int = 0  # runs that fall silent, a second
    silence_seconds: int = 0
    storm: int = 0  # further runs, that fall silent all at once
    late_share: float = 0.25  # the part of the silent that beats again
    lag_seconds_max: int = 1  # from due to reaped
    write_delay_ms: int = 0  # how long the server takes for a status write
    churn: int = 0  # further runs that are created a second, and as many that complete
    finished: int = 0  # further runs, that are over already
    elects: bool = False  # with --leader-elect
    watches_all: bool = False  # also the runs that are over
    warm_seconds: float = 0  # between sync and the window
    window_seconds: float = 0  # in which CPU is measured; 0: none
    full_window_seconds: float = 0  # the same with --full; 0: no other
    floor: bool = False  # also measure what the same heartbeats cost the floor program
    paged: bool = False  # lists in pages instead of a WatchList
    full_only: bool = False

    @property
    def all_runs(self):
        return self.runs + self.storm + self.finished


def _growth(name, runs, **others):
    """The heartbeats of steady-2000 for another number of runs. No timeout ends in the window: what looking at each run
    once a timeout costs depends on their number, and is in steady-10000."""
    return Scenario(name, f"{runs:,} runs, 2,000 heartbeats/s", runs, rate=2000, interval=500, timeout=1500,
                    warm_seconds=2, window_seconds=10, **others)


# The living go on while the others are reaped. That long a queue makes verdicts late, which is what is measured: how
# late they may be is a limit against those that never come.
def _storm(name, story, storm, **others):
    return Scenario(name, f"{story}, beside 4,000 that go on with 2,000 heartbeats/s", 4000, rate=2000, interval=2,
                    storm=storm, late_share=0.02, lag_seconds_max=60, elects=True, **others)


SCENARIOS = [
    Scenario("sync-10k", "first list of 10,000 runs", 10_000),
    Scenario("sync-100k", "first list of 100,000 runs", 100_000),
    Scenario("sync-100k-pages", "the same from a server without WatchList, in pages of 500", 100_000, paged=True,
             full_only=True),
    Scenario("sync-1m", "first list of 1,000,000 runs", 1_000_000, full_only=True),
    # The finished runs are looked through in the window: half a minute after the start, once.
    Scenario("finished-1m", "10,000 runs, 1,000 heartbeats/s, beside 1,000,000 that are over, and looked through once",
             10_000, rate=1000, interval=10, timeout=50, finished=1_000_000, warm_seconds=3, window_seconds=60,
             full_only=True),
    Scenario("finished-1m-watched", "the same, but those are watched too (watch.finished)", 10_000, rate=1000, interval=10,
             timeout=50, finished=1_000_000, watches_all=True, warm_seconds=3, window_seconds=20, full_only=True),
    Scenario("steady-2000", "100,000 runs, 2,000 heartbeats/s", 100_000, rate=2000, interval=50, timeout=150,
             floor=True, warm_seconds=3, window_seconds=15),
    # The timeout ends within the window: what looking at each run once a timeout costs is in the figure.
    Scenario("steady-10000", "100,000 runs, 10,000 heartbeats/s", 100_000, rate=10_000, interval=9, timeout=18,
             floor=True, warm_seconds=3, window_seconds=20),
    _growth("growth-1k", 1000),
    _growth("growth-10k", 10_000),
    _growth("growth-1m", 1_000_000, full_only=True),
    Scenario("detection", "10,000 runs, 5,000 heartbeats/s, 60 a second fall silent, some beat again", 10_000,
             rate=5000, interval=2, timeout=5, silences=60, silence_seconds=15, warm_seconds=1, window_seconds=18),
    _storm("storm-20k", "20,000 runs fall silent at once", 20_000, timeout=6),
    _storm("storm-100k", "100,000 runs fall silent at once", 100_000, timeout=10),
    _storm("storm-slow", "5,000 runs fall silent at once, and a write takes the server 20 ms", 5000, timeout=6,
           write_delay_ms=20),
    Scenario("churn", "1,000 runs a second are created, claimed, beat three times, complete and are deleted, one of a"
             " hundred falls silent, beside 1,000 runs with 500 heartbeats/s", 1000, rate=500, interval=2, timeout=5,
             churn=1000, elects=True, warm_seconds=15, window_seconds=60, full_window_seconds=300),
    Scenario("idle-0", "no run: the election's Lease and the canary alone", 0, timeout=86_400, elects=True,
             warm_seconds=3, window_seconds=30, full_window_seconds=60),
    Scenario("idle-100k", "100,000 runs, no event", 100_000, timeout=86_400, elects=True, warm_seconds=3,
             window_seconds=30, full_window_seconds=60),
]
# Tests: is it correct? Not measurements.
SMOKES = [
    Scenario("smoke", "500 runs, 250 heartbeats/s, 20 a second fall silent", 500, rate=250, interval=1, timeout=3,
             silences=20, silence_seconds=2, lag_seconds_max=3, window_seconds=1),
    Scenario("smoke-storm", "600 runs fall silent at once, beside 300 that go on, and a write takes 5 ms", 300,
             rate=300, interval=1, timeout=3, storm=600, late_share=0.1, lag_seconds_max=3, write_delay_ms=5,
             elects=True),
    Scenario("smoke-churn", "200 runs a second come and go, beside 100", 100, rate=50, interval=2, timeout=5, churn=200,
             lag_seconds_max=1, elects=True, warm_seconds=11, window_seconds=3),
]


@dataclasses.dataclass(frozen=True)
class Goal:
    scenario: str
    figure: str  # key of a result
    most: float
    words: str


# Times and CPU were set on a machine where the floor takes 4 µs at 10,000/s, and twice that at 2,000/s.
GOALS = [
    Goal("steady-2000", "cpu_us_per_heartbeat", 8, "CPU per heartbeat at 2,000/s at most 8 µs"),
    Goal("steady-2000", "times_the_floor", 1, "as a multiple of the floor: 8 µs where that takes 8"),
    Goal("steady-10000", "cpu_us_per_heartbeat", 4, "CPU per heartbeat at 10,000/s at most 4 µs"),
    Goal("steady-10000", "times_the_floor", 1, "as a multiple of the floor: 4 µs where that takes 4"),
    Goal("steady-10000", "resident_mib", 30, "100,000 runs in at most 30 MiB resident"),
    Goal("sync-100k", "sync_s", 0.6, "100,000 runs listed and acted on in at most 0.6 s"),
    Goal("sync-100k", "sync_cpu_s", 0.5, "the same in at most 0.5 s of CPU"),
    Goal("sync-1m", "sync_s", 8, "1,000,000 runs listed and acted on in at most 8 s"),
    Goal("sync-1m", "sync_cpu_s", 6, "the same in at most 6 s of CPU"),
    Goal("sync-1m", "peak_mib", 200, "the same in at most 200 MiB, at its peak"),
    Goal("detection", "lag_ms_p99", 3, "detection lag p99 at most 3 ms with 10,000 runs"),
    Goal("storm-20k", "cpu_us_per_reap", 35, "20,000 runs silent at once: CPU per reap at most 35 µs"),
    Goal("storm-100k", "cpu_us_per_reap", 35, "100,000 runs silent at once: CPU per reap at most 35 µs"),
    Goal("storm-slow", "times_the_server", 1.1, "a storm takes at most 1.1 times what the server's answers take"),
    Goal("idle-100k", "cpu_s_per_minute_beside", 0.01,
         "100,000 idle runs: at most 0.01 s of CPU a minute beside Lease and canary"),
]

# The same job written by hand with care on two other frameworks: CPU time and memory of the whole process on a
# machine with 2 cores, with a synthetic API server of the same kind.
REFERENCE_HEAD = ("", "controller-runtime 0.25.2 (Go 1.26)", "kube-rs 5.0 (Rust 1.95)")
REFERENCE = [
    ("CPU per heartbeat at 2,000/s, 100,000 runs", "160 µs", "59 µs"),
    ("CPU per heartbeat at 10,000/s", "86-90 µs", "22-24 µs"),
    ("memory at 100,000 runs", "350-400 MiB", "300-430 MiB"),
    ("sync of 100,000: time / CPU", "9.6-13.5 s / 11 s", "2.0-2.6 s / 2.6 s"),
    ("sync of 1,000,000: time / CPU / peak memory", "173 s / 160 s / 4.3 GB", "33 s / 67 s / 4.0 GB"),
    ("detection lag at 10,000 runs: p50 / p99 / max", "1.5 / 4.3 / 8.8 ms", "1.7 / 3.1 / 4.3 ms"),
    ("a storm: verdicts a second", "3,300-5,400", "8,300-14,900"),
    ("a storm: CPU per verdict", "250 µs", "75 µs"),
    ("idle, 100,000 runs: CPU per minute", "0.05 s", "< 0.01 s"),
]


def selected(names, full, quick):
    """The scenarios to play, in their order; raises KeyError for an unknown name."""
    known = {scenario.name: scenario for scenario in [*SCENARIOS, *SMOKES]}
    if names:
        chosen = [known[name] for name in names]
    else:
        chosen = [scenario for scenario in SCENARIOS if full or not scenario.full_only]
    if full:
        chosen = [dataclasses.replace(scenario, window_seconds=scenario.full_window_seconds or scenario.window_seconds)
                  for scenario in chosen]
    if quick:
        chosen = [dataclasses.replace(scenario, window_seconds=min(scenario.window_seconds, 6),
                                      silence_seconds=min(scenario.silence_seconds, 4)) for scenario in chosen]
    return chosen
