"""Results as tables for people."""

_COLUMNS = [
    ("scenario", lambda name, f: name),
    ("sync", lambda name, f: _with(f, "sync_s", "{:.2f} s")),
    ("CPU to sync", lambda name, f: _with(f, "sync_cpu_s", "{:.2f} s")),
    ("heartbeats/s", lambda name, f: _with(f, "heartbeats_per_s", "{:,.0f}") if f.get("heartbeats") else ""),
    ("CPU/heartbeat", lambda name, f: _with(f, "cpu_us_per_heartbeat", "{:.1f} µs")),
    ("floor", lambda name, f: _with(f, "floor_us_per_heartbeat", "{:.1f} µs")),
    ("resident", lambda name, f: _with(f, "resident_mib", "{:.1f} MiB")),
    ("peak", lambda name, f: _with(f, "peak_mib", "{:.1f} MiB")),
    ("lag p50/p99/max", lambda name, f: _lag(f)),
    ("verdicts", lambda name, f: str(f["verdicts"]) if f.get("silenced") else ""),
    ("false", lambda name, f: str(f.get("false_reaps", "?"))),
    ("missed", lambda name, f: str(f.get("missed_reaps", "?"))),
    ("correct", lambda name, f: "no" if f["faults"] else "yes"),
]
COMPARED = ["sync_s", "sync_cpu_s", "cpu_us_per_heartbeat", "times_the_floor", "resident_mib", "peak_mib", "lag_ms_p50", "lag_ms_p99",
            "lag_ms_max"]


def _with(figures, key, form):
    return form.format(figures[key]) if key in figures else ""


def _lag(figures):
    if "lag_ms_p99" not in figures:
        return ""
    return "{lag_ms_p50:.1f} / {lag_ms_p99:.1f} / {lag_ms_max:.1f} ms".format(**figures)


def rows(results):
    """The head and one row per scenario."""
    head = [title for title, _ in _COLUMNS]
    return [head] + [[cell(name, figures) for _, cell in _COLUMNS] for name, figures in results["scenarios"].items()]


def aligned(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def markdown(lines):
    """The first line is the head."""
    head, *body = lines
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *body])


def table(results):
    parts = [aligned(rows(results))] if results["scenarios"] else []
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
