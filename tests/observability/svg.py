"""Small charts as SVG text: lines over time, and bands for states. Standard library only."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, LEGEND_LINE = 72, 20, 34, 16
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a7500")  # Okabe and Ito's
GRID, QUIET, ALARM = "#dddddd", "#b7d7b7", "#d62728"
_TEXT = 'font-family="sans-serif" font-size="11"'
_LEGEND_COLUMNS = 3


def nice_top(highest):
    """The smallest round number (1, 2, 3, 4, 5, 6, 8, 10, 20…) that is no less; for 0, which has none, 1."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * power >= highest * (1 - 1e-9))


def shown(value, unit):
    """A value with its unit, in few characters."""
    if unit == "s" and 0 < value < 1:
        return f"{value * 1000:.3g} ms"
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    return f"{value:.3g}" + {"s": " s", "opm": "/min", "ops": "/s", "reqps": "/s"}.get(unit, "")


def stretches(points):
    """[(since, until, value)]: the points of one value in a row are one."""
    found = []
    for at, value in points:
        if found and found[-1][2] == value:
            found[-1][1] = at
        else:
            if found:
                found[-1][1] = at
            found.append([at, at, value])
    return found


class Chart:
    """One picture. Series are (name, [(seconds, value)]); there must be a point."""

    def __init__(self, title, unit, series, bound=None):
        times = [at for _, points in series for at, _ in points]
        if not times:
            raise ValueError(f"{title}: nothing to draw")
        self._title, self._unit, self._series, self._bound = title, unit, series, bound
        self._start, self._end = min(times), max(max(times), min(times) + 1)
        self._height = HEIGHT + LEGEND_LINE * math.ceil(len(series) / _LEGEND_COLUMNS)
        self._bottom = HEIGHT - 24
        values = [value for _, points in series for _, value in points]
        self._top_value = nice_top(max(values + [bound or 0]))

    def lines(self):
        """Lines over time, with a dashed line at the bound."""
        parts = [self._scale()]
        if self._bound is not None:
            y = self._y(self._bound)
            parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="{ALARM}" stroke-dasharray="6 4"/>')
        for number, (_, points) in enumerate(self._series):
            path = "L".join(f"{self._x(at)} {self._y(value)}" for at, value in points)
            parts.append(f'<path d="M{path}" fill="none" stroke="{colour(number)}" stroke-width="1.5"/>')
        return self._picture(parts + [self._legend(colour)])

    def bands(self):
        """A band for each series, in another colour where it is not 0."""
        room = (self._bottom - TOP) / len(self._series)
        parts = [self._times()]
        for number, (name, points) in enumerate(self._series):
            y, high = round(TOP + number * room + 2), round(room - 4)
            for since, until, value in stretches(points):
                left, right = self._x(since), self._x(until)
                parts.append(f'<rect x="{left}" y="{y}" width="{right - left}" height="{high}" '
                             f'fill="{ALARM if value else QUIET}"/>')
            middle = round(y + high / 2 + 4)
            parts.append(self._label(middle, escape(name)))
        self._height = HEIGHT
        return self._picture(parts)

    def _x(self, at):
        return round(LEFT + (at - self._start) / (self._end - self._start) * (WIDTH - LEFT - RIGHT))

    def _y(self, value):
        return round(self._bottom - value / self._top_value * (self._bottom - TOP), 1)

    def _scale(self):
        parts = []
        for quarter in range(5):
            value = self._top_value * quarter / 4
            parts.append(f'<path d="M{LEFT} {self._y(value)}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
            parts.append(self._label(self._y(value) + 4, shown(value, self._unit)))
        return "".join(parts) + self._times()

    @staticmethod
    def _label(y, text):
        """Beside the left edge of the chart."""
        return f'<text x="{LEFT - 6}" y="{y}" text-anchor="end" {_TEXT}>{text}</text>'

    def _times(self):
        span = self._end - self._start
        marks = [(self._start + span * part / 4, f"{span * part / 4:.0f} s") for part in range(5)]
        return "".join(f'<text x="{self._x(at)}" y="{self._bottom + 16}" text-anchor="middle" {_TEXT}>{text}</text>'
                       for at, text in marks)

    def _legend(self, colour_of):
        wide = (WIDTH - LEFT - RIGHT) // _LEGEND_COLUMNS
        parts = []
        for number, (name, points) in enumerate(self._series):
            x = LEFT + number % _LEGEND_COLUMNS * wide
            y = HEIGHT + number // _LEGEND_COLUMNS * LEGEND_LINE + 6
            parts.append(f'<path d="M{x} {y - 4}h14" stroke="{colour_of(number)}" stroke-width="3"/>'
                         f'<text x="{x + 20}" y="{y}" {_TEXT}>{escape(name)}: '
                         f"{shown(points[-1][1], self._unit)}</text>")
        return "".join(parts)

    def _picture(self, parts):
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self._height}" role="img">',
            f'<rect width="{WIDTH}" height="{self._height}" fill="#ffffff"/>',
            f'<text x="{LEFT}" y="20" font-family="sans-serif" font-size="14" font-weight="bold">',
            escape(self._title) + "</text>",
            *parts, "</svg>", ""])


def colour(number):
    return COLOURS[number % len(COLOURS)]
