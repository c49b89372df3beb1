"""What a /metrics page says. Standard library only."""

import re

_LINE = re.compile(r"^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """One scrape, in the text format of Prometheus."""

    def __init__(self, text):
        self.text = text
        self._samples = []
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = _LINE.match(line).groups()
                self._samples.append((name, dict(_LABEL.findall(labels or "")), float(value)))

    def total(self, name, **labels):
        """The sum over all series of that name which carry these labels; fails when there is none."""
        values = [value for found, has, value in self._samples if found == name and labels.items() <= has.items()]
        assert values, f"/metrics has no {name} {labels or ''}"
        return sum(values)

    def by(self, name, *keys):
        """Totals by the values of these labels, without those that are 0: {("default", "Running"): 3.0}."""
        totals = {}
        for found, has, value in self._samples:
            if found == name and value:
                key = tuple(has[label] for label in keys)
                totals[key] = totals.get(key, 0) + value
        return totals
