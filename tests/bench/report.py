"""Results as tables for people."""

# Tables by what they tell of: of each the columns, (title, cell). A scenario is in those that its figures are for.
_ALL = [
    ("scenario", lambda name, f: name),
    ("sync", lambda name, f: _with(f, "sync_s", "{:.2f} s")),
    ("CPU to sync", lambda name, f: _with(f, "sync_cpu_s", "{:.2f} s")),
    ("heartbeats/s", lambda name, f: _with(f, "heartbeats_per_s", "{:,.0f}") if f.get("heartbeats") else ""),
    ("CPU/heartbeat", lambda name, f: _with(f, "cpu_us_per_heartbeat", "{:.1f} µs")),
    ("floor", lambda name, f: _with(f, "floor_us_per_heartbeat", "{:.1f} µs")),
    ("resident", lambda name, f: _with(f, "resident_mib", "{:.1f} MiB")),
    ("peak", lambda name, f: _with(f, "peak_mib", "{:.1f} MiB")),
    ("lag p50/p99/max", lambda name, f: _lag(f)),
    ("verdicts", lambda name, f: f"{f['verdicts']:,}" if f.get("silenced") else ""),
    ("false", lambda name, f: str(f.get("false_reaps", "?"))),
    ("missed", lambda name, f: str(f["missed_reaps"] + f.get("late_reaps", 0)) if "missed_reaps" in f else "?"),
    ("correct", lambda name, f: "no" if f["faults"] else "yes"),
]
_STORM = [
    ("storm", lambda name, f: name),
    ("reaps/s", lambda name, f: _with(f, "reaps_per_s", "{:,.0f}")),
    ("CPU/reap", lambda name, f: _with(f, "cpu_us_per_reap", "{:.1f} µs")),
    ("Events", lambda name, f: _with(f, "kubernetes_events", "{:,}")),
    ("most under way", lambda name, f: _with(f, "writes_in_flight_max", "{}")),
    ("a write takes", lambda name, f: _with(f, "write_ms_mean", "{:.1f} ms")),
    ("times the server", lambda name, f: _with(f, "times_the_server", "{:.2f}")),
    ("longest gap of Lease", lambda name, f: _with(f, "lease_gap_ms_max", "{:,.0f} ms")),
    ("of canary", lambda name, f: _with(f, "canary_gap_ms_max", "{:,.0f} ms")),
    ("heartbeats/s besides", lambda name, f: _with(f, "heartbeats_per_s", "{:,.0f}")),
]
_CHURN = [
    ("churn", lambda name, f: name),
    ("created/s", lambda name, f: _with(f, "created_per_s", "{:,.0f}")),
    ("completed/s", lambda name, f: _with(f, "completed_per_s", "{:,.0f}")),
    ("events/s", lambda name, f: _with(f, "events_per_s", "{:,.0f}")),
    ("CPU/event", lambda name, f: _with(f, "cpu_us_per_event", "{:.1f} µs")),
    ("window", lambda name, f: _with(f, "window_seconds", "{:.0f} s")),
    ("resident at its start", lambda name, f: _with(f, "resident_start_mib", "{:.1f} MiB")),
    ("at its end", lambda name, f: _with(f, "resident_end_mib", "{:.1f} MiB")),
    ("slope", lambda name, f: _with(f, "resident_slope_mib_per_minute", "{:.2f} MiB/min")),
]
_IDLE = [
    ("idle", lambda name, f: name),
    ("CPU/minute", lambda name, f: _with(f, "cpu_s_per_minute", "{:.3f} s")),
    ("beside Lease and canary", lambda name, f: _with(f, "cpu_s_per_minute_beside", "{:.3f} s")),
]
_GROWTH = [
    ("runs", lambda name, f: f"{f['runs']:,}"),
    ("CPU/heartbeat at 2,000/s", lambda name, f: _with(f, "cpu_us_per_heartbeat", "{:.1f} µs")),
    ("resident", lambda name, f: _with(f, "resident_mib", "{:.1f} MiB")),
]
_TABLES = [
    (_ALL, lambda name, f: True),
    (_STORM, lambda name, f: "reaps_per_s" in f),
    (_CHURN, lambda name, f: "created_per_s" in f),
    (_IDLE, lambda name, f: "cpu_s_per_minute" in f),
    (_GROWTH, lambda name, f: name.startswith("growth-") or name == "steady-2000"),
]
COMPARED = ["sync_s", "sync_cpu_s", "cpu_us_per_heartbeat", "times_the_floor", "resident_mib", "peak_mib", "lag_ms_p50", "lag_ms_p99",
            "lag_ms_max", "reaps_per_s", "cpu_us_per_reap", "times_the_server", "cpu_us_per_event",
            "resident_growth_mib", "cpu_s_per_minute"]


def _with(figures, key, form):
    return form.format(figures[key]) if key in figures else ""


def _lag(figures):
    if "lag_ms_p99" not in figures:
        return ""
    return "{lag_ms_p50:.1f} / {lag_ms_p99:.1f} / {lag_ms_max:.1f} ms".format(**figures)


def _runs_of(row):
    return int(row[0].replace(",", ""))


def tables(results):
    """Of each table that has any: the head, and a row per scenario."""
    for columns, holds in _TABLES:
        rows = [[cell(name, figures) for _, cell in columns] for name, figures in results["scenarios"].items()
                if holds(name, figures)]
        if rows:
            yield [[title for title, _ in columns], *(sorted(rows, key=_runs_of) if columns is _GROWTH else rows)]


def aligned(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def markdown(lines):
    """The first line is the head."""
    head, *body = lines
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *body])


def table(results):
    parts = [aligned(lines) for lines in tables(results)]
    if "micro" in results:
        parts.append(aligned([["microbenchmark", "CPU per item"]] +
                             [[name, f"{value:,.0f} ns"] for name, value in results["micro"].items()]))
    return "\n\n".join(parts) + "\n"


def _ratio(old, new):
    return f"{new / old:.2f}x" if old else ("same" if new == old else "new")


def comparison(old, new):
    """New over old: below 1 is better."""
    lines = [["figure", "old", "new", "new/old"]]
    for name, figures in new["scenarios"].items():
        before = old["scenarios"].get(name, {})
        for key in COMPARED:
            if key in figures and key in before:
                lines.append([f"{name} {key}", str(before[key]), str(figures[key]), _ratio(before[key], figures[key])])
    for name, value in new.get("micro", {}).items():
        before = old.get("micro", {}).get(name)
        if before is not None:
            lines.append([f"micro {name} ns", str(before), str(value), _ratio(before, value)])
    return f"compared with {old['date']} {old['commit']}:\n{aligned(lines)}\n"
