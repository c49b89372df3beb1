"""What the tests of the image need: the image, built once, and a way to see it spoiled."""

import os
import pathlib
import shutil
import subprocess
import sys
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "manifests/image"))
import archive  # noqa: E402
import build  # noqa: E402
import check  # noqa: E402

SKIPPED_EXIT_CODE = 77
EPOCH = 1700000000


def pytest_configure(config):
    """Without a sandbox nothing can be tried: that is said loudly, and fails where CI=true."""
    try:
        tried = subprocess.run([*check.sandbox("/"), "/bin/true"], capture_output=True, text=True, check=False)
        reason = tried.stderr.strip() if tried.returncode else None
    except FileNotFoundError:
        reason = "bwrap is missing: apt-get install bubblewrap"
    if reason and os.environ.get("CI") == "true":
        pytest.exit(f"NO SANDBOX: {reason} (CI=true: that is a failure)", 1)
    if reason:
        pytest.exit(f"SKIPPED: NO SANDBOX: {reason}", SKIPPED_EXIT_CODE)


@pytest.fixture(scope="session")
def programs():
    """The folder of the release programs."""
    return pathlib.Path(os.environ.get("JOBRUN_BIN") or ROOT / "build/release/bin")


@pytest.fixture(scope="session")
def image(programs, tmp_path_factory):
    """The image as ./dev image builds it: its archive, its files and its configuration."""
    out = tmp_path_factory.mktemp("image")
    os.environ["SOURCE_DATE_EPOCH"] = str(EPOCH)
    assert build.build(programs, out, "jobrun:dev") == []
    manifest, config, layer = archive.read(out / "jobrun.tar")
    return types.SimpleNamespace(out=out, tar=out / "jobrun.tar", tree=out / "tree", manifest=manifest, config=config,
                                 layer=layer, bill=out / "jobrun.spdx.json")


@pytest.fixture
def spoiled(image, tmp_path):
    """spoiled(how, **config): what the checks say about the image after how(folder) and with this configuration."""
    def spoil(how=lambda folder: None, **config):
        folder = tmp_path / "tree"
        shutil.copytree(image.tree, folder, symlinks=True)
        how(folder)
        archive.write(folder, tmp_path / "spoiled.tar", "jobrun:spoiled", {**image.config["config"], **config}, EPOCH)
        return check.problems(tmp_path / "spoiled.tar")
    return spoil
