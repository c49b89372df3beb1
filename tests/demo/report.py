"""What came of the runs: the table of the ends against what was expected of them, and the controller's metrics."""

import dataclasses
import re

# How much earlier than due an end may look from here: our own watch may show a heartbeat late on a busy machine.
_EARLY_SECONDS_MAX = 1.0
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclasses.dataclass(frozen=True)
class Limit:
    """What makes a run due: so many seconds after the watch showed it `created`, `claimed` or last `beaten`."""

    since: str
    seconds: int


@dataclasses.dataclass(frozen=True)
class Expectation:
    """How a run is to end. Known to the demo alone."""

    phase: str
    reason: str = ""
    limit: Limit | None = None  # for runs that are to be reaped
    worker_exit: int | None = None  # None: its worker runs on, or there is none

    def __str__(self):
        return f"{self.phase}/{self.reason}" if self.reason else self.phase


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One run's end: the line that tells it, and what was wrong with it."""

    line: str
    complaints: tuple

    @property
    def as_expected(self):
        return not self.complaints


def judge(name, expected, sighting, worker_exit):
    """The Outcome of one run from its Sighting (None: never seen) and its worker's exit code (None: none yet)."""
    if sighting is None:
        return Outcome(f"{name:<14} {expected!s:<30} -", (f"{name}: the API server never showed it",))
    lag = lag_of(expected, sighting)
    shown = "-" if lag is None else f"{lag:.3f}s"
    line = f"{name:<14} {expected!s:<30} {sighting.phase:<10} {sighting.reason or '-':<24} {shown}"
    return Outcome(line, tuple(f"{name}: {text}" for text in _complaints(expected, sighting, lag, worker_exit)))


def lag_of(expected, sighting):
    """Seconds from when it was due to when its end was seen; None when it was not to be reaped or was not."""
    if expected.limit is None or sighting.ended is None:
        return None
    since = getattr(sighting, expected.limit.since)
    return None if since is None else round(sighting.ended - since - expected.limit.seconds, 3) + 0.0  # No -0.0.


def _complaints(expected, sighting, lag, worker_exit):
    if (sighting.phase, sighting.reason) != (expected.phase, expected.reason):
        found = f"{sighting.phase}/{sighting.reason}" if sighting.reason else sighting.phase
        yield f"expected {expected}, found {found}"
    elif lag is not None and lag < -_EARLY_SECONDS_MAX:
        yield f"reaped {-lag:.3f} s before it was due"
    if expected.worker_exit is not None and worker_exit != expected.worker_exit:
        yield f"expected its worker to end with {expected.worker_exit}, found {worker_exit}"


def conclude(outcomes, disagreements):
    """The last line and the exit code."""
    good = sum(outcome.as_expected for outcome in outcomes)
    if good == len(outcomes) and disagreements:
        return "demo: failed: the metrics disagree with the runs", 1
    return f"demo: {good} of {len(outcomes)} runs ended as expected", 0 if good == len(outcomes) else 1


def parse_metrics(text):
    """The samples of Prometheus' text format: (name, labels as a dict, value)."""
    samples = []
    for line in text.splitlines():
        if found := _SAMPLE.match(line):
            samples.append((found[1], dict(_LABEL.findall(found[2] or "")), float(found[3])))
    return samples


def total_by(samples, name, label):
    """Sums of a metric by one of its labels, without the zeros."""
    totals = {}
    for sample_name, labels, value in samples:
        if sample_name == name and value:
            totals[labels.get(label, "")] = totals.get(labels.get(label, ""), 0) + value
    return totals


def disagreements_between(samples, sightings):
    """Where the controller's metrics tell another story than the runs do; one line each."""
    phases, reasons = {}, {}  # of the active runs, and of those that ended badly
    for sighting in sightings.values():
        if sighting.phase in ("Pending", "Running"):
            phases[sighting.phase] = phases.get(sighting.phase, 0) + 1
        if sighting.phase in ("Failed", "Stuck"):
            reasons[sighting.reason] = reasons.get(sighting.reason, 0) + 1
    pairs = (("jobrun_reaps_total by reason", total_by(samples, "jobrun_reaps_total", "reason"), reasons),
             ("jobrun_runs by phase", total_by(samples, "jobrun_runs", "phase"), phases))
    return [f"{what}: the metrics say {_counts(told)}, the runs {_counts(true)}"
            for what, told, true in pairs if told != true]


def _counts(totals):
    return ", ".join(f"{name} {value:g}" for name, value in sorted(totals.items())) or "none"


def metrics_summary(samples):
    """The lines about reaps, conflicts, runs and lag."""
    lines = [f"jobrun_reaps_total{{lane=\"{labels['lane']}\",reason=\"{labels['reason']}\"}} {value:g}"
             for name, labels, value in samples if name == "jobrun_reaps_total" and value]
    conflicts = sum(total_by(samples, "jobrun_reap_conflicts_total", "").values())
    lines.append(f"jobrun_reap_conflicts_total {conflicts:g}")
    lines.append(f"jobrun_runs by phase: {_counts(total_by(samples, 'jobrun_runs', 'phase'))}")
    return lines + _lag_summary(samples)


def _lag_summary(samples):
    name = "jobrun_detection_lag_seconds"
    count = sum(total_by(samples, f"{name}_count", "").values())
    if not count:
        return [f"{name}: no verdict"]
    mean = sum(total_by(samples, f"{name}_sum", "").values()) / count
    buckets = total_by(samples, f"{name}_bucket", "le")
    within = min(float(bound) for bound, value in buckets.items() if value == count)
    return [f"{name}: {count:g} verdicts, {mean * 1000:.1f} ms from due to committed on average, all within {within:g} s"]
