"""The suites of helm/jobrun/tests, run by the real helm-unittest. Needs helm, and no server."""

import re
import tarfile

from chart import CHART

SUITES = sorted((CHART / "tests").glob("*_test.yaml"))


def test_they_pass(chart):
    done = chart.unittest("--strict", CHART)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Test Suites: {len(SUITES)} passed, {len(SUITES)} total" in done.stdout


def test_each_template_is_looked_at_by_one():
    named = set(re.findall(r"templates/([\w.-]+)", "".join(path.read_text() for path in SUITES)))
    assert named == {path.name for path in (CHART / "templates").iterdir() if not path.name.startswith("_")}


def test_they_are_not_in_the_package(chart, tmp_path):
    done = chart.helm("package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.iterdir()
    with tarfile.open(package) as archive:
        names = archive.getnames()
    assert "jobrun/values.yaml" in names and not [name for name in names if name.startswith("jobrun/tests")]
