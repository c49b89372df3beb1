#!/usr/bin/python3
"""The controller at work on the embedded API server: runs that end well and runs that die in every way, with limits of
seconds. Shows what happens, then what was reaped, why and how fast. It ends with a line for each run, NAME EXPECTED
PHASE REASON LAG, and how many ended as expected; exit code 1 if not all did. Nothing outside this process knows what is
expected. Started by ./dev demo, which builds the programs."""

import argparse
import dataclasses
import http.client
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import api
import report
from observer import Observer
from report import Expectation, Limit
from stage import ROOT, ProgramError, Stage, Worker, tail
from view import Row, make_view

_SECONDS_MAX = 45
_FRAME_SECONDS = 0.1
_METRICS_SECONDS_MAX = 3
_FENCED, _KILLED = 65, -signal.SIGKILL  # exit codes of worker.sh


@dataclasses.dataclass(frozen=True)
class Scene:
    """One run, what becomes of its worker, and how it is to end. The limits are those of config.yaml."""

    name: str
    lane: str
    story: str
    expected: Expectation
    beats: str = ""  # of worker.sh; empty: no worker
    spec: dict = dataclasses.field(default_factory=dict)
    kill_after: int | None = None  # heartbeats
    pause_after: int | None = None  # heartbeats; resumed once the run is over


SCENES = (
    Scene("healthy", "sync", "heartbeats for three timeouts, then finishes", Expectation("Succeeded", worker_exit=0),
          beats="14"),
    Scene("finishes", "sync", "is done after three heartbeats", Expectation("Succeeded", worker_exit=0), beats="3"),
    Scene("crashed", "sync", "its worker is killed with SIGKILL in the middle",
          Expectation("Stuck", "HeartbeatTimeout", Limit("beaten", 5), _KILLED), beats="forever", kill_after=3),
    Scene("hung", "etl", "heartbeats for ever and never gets done; its deadline is 8 s",
          Expectation("Failed", "DeadlineExceeded", Limit("claimed", 8), _FENCED), beats="forever"),
    Scene("never-started", "index", "claimed; heartbeats are required, and the first never comes",
          Expectation("Stuck", "HeartbeatNeverStarted", Limit("claimed", 6)), beats="none"),
    Scene("unclaimed", "queue", "no worker takes it", Expectation("Failed", "PendingDeadlineExceeded",
                                                                 Limit("created", 5))),
    Scene("no-heartbeats", "backfill", "its kind of work sends none; the coarse limit of 7 s from the claim holds",
          Expectation("Stuck", "ClaimExpired", Limit("claimed", 7)), beats="none"),
    Scene("paused", "sync", "its worker sleeps through its timeout (4 s by its own spec), wakes up and is fenced",
          Expectation("Stuck", "HeartbeatTimeout", Limit("beaten", 4), _FENCED), beats="forever", pause_after=3,
          spec={"heartbeat": {"timeoutSeconds": 4}}),
)


class Actor:
    """Plays one scene: starts the worker and does to it what the story says."""

    def __init__(self, scene, stage):
        self.scene = scene
        self.worker = Worker(stage, scene.name, scene.beats) if scene.beats else None
        self._struck = False

    @property
    def worker_exit(self):
        return self.worker.exit_code if self.worker else None

    def follow(self, sighting):
        """Does what is due now that the run was last seen so."""
        if not self._struck and self._reached(sighting, self.scene.kill_after):
            self._struck = True
            self.worker.kill()
        if not self._struck and self._reached(sighting, self.scene.pause_after):
            self._struck = True
            self.worker.pause()
        if self._struck and self.scene.pause_after and sighting.ended is not None:
            self.worker.resume()

    def is_over(self, sighting):
        has_ended = sighting is not None and sighting.ended is not None
        return has_ended and (self.scene.expected.worker_exit is None or self.worker_exit is not None)

    def row(self, sighting, now):
        """The Row that shows the run; beats are only of interest while they may come."""
        worker = self.worker.describe() if self.worker else "none"
        age = now - sighting.beaten if sighting.beaten is not None and sighting.ended is None else None
        return Row(self.scene.name, sighting.lane, sighting.phase, sighting.reason, sighting.message, age, worker)

    @staticmethod
    def _reached(sighting, beats):
        return beats is not None and sighting.beats >= beats


def create_runs(client):
    for scene in SCENES:
        client.post(api.RUNS, {"apiVersion": "jobrun.dev/v1", "kind": "JobRun", "metadata": {"name": scene.name},
                               "spec": {"lane": scene.lane, **scene.spec}})


def play(actors, observer, stage, view):
    """Lets the scenes happen; returns the last sightings when all are over or the time is."""
    start = time.monotonic()
    while True:
        stage.check()
        now = time.monotonic()
        sightings = observer.sightings()
        seen = [(actor, sightings[actor.scene.name]) for actor in actors if actor.scene.name in sightings]
        for actor, sighting in seen:
            actor.follow(sighting)
        view.show([actor.row(sighting, now) for actor, sighting in seen], now - start)
        over = all(actor.is_over(sightings.get(actor.scene.name)) for actor in actors)
        if over or now - start > _SECONDS_MAX:
            return sightings
        time.sleep(_FRAME_SECONDS)


def agreeing_metrics(address, sightings):
    """The samples of /metrics and where they differ from the runs; a moment is allowed for the last answers."""
    deadline = time.monotonic() + _METRICS_SECONDS_MAX
    while True:
        samples = report.parse_metrics(api.fetch_text(address, "/metrics")[1])
        disagreements = report.disagreements_between(samples, sightings)
        if not disagreements or time.monotonic() > deadline:
            return samples, disagreements
        time.sleep(_FRAME_SECONDS)


def tell_reaps(sightings):
    print("\nReaped: what, why, how fast (as this demo's own watch saw it, give or take some milliseconds)")
    for scene in SCENES:
        sighting = sightings.get(scene.name)
        if sighting is None or sighting.phase not in ("Failed", "Stuck"):
            continue
        lag = report.lag_of(scene.expected, sighting)
        how_fast = "was not due at all" if lag is None else f"{lag * 1000:+.0f} ms from its due time"
        print(f"  {scene.name:<14}{sighting.phase:<8}{sighting.reason:<25}{sighting.message:<48}{how_fast}")
    print("  A deadline counts on the API server's clock, which is known to the second: up to two seconds late, never early.")


def tell_next_steps(programs):
    print(f"""
Try next: the same by hand, in two terminals
  {programs}/jobrun-devserver --dir /tmp/jobrun --listen 127.0.0.1:6443
  {programs}/jobrun-controller --kubeconfig /tmp/jobrun/kubeconfig --config tests/demo/config.yaml
and in a third
  export KUBECONFIG=/tmp/jobrun/kubeconfig
  printf 'apiVersion: jobrun.dev/v1\\nkind: JobRun\\nmetadata: {{name: mine}}\\nspec: {{lane: sync}}\\n' | kubectl create -f -
  CREDENTIALS=/tmp/jobrun API_SERVER=https://127.0.0.1:6443 tests/demo/worker.sh mine me forever &
  sleep 4; kill -9 $!               # Stuck after five seconds of silence:
  kubectl get jobruns --watch
  curl -s localhost:8080/metrics | grep ^jobrun_reaps_total
docs/workers.md tells how a worker claims, heartbeats and finishes.
""")


def perform(stage, programs):
    """The whole demo on an open stage; returns the exit code."""
    client = api.Api(stage.cluster)
    observer, actors = Observer(client), []
    try:
        create_runs(client)
        actors.extend(Actor(scene, stage) for scene in SCENES)
        sightings = play(actors, observer, stage, make_view())
        samples, disagreements = agreeing_metrics(stage.metrics_address, sightings)
    finally:
        for actor in actors:
            if actor.worker:
                actor.worker.close()
    tell_reaps(sightings)
    print("\nMetrics, read from /metrics", *report.metrics_summary(samples), sep="\n  ")
    tell_next_steps(programs)
    outcomes = [report.judge(actor.scene.name, actor.scene.expected, sightings.get(actor.scene.name), actor.worker_exit)
                for actor in actors]
    return tell_end(stage, outcomes, disagreements)


def tell_end(stage, outcomes, disagreements):
    last_line, code = report.conclude(outcomes, disagreements)
    print(*(outcome.line for outcome in outcomes), sep="\n")
    for complaint in (*(text for outcome in outcomes for text in outcome.complaints), *disagreements):
        print(f"not as expected: {complaint}")
    if code:
        tell_logs(stage)
    print(last_line, flush=True)
    return code


def tell_logs(stage):
    for log in stage.logs():
        print(f"---- the end of {log}\n{tail(log)}")
    print(f"---- the logs stay in {stage.directory}")


def parse_arguments():
    parser = argparse.ArgumentParser(description="The controller at work on the embedded API server.")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin", metavar="DIR",
                        help="folder of jobrun-devserver and jobrun-controller (default: %(default)s)")
    return parser.parse_args()


def end_on_signal(number, _):
    raise SystemExit(128 + number)


def main():
    programs = parse_arguments().bin
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_on_signal)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="jobrun-demo-"))
    stage = Stage(programs, directory)
    code = 1
    try:
        print("The runs:", *(f"  {scene.name:<14}{scene.story}" for scene in SCENES), "", sep="\n", flush=True)
        stage.open()
        code = perform(stage, programs)
    except (ProgramError, api.ApiError, OSError, http.client.HTTPException) as error:
        tell_logs(stage)
        print(f"demo: failed: {error}")
    except SystemExit as signalled:
        code = signalled.code
        print("\ndemo: stopped")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stage.close()
        if code != 1:
            shutil.rmtree(directory, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
