"""What ./dev bench plays, and what is asked of it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    story: str
    runs: int
    rate: int = 0  # heartbeats a second over all runs
    interval: int = 30
    timeout: int = 150
    silences: int = 0  # runs that fall silent, a second
    silence_seconds: int = 0
    warm_seconds: float = 0  # between sync and the window
    window_seconds: float = 0  # in which CPU is measured; 0: none
    floor: bool = False  # also measure what the same heartbeats cost the floor program
    paged: bool = False  # lists in pages instead of a WatchList
    full_only: bool = False


SCENARIOS = [
    Scenario("sync-10k", "first list of 10,000 runs", 10_000),
    Scenario("sync-100k", "first list of 100,000 runs", 100_000),
    Scenario("sync-100k-pages", "the same from a server without WatchList, in pages of 500", 100_000, paged=True,
             full_only=True),
    Scenario("sync-1m", "first list of 1,000,000 runs", 1_000_000, full_only=True),
    Scenario("steady-2000", "100,000 runs, 2,000 heartbeats/s", 100_000, rate=2000, interval=50, timeout=150,
             floor=True, warm_seconds=3, window_seconds=20),
    # The timeout ends within the window: what looking at each run once a timeout costs is in the figure.
    Scenario("steady-10000", "100,000 runs, 10,000 heartbeats/s", 100_000, rate=10_000, interval=9, timeout=18,
             floor=True, warm_seconds=3, window_seconds=20),
    Scenario("detection", "10,000 runs, 5,000 heartbeats/s, 60 a second fall silent, some beat again", 10_000,
             rate=5000, interval=2, timeout=5, silences=60, silence_seconds=15, warm_seconds=1, window_seconds=18),
    Scenario("idle-100k", "100,000 runs, no event", 100_000, timeout=86_400, warm_seconds=2, window_seconds=60,
             full_only=True),
]
# A test: is it correct? Not a measurement.
SMOKE = Scenario("smoke", "500 runs, 250 heartbeats/s, 20 a second fall silent", 500, rate=250, interval=1,
                 timeout=3, silences=20, silence_seconds=2, window_seconds=1)


@dataclasses.dataclass(frozen=True)
class Goal:
    scenario: str
    figure: str  # key of a result
    most: float
    words: str


GOALS = [
    # The goals were set on a machine where the floor takes 4 µs at 10,000/s and 5 to 8 at 2,000/s.
    Goal("steady-10000", "cpu_us_per_heartbeat", 5, "CPU per heartbeat at 10,000/s at most 5 µs"),
    Goal("steady-10000", "times_the_floor", 1.25, "as a multiple of the floor: 5 µs where that takes 4"),
    Goal("steady-2000", "cpu_us_per_heartbeat", 15, "CPU per heartbeat at 2,000/s at most 15 µs"),
    Goal("steady-2000", "times_the_floor", 1.9, "as a multiple of the floor: 15 µs where that takes 8"),
    Goal("steady-10000", "resident_mib", 30, "100,000 runs in at most 30 MiB resident"),
    Goal("detection", "lag_ms_p99", 10, "detection lag p99 below 10 ms with 10,000 runs"),
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
    ("idle, 100,000 runs: CPU per minute", "0.05 s", "< 0.01 s"),
]


def selected(names, full, quick):
    """The scenarios to play, in their order; raises KeyError for an unknown name."""
    known = {scenario.name: scenario for scenario in [*SCENARIOS, SMOKE]}
    if names:
        chosen = [known[name] for name in names]
    else:
        chosen = [scenario for scenario in SCENARIOS if full or not scenario.full_only]
    if quick:
        chosen = [dataclasses.replace(scenario, window_seconds=min(scenario.window_seconds, 6),
                                      silence_seconds=min(scenario.silence_seconds, 4)) for scenario in chosen]
    return chosen
