#!/usr/bin/env python3
"""Writes the chart's README.md from the comments that begin with `# --` in its values.yaml.

    helm/readme.py           writes it
    helm/readme.py --check   exits 1 when it is not up to date

Each key under such a comment is one row of the table; the comment goes on over the lines that follow it.
"""

import json
import pathlib
import re
import sys

import yaml

CHART = pathlib.Path(__file__).resolve().parent / "jobrun"
SHOWN_CHARACTERS_MAX = 100
HEAD = """# {name}

{description}. Version {version}, for Kubernetes {kube}.

Written by `helm/readme.py` from values.yaml; don't edit. How to install, upgrade, uninstall and share a cluster:
[docs/install.md](../../docs/install.md). How several releases divide the runs:
[docs/sizing.md](../../docs/sizing.md). What the roles and the admission policy guard:
[docs/security.md](../../docs/security.md).

```sh
helm install jobrun helm/jobrun --namespace jobrun-system --create-namespace --set image.registry=REGISTRY
```

A value that is not in this table, or not of its kind, is refused with a message that names it.

| value | default | meaning |
|---|---|---|
"""


class Undocumented(ValueError):
    """A value has no comment; the message names it."""


def comment_above(lines, number):
    """The text of the comment that ends above line `number`, from its `# --` on; None without one."""
    found = []
    for line in reversed(lines[:number]):
        match = re.match(r"\s*# ?(-- )?(.*)", line)
        if not match:
            return None
        found.insert(0, match[2])
        if match[1]:
            return " ".join(found)
    return None


def rows(node, lines, path=""):
    """(path, default, meaning) of every key with a comment; a key without one must be a section of such keys."""
    for key, value in node.value:
        name = f"{path}.{key.value}" if path else key.value
        meaning = comment_above(lines, key.start_mark.line)
        if meaning:
            yield name, yaml.safe_load(yaml.serialize(value)), meaning
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from rows(value, lines, name)
        else:
            raise Undocumented(f"values.yaml:{key.start_mark.line + 1}: {name}: expected a comment `# -- …` above it")


def shown(value):
    text = json.dumps(value)
    return f"`{text}`" if len(text) <= SHOWN_CHARACTERS_MAX else "see values.yaml"


def readme(chart=CHART):
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    text = (chart / "values.yaml").read_text()
    head = HEAD.format(name=about["name"], description=about["description"], version=about["version"],
                       kube=about["kubeVersion"].removesuffix("-0").removeprefix(">=") + " or later")
    table = [f"| `{name}` | {shown(default)} | {meaning.replace('|', chr(92) + '|')} |\n"
             for name, default, meaning in rows(yaml.compose(text), text.splitlines())]
    return head + "".join(table)


def main(arguments):
    if arguments not in ([], ["--check"]):
        print("usage: readme.py [--check]", file=sys.stderr)
        return 2
    path = CHART / "README.md"
    try:
        text = readme()
    except Undocumented as error:
        print(f"readme.py: {error}", file=sys.stderr)
        return 1
    if not arguments:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        print(f"readme.py: {path} is not up to date: run ./dev manifests", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
