#!/usr/bin/env python3
"""Checks docs/model/jobrun.pml with Spin: the model as it is, and broken variants of it, which must be caught.

    model.py                 everything; exit code 1 when a check has another outcome than it must have
    model.py show VARIANT    the shortest way into the failure of a broken variant, step by step

A missing Spin or C compiler is an error: both come with `./dev setup`.
"""

import argparse
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

MODEL = pathlib.Path(__file__).resolve().parents[2] / "docs" / "model" / "jobrun.pml"
MEMORY_MIB_MAX = 3000
SECONDS_MAX = 300  # For one check; on a quiet machine the longest takes 25.
DEPTH_MAX = 2_000_000
# Weak fairness needs a bit for each process, by the byte.
FAIR = ["-DNFAIR=4"]

# What a broken variant violates: an invariant, which stands beside the assertion, or progress.
NO_LIVE_REAP, FINAL, ONE_SUCCESSOR, ONE_DECISION = "I1", "I3", "I5", "I8"
PROGRESS = "progress"

# name: (defines, whether it asks for progress)
SOUND = {
    "one run, every fault": (["RUNS=1"], False),
    "two runs, requests delayed and refused, controllers killed": (
        ["RUNS=2", "NO_OUTAGES", "NO_LOSS", "NO_DELETES"], False),
    "one run comes to its end once faults have ended": (["RUNS=1", "CALM"], True),
}
# Broken on purpose. name: what it violates
BROKEN = {
    "NO_GUARD": NO_LIVE_REAP,
    "RESENT_WITH_A_FRESH_VERSION": NO_LIVE_REAP,
    "OUTAGE_IS_SILENCE": NO_LIVE_REAP,
    "NO_GRACE": NO_LIVE_REAP,
    "RESTART_FORGETS_STOPS": NO_LIVE_REAP,
    "TERMINAL_IS_NOT_FINAL": FINAL,
    "RANDOM_NAME": ONE_SUCCESSOR,
    "CREATED_BEFORE_IT_IS_RECORDED": ONE_SUCCESSOR,
    "DELETED_BEFORE_A_LATE_CREATE": ONE_SUCCESSOR,
    "NO_GUARD_OF_THE_DECISION": ONE_DECISION,
    "RETRIES_ARE_REMEMBERED_IN_MEMORY": PROGRESS,
    "GRACE_NEVER_ENDS": PROGRESS,
}


class Check:
    """One run of the verifier in a folder of its own."""

    def __init__(self, folder, defines, *, progress, shortest=False):
        self._folder, self._defines, self._progress = folder, [f"-D{each}" for each in defines], progress
        flags = [*FAIR] if progress else ["-DSAFETY", "-DNOCLAIM", *(["-DBFS"] if shortest else [])]
        self._call("spin", "-a", *self._defines, str(MODEL))
        # What is broken fails soon: it is not worth the optimiser's time.
        self._call("gcc", "-O0" if shortest else "-O2", *flags, f"-DMEMLIM={MEMORY_MIB_MAX}", "-o", "pan", "pan.c")

    def run(self):
        """What the verifier says at its end."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        how = ["-a", "-f"] if self._progress else []
        self.text = self._call("./pan", *how, f"-m{DEPTH_MAX}", "-n")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds = after.ru_utime - before.ru_utime
        return self

    @property
    def states(self):
        return int(float(re.search(r"^\s*(\S+) states, stored", self.text, flags=re.M)[1]))

    @property
    def errors(self):
        return int(re.search(r"errors: (\d+)$", self.text, flags=re.M)[1])

    def is_complete(self):
        """Whether it looked everywhere: neither out of memory nor too deep."""
        return not re.search(r"max search depth too small|pan: reached|out of memory|Search not completed", self.text)

    def trail(self):
        """The steps into the failure, and what is then; empty when there is none."""
        if not self.has_trail():
            return ""
        text = self._call("spin", "-k", f"{MODEL.name}.trail", "-T", *self._defines, str(MODEL))
        return re.sub(r"^(ltl|Never claim| *\d+:\tproc|\d+ processes).*\n", "", text, flags=re.M)

    def has_trail(self):
        return (self._folder / f"{MODEL.name}.trail").exists()

    def violated(self):
        """What is violated at the end of the trail; None when there is none."""
        if not self.has_trail():
            return None
        if "acceptance cycle" in self.text:
            return PROGRESS
        line = re.search(rf"{re.escape(MODEL.name)}:(\d+), Error: assertion violated", self.trail())
        return re.search(r"/\* (I\d+)", MODEL.read_text().splitlines()[int(line[1]) - 1])[1]

    def _call(self, *command):
        done = subprocess.run(["nice", "-n", "5", *command], cwd=self._folder, capture_output=True, text=True, check=False,
                              timeout=SECONDS_MAX)
        if done.returncode and command[0] != "./pan":
            raise SystemExit(f"model: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr


def check_sound(folder, name):
    defines, progress = SOUND[name]
    check = Check(folder, defines, progress=progress).run()
    fine = check.errors == 0 and check.is_complete()
    print(f"{'holds ' if fine else 'FAILS '} {name}: {check.states} states, {check.seconds:.0f} s", flush=True)
    if not fine:
        print(check.text[:3000], check.trail()[-6000:])
    return fine


def broken(folder, name):
    progress = BROKEN[name] == PROGRESS
    defines = ["RUNS=1", name, *(["CALM"] if progress else [])]
    return Check(folder, defines, progress=progress, shortest=not progress).run()


def check_broken(folder, name):
    """It must be caught, by the invariant that it breaks and no other, and tell how."""
    check = broken(folder, name)
    violated = check.violated()
    caught = violated == BROKEN[name]
    print(f"{'caught' if caught else 'MISSED'} {name}: {violated}{'' if caught else f', not {BROKEN[name]}'}", flush=True)
    if not caught:
        print(check.text[:3000])
    return caught


def check_names():
    """Every variant in the model is run here, and the other way round."""
    text = MODEL.read_text()
    known = {*BROKEN, "RUNS", *(each for defines, _ in SOUND.values() for each in defines if "=" not in each)}
    found = set(re.findall(r"^#ifn?def (\w+)", text, flags=re.M))
    if found != known:
        print(f"FAILS  names: {sorted(found ^ known)} are in {MODEL.name} or in {pathlib.Path(__file__).name}, not in both")
    return found == known


def in_folder(act, *arguments):
    with tempfile.TemporaryDirectory(prefix="jobrun-model-") as folder:
        return act(pathlib.Path(folder), *arguments)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["show"])
    parser.add_argument("variant", nargs="?", choices=[*BROKEN])
    chosen = parser.parse_args()
    if chosen.what == "show":
        if chosen.variant is None:
            parser.error("show: which variant?")
        print(in_folder(lambda folder: broken(folder, chosen.variant).trail()))
        return 0
    started = time.monotonic()
    results = [check_names(), *(in_folder(check_sound, name) for name in SOUND),
               *(in_folder(check_broken, name) for name in BROKEN)]
    print(f"model: {sum(results)} of {len(results)} as they must be, {time.monotonic() - started:.0f} s")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
