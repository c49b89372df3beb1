#!/usr/bin/env python3
"""Builds the container image without a container engine: OUT/jobrun.tar, for `docker load` and its like.

From the release programs in --bin and the Debian packages that they were linked with. The same programs, packages and
time (SOURCE_DATE_EPOCH) give the same bytes. What it leaves was checked (check.py); a problem is exit code 1 and leaves
no image.
The Dockerfile makes the same files with `--tree-only`.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True  # The Dockerfile runs this from a folder that is not to change.

import archive  # noqa: E402
import check  # noqa: E402
import debian  # noqa: E402
import sbom  # noqa: E402
import tree  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ("jobrun-controller", "jobrun")  # Those of them that the build has; the first must be there.
CONFIG_FILE = "/etc/jobrun/config.yaml"
CONFIG_TEXT = "# Nothing is set, so the built-in values hold. Mount your own over this one (docs/configuration.md).\n"
USER = f"{tree.NONROOT}:{tree.NONROOT}"
ENTRYPOINT = [f"{check.PROGRAMS}/jobrun-controller"]
COMMAND = [f"--config={CONFIG_FILE}"]


def make_tree(root, programs_dir, version, epoch):
    """All files of the image under `root`."""
    made = tree.Tree(root)
    for name in PROGRAMS:
        if (programs_dir / name).is_file():
            made.program(programs_dir / name, f"{check.PROGRAMS}/{name}")
    made.accounts()
    made.certificates()
    made.text(CONFIG_FILE, CONFIG_TEXT)
    made.copy(ROOT / "LICENSE", "usr/share/doc/jobrun/copyright")
    made.papers()
    sbom.write(made, version, epoch)
    return made


def version_of(programs_dir):
    if not (programs_dir / PROGRAMS[0]).is_file():
        raise debian.Missing(f"{programs_dir / PROGRAMS[0]} is missing: run ./dev build, or name its folder with --bin")
    said = subprocess.run([programs_dir / PROGRAMS[0], "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[-1]


def revision():
    """The commit, and whether there is more than it; None outside a clone."""
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def source_date():
    """SOURCE_DATE_EPOCH, or the time of the commit, or 0."""
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        done = subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%ct"], capture_output=True, text=True,
                              check=False)
        text = done.stdout.strip() if done.returncode == 0 else "0"
    if not text.isdigit():
        raise debian.Missing(f"SOURCE_DATE_EPOCH is '{text}'; expected seconds since 1970 as a whole number")
    return int(text)


def configuration(version):
    labels = {"title": "jobrun", "description": "JobRun: a Kubernetes controller for job liveness", "version": version,
              "licenses": "Apache-2.0", "revision": revision()}
    return {"User": USER, "Entrypoint": ENTRYPOINT, "Cmd": COMMAND, "WorkingDir": "/",
            "Env": [f"PATH={check.PROGRAMS}"], "ExposedPorts": {"8080/tcp": {}, "8081/tcp": {}},
            "Labels": {f"org.opencontainers.image.{key}": value for key, value in labels.items() if value}}


def build(programs_dir, out, tag):
    """Builds and checks OUT/jobrun.tar and OUT/jobrun.spdx.json; returns what is wrong with them."""
    out.mkdir(parents=True, exist_ok=True)
    image, bill = out / "jobrun.tar", out / "jobrun.spdx.json"
    for old in (image, bill):
        old.unlink(missing_ok=True)
    version, epoch = version_of(programs_dir), source_date()
    made = make_tree(out / "tree", programs_dir, version, epoch)
    unchecked = out / "unchecked.tar"
    archive.write(made.root, unchecked, tag, configuration(version), epoch)
    found = check.problems(unchecked)
    if not found:
        unchecked.rename(image)
        shutil.copyfile(made.root / sbom.PATH, bill)
        print(f"{image}: {tag}, {image.stat().st_size / 2**20:.1f} MiB (at most {check.SIZE_MIB_MAX}), "
              f"{len(set(made.packages.values()))} Debian packages")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin", help="folder of the programs")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/image", help="folder for the image")
    parser.add_argument("--tag", default="jobrun:dev", help="the image's name (default: %(default)s)")
    parser.add_argument("--tree-only", type=pathlib.Path, metavar="DIR", help="only put the files into this folder")
    options = parser.parse_args()
    try:
        if options.tree_only:
            make_tree(options.tree_only, options.bin, version_of(options.bin), source_date())
            return 0
        found = build(options.bin, options.out, options.tag)
    except debian.Missing as error:
        found = [str(error)]
    for problem in found:
        print(f"image: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
