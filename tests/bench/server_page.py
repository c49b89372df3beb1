"""Makes the tables of docs/sizing.md of what server_cost.py has kept."""

import json
import sys

import report

_BEGIN, _END = "<!-- made by ./dev cost --docs -->\n", "<!-- end -->\n"
_WAYS = [
    ("one write", lambda name, f: name),
    ("API server", lambda name, f: f"{f['api_us']:,.0f} µs"),
    ("etcd", lambda name, f: f"{f['etcd_us']:,.0f} µs"),
    ("CPU, times the first", lambda name, f: _spread(f)),
    ("etcd's log", lambda name, f: f"{f['wal_bytes']:,.0f} B"),
    ("etcd's history", lambda name, f: f"{f['db_bytes']:,.0f} B"),
    ("etcd to API server", lambda name, f: f"{f['etcd_out_bytes']:,.0f} B"),
    ("to each watcher", lambda name, f: f"{f['watch_bytes']:,.0f} B" if f["watch_bytes"] else ""),
    ("answer", lambda name, f: f"{f['answer_bytes']:,.0f} B"),
    ("fsyncs", lambda name, f: f"{f['fsyncs']:.2f}"),
]
_LISTS = [
    ("one list", lambda name, f: name),
    ("API server", lambda name, f: f"{f['api_ms']:,.0f} ms"),
    ("CPU, times the first", lambda name, f: _spread(f)),
    ("bytes", lambda name, f: f"{f['bytes']:,.0f}"),
    ("unpacking", lambda name, f: f"{f['inflate_ms']:.1f} ms" if f["bytes"] != f["bytes_inflated"] else ""),
]


_STATUS, _LARGE, _LEASE = "status", "status of a run with a large payload", "Lease"
_RUNS_OF_A_WORKER = 50
_COMPACTION_SECONDS = 300
# What the figures come to: (runs, seconds between two beats, way).
_CLUSTERS = [(1_000, 30, _STATUS), (10_000, 30, _STATUS), (10_000, 30, _LARGE), (10_000, 120, _STATUS), (10_000, 30, _LEASE),
             (100_000, 30, _STATUS), (100_000, 120, _STATUS), (100_000, 30, _LEASE)]


def _clusters(results):
    """One row for each of the clusters above."""
    lines = [["runs", "interval", "beaten for by", "writes/s", "API server", "etcd", "history in 5 min", "to each watcher"]]
    for runs, interval, way in _CLUSTERS:
        figures = results["ways"][way]
        writes = runs / interval / (_RUNS_OF_A_WORKER if way == _LEASE else 1)
        lines.append([f"{runs:,}", f"{interval} s", way, f"{writes:,.0f}", f"{figures['api_us'] * writes / 1e6:.2f} cores",
                      f"{figures['etcd_us'] * writes / 1e6:.2f} cores",
                      f"{figures['db_bytes'] * writes * _COMPACTION_SECONDS / 1e6:,.0f} MB",
                      f"{figures['watch_bytes'] * writes / 1e3:,.0f} kB/s"])
    return report.markdown(lines)


def _spread(figures):
    return f"{figures['times']:.2f} ({figures['times_min']:.2f}-{figures['times_max']:.2f})"


def _table(columns, rows):
    lines = [[title for title, _ in columns]]
    return report.markdown(lines + [[cell(name, figures) for _, cell in columns] for name, figures in rows.items()])


def text(results):
    """The tables with what they were measured on, as Markdown."""
    machine = results["machine"]
    idle = results["idle_cores"]
    runs, interval = results["runs"], results["runs"] / results["rate"]
    return (f"`{results['command'].strip()}`, {results['date']}, commit {results['commit']}: kube-apiserver {results['server']}"
            f" with etcd on one machine of {machine['cores']} cores ({machine['cpu']}). {runs:,} runs of {results['workers']}"
            f" workers, each beaten for once in {interval:.1f} s ({results['rate']} writes/s); the large payload has"
            f" {results['payload']:,} bytes. Medians of {results['rounds']} rounds; least and most in brackets. Idle, the API"
            f" server used {idle['cpu_kube-apiserver']:.3f} cores and etcd {idle['cpu_etcd']:.3f}, which are taken off.\n\n"
            f"{_table(_WAYS, results['ways'])}\n\nWhat that comes to, with {_RUNS_OF_A_WORKER} runs to a worker where it beats by"
            f" Lease:\n\n{_clusters(results)}\n\nLists of {runs:,} runs:\n\n{_table(_LISTS, results['lists'])}\n")


def newest(folder):
    kept = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return max(kept, key=lambda results: results["date"], default=None)


def write(folder, page, check):
    """0, or 1 when there is nothing to make them of, or (`check`) when they are out of date."""
    results = newest(folder)
    if results is None:
        print(f"server_cost: no results in {folder}: run ./dev cost --save NAME first", file=sys.stderr)
        return 1
    whole = page.read_text(encoding="utf-8")
    before, _, rest = whole.partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    if not mark:
        print(f"server_cost: {page} has no place for the tables", file=sys.stderr)
        return 1
    made = f"{before}{_BEGIN}\n{text(results)}\n{_END}{after}"
    if not check:
        page.write_text(made, encoding="utf-8")
    elif made != whole:
        print("docs/sizing.md is out of date: ./dev cost --docs")
        return 1
    return 0
