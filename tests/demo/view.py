"""Shows the runs while the demo goes on: a table redrawn in place, or plain lines of what changed."""

import dataclasses
import os
import shutil
import sys

_WIDTHS = {"RUN": 14, "LANE": 9, "PHASE": 10, "REASON": 24, "HEARTBEAT": 11, "WORKER": 11}
_COLOURS = {"Running": "36", "Succeeded": "32", "Failed": "31", "Stuck": "33"}


@dataclasses.dataclass(frozen=True)
class Row:
    """One run as it is shown."""

    run: str
    lane: str
    phase: str
    reason: str
    message: str
    beat_age: float | None  # seconds
    worker: str


def make_view(out=sys.stdout, environment=os.environ):
    """The table where it can be redrawn and fits, else plain lines."""
    size = shutil.get_terminal_size()
    if not out.isatty() or environment.get("TERM", "dumb") == "dumb" or size.lines < 15:
        return Lines(out)
    return Table(out, coloured=not environment.get("NO_COLOR"))


class Lines:
    """One line for each change of a run's phase or of its worker."""

    def __init__(self, out):
        self._out = out
        self._shown = {}

    def show(self, rows, seconds):
        for row in rows:
            before = self._shown.get(row.run)
            if before is None or (before.phase, before.reason) != (row.phase, row.reason):
                detail = " ".join(filter(None, [row.phase, row.reason, f"({row.message})" if row.message else ""]))
                self._print(row, seconds, detail)
            if before is not None and before.worker != row.worker:
                self._print(row, seconds, f"worker {row.worker}")
            self._shown[row.run] = row

    def _print(self, row, seconds, text):
        print(f"{seconds:5.1f} s  {row.run:<{_WIDTHS['RUN']}}{text}", file=self._out, flush=True)


class Table:
    """All runs at once, drawn over the last drawing."""

    def __init__(self, out, coloured):
        self._out = out
        self._coloured = coloured
        self._lines_drawn = 0

    def show(self, rows, seconds):
        head = "".join(f"{title:<{width}}" for title, width in _WIDTHS.items())
        lines = [self._fit(f"{seconds:4.1f} s"), self._fit(head), *map(self._line, rows)]
        back = f"\x1b[{self._lines_drawn}A" if self._lines_drawn else ""
        self._out.write(back + "".join(f"\r{line}\x1b[K\n" for line in lines))
        self._out.flush()
        self._lines_drawn = len(lines)

    def _line(self, row):
        age = "-" if row.beat_age is None else f"{row.beat_age:.1f} s"
        cells = (row.run, row.lane, row.phase, row.reason or "-", age, row.worker)
        line = self._fit("".join(f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS.values())))
        if not self._coloured or row.phase not in _COLOURS:
            return line
        return f"\x1b[{_COLOURS[row.phase]}m{line}\x1b[0m"

    @staticmethod
    def _fit(line):
        return line[:shutil.get_terminal_size().columns - 1]
