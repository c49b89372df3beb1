"""The image: what is in it, that it comes out the same each time, and that each of its checks can fail."""

import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

import archive
import build
import check
import conftest
import debian
import sbom
import tree

DOCKERFILE = conftest.ROOT / "manifests/image/Dockerfile"


def command(*arguments, **environment):
    return subprocess.run([sys.executable, conftest.ROOT / "manifests/image/build.py", *map(str, arguments)],
                          capture_output=True, text=True, env={**os.environ, **environment}, check=False)


# What comes out.


def test_the_same_inputs_give_the_same_bytes(image, programs, tmp_path):
    before = os.umask(0o077)
    try:
        done = command("--bin", programs, "--out", tmp_path, TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "jobrun.tar").read_bytes() == image.tar.read_bytes()
    assert (tmp_path / "jobrun.spdx.json").read_bytes() == image.bill.read_bytes()


def test_another_time_gives_other_bytes(image, tmp_path):
    archive.write(image.tree, tmp_path / "later.tar", "jobrun:dev", image.config["config"], conftest.EPOCH + 1)
    assert (tmp_path / "later.tar").read_bytes() != image.tar.read_bytes()


def test_it_starts_the_controller_as_a_user_without_rights(image):
    config = image.config["config"]
    assert image.manifest["RepoTags"] == ["jobrun:dev"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/usr/local/bin/jobrun-controller"]
    assert (image.tree / config["Cmd"][0].partition("=")[2].lstrip("/")).is_file()
    assert config["Labels"]["org.opencontainers.image.version"] == build.version_of(image.tree / "usr/local/bin")


def test_every_program_of_the_build_is_in_it(image, programs):
    built = {name for name in build.PROGRAMS if (programs / name).is_file()}
    assert {path.name for path in (image.tree / "usr/local/bin").iterdir()} == built


def test_the_dockerfile_says_the_same(image):
    """Its last stage, line by line."""
    text = DOCKERFILE.read_text().replace("\\\n", " ").rpartition("FROM scratch")[2]
    said = dict(line.split(None, 1) for line in text.splitlines() if line and not line.startswith(("#", "ARG", "COPY")))
    config = image.config["config"]
    assert said["USER"] == config["User"]
    assert json.loads(said["ENTRYPOINT"]) == config["Entrypoint"]
    assert json.loads(said["CMD"]) == config["Cmd"]
    assert said["WORKDIR"] == config["WorkingDir"]
    assert [said["ENV"]] == config["Env"]
    assert {f"{port}/tcp" for port in said["EXPOSE"].split()} == set(config["ExposedPorts"])
    labels = dict(pair.split("=", 1) for pair in shlex.split(said["LABEL"]))
    assert set(labels) >= set(config["Labels"])
    assert all(labels[name] == value for name, value in config["Labels"].items() if not labels[name].startswith("$"))
    assert f"ARG VERSION={config['Labels']['org.opencontainers.image.version']}\n" in DOCKERFILE.read_text()


def test_the_certificates_are_debians_and_no_others(image):
    bundle = (image.tree / "etc/ssl/certs/ca-certificates.crt").read_text()
    shipped = [path for path in debian.files("ca-certificates") if path.endswith(".crt")]
    assert bundle.count("BEGIN CERTIFICATE") == len(shipped) > 100


def test_the_programs_carry_no_debug_information(image):
    sections = subprocess.run(["readelf", "--section-headers", image.tree / "usr/local/bin/jobrun-controller"],
                              capture_output=True, text=True, check=True).stdout
    assert ".text" in sections and ".debug_info" not in sections and ".symtab" not in sections


# The bill of materials.


def test_the_bill_lists_every_file_with_its_sum(image):
    bill = json.loads(image.bill.read_text())
    assert bill["spdxVersion"] == "SPDX-2.3"
    listed = {file["fileName"][1:]: {each["algorithm"]: each["checksumValue"] for each in file["checksums"]}["SHA256"]
              for file in bill["files"]}
    there = {f"/{entry.name}": hashlib.sha256(image.layer.extractfile(entry).read()).hexdigest()
             for entry in image.layer if entry.isreg() and entry.name != sbom.PATH}
    assert listed == there
    assert (image.tree / sbom.PATH).read_bytes() == image.bill.read_bytes()


def test_the_bill_names_each_package_its_version_and_its_licences(image):
    bill = json.loads(image.bill.read_text())
    packages = {package["name"]: package for package in bill["packages"] if package["SPDXID"] != "SPDXRef-Image"}
    assert {"libc6", "libssl3", "libcpprest2.10", "libstdc++6", "ca-certificates"} <= set(packages)
    for name, package in packages.items():
        assert package["versionInfo"] == debian.field(name, "Version")
        assert package["externalRefs"][0]["referenceLocator"].startswith("pkg:deb/debian/")
        licences = re.search(r"in (/\S+)\.$", package["licenseComments"]).group(1)
        assert (image.tree / licences.lstrip("/")).stat().st_size > 0
        assert f"Version: {package['versionInfo']}\n" in (image.tree / f"var/lib/dpkg/status.d/{name}").read_text()
    libraries = {path.name for path in (image.tree / "usr/lib").rglob("*.so*") if not path.is_symlink()}
    from_packages = {pathlib.Path(file["fileName"]).name for file in bill["files"]
                     if "Debian package" in file["comment"]}
    assert libraries and libraries <= from_packages


# Each check can fail.


def remove(pattern):
    return lambda folder: next(folder.rglob(pattern)).unlink()


def put(path, text, mode=0o644):
    def how(folder):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).unlink(missing_ok=True)
        (folder / path).write_text(text)
        (folder / path).chmod(mode)
    return how


def mode(path, bits):
    return lambda folder: (folder / path).chmod(bits)


FAULTS = {
    "a library is missing": (remove("libyaml-cpp.so*"), "libyaml-cpp"),
    "a library of a library is missing": (remove("libbrotlicommon.so*"), "libbrotlicommon"),
    "the loader is missing": (remove("ld-linux*"), "no ld-linux"),
    "a program is setuid": (mode("usr/local/bin/jobrun-controller", 0o4755), "setuid"),
    "a folder is setgid": (mode("etc", 0o2755), "setgid"),
    "a file can be written by everybody": (mode("etc/passwd", 0o666), "/etc/passwd may be written"),
    "there is a shell": (put("usr/bin/sh", "", 0o755), "/usr/bin/sh is a shell"),
    "the user can't run it": (mode("usr/local/bin/jobrun-controller", 0o700), "jobrun-controller can't be used"),
    "the user can't read the configuration": (mode("etc/jobrun/config.yaml", 0o600), "config.yaml can't be used"),
    "the configuration is wrong": (put("etc/jobrun/config.yaml", "reapin: Enabled\n"), "exited with 2"),
    "a program fails": (put("usr/local/bin/jobrun", "#!/nowhere\n", 0o755), "/usr/local/bin/jobrun can't be loaded"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_files_is_found(spoiled, fault):
    how, expected = FAULTS[fault]
    assert expected in "\n".join(spoiled(how))


def test_an_unspoiled_copy_has_no_fault(spoiled):
    assert spoiled() == []


@pytest.mark.parametrize("user", ["", "0", "0:0", "root", "nonroot"])
def test_a_user_that_may_be_root_is_found(spoiled, user):
    assert "its user is" in "\n".join(spoiled(User=user))


def test_a_file_of_another_owner_is_found(image, monkeypatch):
    entries = [entry for entry in image.layer if entry.isreg()]
    monkeypatch.setattr(entries[0], "uid", 65532)
    assert check.files(entries) == [f"/{entries[0].name} belongs to 65532:0, not to root"]


def test_too_large_an_image_is_found(image, monkeypatch):
    monkeypatch.setattr(check, "SIZE_MIB_MAX", 1)
    assert "at most 1 are allowed" in check.size(image.tar)[0]


# Mistakes are named.


def test_a_missing_program_is_named(tmp_path):
    done = command("--bin", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 1 and f"{tmp_path}/jobrun-controller is missing: run ./dev build" in done.stderr


def test_a_wrong_time_is_named(programs, tmp_path):
    done = command("--bin", programs, "--out", tmp_path, SOURCE_DATE_EPOCH="yesterday")
    assert done.returncode == 1 and "SOURCE_DATE_EPOCH is 'yesterday'" in done.stderr


def test_a_file_of_no_package_is_named(tmp_path):
    stray = tmp_path / "stray"
    stray.touch()
    with pytest.raises(debian.Missing, match="belongs to no Debian package"):
        debian.owner(str(stray))


def test_a_failed_build_leaves_no_image(programs, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "USER", "0")
    (tmp_path / "jobrun.tar").touch()
    assert build.build(programs, tmp_path, "jobrun:dev")
    assert not (tmp_path / "jobrun.tar").exists()


def test_a_static_program_brings_no_libraries():
    assert tree.libraries("/usr/bin/busybox") == [] or not pathlib.Path("/usr/bin/busybox").exists()
