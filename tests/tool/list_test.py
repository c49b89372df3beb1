"""jobrun list."""

import concurrent.futures
import json
import select

import pytest
import yaml

from place import bare

ESCAPES = "\x1b[31mred\x07\r\nnext\u202eback\u009b2J"


def rows(text):
    return [line.split() for line in text.splitlines()]


def line_of(process, part, seconds=20):
    """The first line of its output that has that part."""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        assert ready, f"no line with {part!r} within {seconds} s"
        line = process.stdout.readline().decode()
        assert line, f"it ended without a line with {part!r}"
        if part in line:
            return line


def test_a_table_shows_who_has_what_and_how_long_ago(place):
    place.claimed("a", {"lane": "sync"}, worker="laptop-7", beat_ago=330, claimed_ago=400)
    place.create("b", {"lane": "batch"})
    head, first, second = place.said("list").splitlines()
    assert head.split() == ["NAME", "PHASE", "LANE", "WORKER", "HEARTBEAT", "REASON", "ATTEMPT", "AGE"]
    assert first.split()[:4] == ["a", "Running", "sync", "laptop-7"] and first.split()[4].startswith("5m")
    assert second.split()[:3] == ["b", "Pending", "batch"]
    assert [first[head.index("LANE"):].split()[0], second[head.index("LANE"):].split()[0]] == ["sync", "batch"]
    assert [line.split()[:4] for line in place.said("get").splitlines()] == [head.split()[:4], first.split()[:4], second.split()[:4]]


@pytest.mark.parametrize("flags, names", [
    (["--lane", "sync"], ["a", "c"]), (["--phase", "Pending"], ["b", "c"]), (["--phase", "Running"], ["a"]),
    (["--lane", "sync", "--phase", "Pending"], ["c"]), (["-l", "team=x"], ["b"]), (["-l", "team!=x"], ["a", "c"])])
def test_only_those_asked_for(place, flags, names):
    place.claimed("a", {"lane": "sync"})
    place.create("b", {"lane": "batch"}, labels={"team": "x"})
    place.create("c", {"lane": "sync"})
    assert place.said("list", "-o", "name", *flags).split() == names


def test_all_namespaces_are_named(place):
    place.create("a")
    done = bare("list", "-A", "--kubeconfig", place.server.kubeconfig)
    assert [place.name, "a"] in [row[:2] for row in rows(done.stdout)] and done.stdout.startswith("NAMESPACE")
    assert f"{place.name}/a\n" in bare("list", "-A", "-o", "name", "--kubeconfig", place.server.kubeconfig).stdout


@pytest.mark.parametrize("output, read", [("json", lambda text: json.loads(text)["items"]),
                                          ("yaml", lambda text: list(yaml.safe_load_all(text)))])
def test_objects_come_as_they_are(place, output, read):
    payload = {"yes": "yes", "number": 1.5, "empty": {}, "none": None, "list": [1, "01", "~"], "text": ESCAPES}
    place.create("a", {"payload": payload})
    place.create("b")
    text = place.said("list", "-o", output)
    assert text.isascii() and "\x1b" not in text
    first, second = read(text)
    assert first["spec"]["payload"] == place.rest.get(f"{place.runs}/a").body["spec"]["payload"]
    assert (first["kind"], second["metadata"]["name"]) == ("JobRun", "b")


def test_wide_has_more(place):
    place.failed("a", exitCode=3, progress="2/9")
    assert place.said("list", "-o", "wide").splitlines()[1].split()[-2:] == ["2/9", "3"]


def test_nothing_that_a_terminal_acts_on_gets_through(place):
    place.claimed("a")
    place.status("a", progress=ESCAPES, phase="Failed", reason="Broken")
    text = place.said("list", "-o", "wide")
    assert len(text.splitlines()) == 2 and "red" in text
    assert not set(text) & set("\x1b\x07\r\u202e\u009b")


def test_none_is_said_on_stderr(place):
    done = place.tool("list", "--lane", "nobodys")
    assert (done.returncode, done.stdout.count("\n")) == (0, 0)
    assert done.stderr == f"jobrun: no runs of lane nobodys in namespace {place.name}\n"
    assert json.loads(place.said("list", "-o", "json"))["items"] == []


def test_a_long_list_comes_in_pages(place):
    runs = 1200 if place.server.name == "dev" else 510  # A real server takes its time.
    names = [f"run-{number:04}" for number in range(runs)]
    for name in names:
        place.create(name)
    asked = []
    gate = place.gate()
    gate.refuse(500, "never", lambda method, path, headers: asked.append(path))
    assert [row[0] for row in rows(place.said("list", kubeconfig=gate.kubeconfig))[1:]] == names
    assert len(asked) == -(-runs // 500) and all("limit=500" in path for path in asked)
    items = json.loads(place.said("list", "-o", "json", kubeconfig=gate.kubeconfig))["items"]
    assert [item["metadata"]["name"] for item in items] == names


@pytest.mark.parametrize("output", ["text", "name", "json"])
def test_a_list_that_the_server_has_forgotten_goes_on_with_what_is_there(place, output):
    names = [f"run-{number:03}" for number in range(510)]
    for name in names:
        place.create(name)
    gate = place.gate()
    second_page = gate.catch("GET", "continue=")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        listing = pool.submit(place.tool, "list", "-o", output, kubeconfig=gate.kubeconfig)
        second_page.wait()
        place.rest.delete(f"{place.runs}/{names[-1]}")
        place.create("run-new")
        place.server.compact()
        assert second_page.forward() == 410
    done = listing.result()
    assert done.returncode == 0 and "the rest is as of now" in done.stderr
    if output == "json":
        shown = [item["metadata"]["name"] for item in json.loads(done.stdout)["items"]]
    else:
        shown = [row[0] for row in rows(done.stdout) if row[0] != "NAME"]
    assert shown == [*names[:-1], "run-new"], "what was shown is not shown again, what is left is shown as it is now"


def test_a_server_that_does_not_say_how_a_list_goes_on_is_told(place):
    for number in range(510):
        place.create(f"run-{number:03}")
    gate = place.gate()
    gate.refuse(410, "the continue token is too old", lambda method, path, headers: "continue=" in path)
    done = place.tool("list", kubeconfig=gate.kubeconfig)
    assert done.returncode == 1 and "too old" in done.stderr


def test_a_watch_that_has_to_list_again_tells_what_has_changed_and_nothing_else(place):
    for name in ("changes", "goes", "stays"):
        place.create(name)
    gate = place.gate()
    watching = place.follow("list", "--watch", kubeconfig=gate.kubeconfig)
    line_of(watching, "stays")
    gate.cut()
    place.status("changes", phase="Running", claimedBy="w-1", claimedAt="2026-01-01T00:00:00Z")
    place.rest.delete(f"{place.runs}/goes")
    place.create("comes")
    place.server.compact()
    place.rest.close()  # A real server was restarted.
    gate.heal()
    told = [line_of(watching, f" {name}").split()[:2] for name in ("changes", "comes", "goes")]
    assert told == [["MODIFIED", "changes"], ["ADDED", "comes"], ["DELETED", "goes"]]
    place.rest.delete(f"{place.runs}/changes")
    line = watching.stdout.readline().decode()
    assert line.split()[:2] == ["DELETED", "changes"], "what stays is not told again"


def test_a_watch_prints_changes_as_they_come(place):
    place.create("a")
    watching = place.follow("list", "--watch")
    assert line_of(watching, " a ").split()[:3] == ["ADDED", "a", "Pending"]
    place.status("a", phase="Running", claimedBy="w-1", claimedAt="2026-01-01T00:00:00Z")
    assert line_of(watching, "MODIFIED").split()[:5] == ["MODIFIED", "a", "Running", "default", "w-1"]
    place.create("b")
    assert line_of(watching, "ADDED").split()[1] == "b"
    place.rest.delete(f"{place.runs}/b")
    assert line_of(watching, "DELETED").split()[1] == "b"


def test_a_watch_in_json_has_a_line_for_each_change(place):
    place.create("a", {"lane": "sync"})
    told = json.loads(line_of(place.follow("list", "-w", "-o", "json"), "ADDED"))
    assert (told["name"], told["lane"], told["phase"]) == ("a", "sync", "Pending")


@pytest.mark.parametrize("flags, words", [
    (["-o", "xml"], "--output: expected one of text, wide, name, json, yaml, found"),
    (["--phase", "running"], "did you mean Running?"),
    (["--lane", "No Lane"], "--lane: expected the name of a lane"),
    (["-w", "-o", "yaml"], "--watch: expected -o"),
    (["--wach"], "--wach")])
def test_bad_flags_are_told_in_a_line(place, flags, words):
    done = place.tool("list", *flags)
    assert (done.returncode, done.stdout) == (64, "") and words in done.stderr and done.stderr.count("\n") == 1


def test_a_bad_selector_is_the_servers_to_refuse(place):
    done = place.tool("list", "-l", "a==(b")
    assert done.returncode == 1 and done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [["list"], ["list", "-w"], ["top", "--once"]])
def test_a_missing_right_is_77(place, command):
    gate = place.gate()
    gate.refuse(403, 'User "x" cannot list resource "jobruns"')
    done = place.tool(*command, kubeconfig=gate.kubeconfig)
    assert done.returncode == 77 and "cannot list" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("command", [["list"], ["list", "-w"], ["top", "--once"], ["explain", "a"], ["retry", "a"]])
def test_a_server_that_is_away_is_69(place, command):
    gate = place.gate()
    gate.close()
    done = place.tool(*command, "-o", "json", kubeconfig=gate.kubeconfig)
    told = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (done.returncode, told["exitCode"], told["reason"], done.stdout) == (69, 69, "Unreachable", "")
