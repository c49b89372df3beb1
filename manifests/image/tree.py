"""Puts together the files of an image: programs, the libraries that they load, and what a process expects in /etc.

A Tree is a folder and the record of which Debian package each file in it came from.
"""

import os
import pathlib
import re
import shutil
import subprocess

import debian

NONROOT = 65532
_LIBRARY = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)$")
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"


class Tree:
    """A root folder under construction."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.packages = {}  # Path in the image -> the Debian package that the file is from; ours have none.
        if self.root.exists():
            shutil.rmtree(self.root)
        self.root.mkdir(parents=True)
        self.root.chmod(0o755)
        for folder in ("usr/lib", "usr/lib64", "usr/bin", "proc", "sys", "dev", "tmp"):
            self.folder(folder)
        (self.root / "tmp").chmod(0o1777)
        for link in ("lib", "lib64", "bin"):
            (self.root / link).symlink_to(f"usr/{link}")

    def folder(self, path):
        """A folder that everybody may read, and its parents, whatever the umask."""
        target = self.root / path.lstrip("/")
        for part in reversed([target, *target.parents]):
            if part.is_relative_to(self.root) and not part.exists():
                part.mkdir()
                part.chmod(0o755)
        return target

    def text(self, path, content):
        target = self.folder(os.path.dirname(path)) / os.path.basename(path)
        target.write_text(content, encoding="utf-8")
        target.chmod(0o644)

    def copy(self, source, path, mode=0o644):
        target = self.folder(os.path.dirname(path)) / os.path.basename(path)
        shutil.copyfile(source, target)
        target.chmod(mode)
        return target

    def link(self, path, to):
        (self.folder(os.path.dirname(path)) / os.path.basename(path)).symlink_to(to)

    def program(self, source, path):
        """A program and the libraries it loads, with no debug information. One from /usr is a package's."""
        self.copy(source, path, 0o755)
        if str(source).startswith("/usr/"):
            self._from_package(path, str(source))
        else:
            subprocess.run(["strip", "--strip-all", "--remove-section=.comment", self.root / path.lstrip("/")],
                           check=True)
        for library in libraries(source):
            # /lib is a link to usr/lib, here and on the machine that this runs on.
            home = library if library.startswith("/usr/") else f"/usr{library}"
            if home not in self.packages:
                self.copy(library, home, 0o755)
                self._from_package(home, library)

    def accounts(self):
        """The users root and nonroot: some libraries ask for the name of a number."""
        self.text("etc/passwd", "root:x:0:0:root:/:/sbin/nologin\n"
                                f"nonroot:x:{NONROOT}:{NONROOT}:nonroot:/tmp:/sbin/nologin\n")
        self.text("etc/group", f"root:x:0:\nnonroot:x:{NONROOT}:\n")
        self.text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")

    def certificates(self):
        """The public certificate authorities as Debian ships them, without those that this machine was given."""
        sources = [path for path in debian.files("ca-certificates") if path.endswith(".crt")]
        if not sources:
            raise debian.Missing("the Debian package ca-certificates has no certificates")
        self.text(_BUNDLE, "".join(pathlib.Path(path).read_text(encoding="ascii") for path in sources))
        self.packages[f"/{_BUNDLE}"] = "ca-certificates"
        # Where OpenSSL looks, as Debian builds it.
        self.link("usr/lib/ssl/cert.pem", f"/{_BUNDLE}")
        self.link("usr/lib/ssl/certs", "/etc/ssl/certs")

    def papers(self):
        """For each package used its licence, and its entry where scanners look for what is installed."""
        self.copy("/etc/os-release", "/etc/os-release")  # By it scanners know whose packages these are.
        self._from_package("/etc/os-release", "/etc/os-release")
        for package in sorted(set(self.packages.values())):
            self.copy(debian.licence(package), debian.licence(package))
            self.text(f"var/lib/dpkg/status.d/{debian.name_of(package)}", debian.status(package))

    def _from_package(self, path, source):
        self.packages[path if path.startswith("/") else f"/{path}"] = debian.owner(source)


def libraries(program):
    """The paths of all shared libraries that a program loads, the loader included; none for a static one."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if "not a dynamic executable" in said or "statically linked" in said:
        return []
    if done.returncode != 0 or "not found" in said:
        raise debian.Missing(f"{program} can't be loaded on this machine:\n{said}")
    return [match.group(1) for match in map(_LIBRARY.match, said.splitlines()) if match]
