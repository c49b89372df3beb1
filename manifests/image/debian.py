"""What Debian's package database says about files of this machine."""

import functools
import os
import subprocess


class Missing(Exception):
    """A file or a package that has to be there is not; the text says which and what to do."""


def owner(path):
    """The package, as in `libc6:amd64`, that a file comes from."""
    # The database may know a file by the name that it had before /lib and /bin became links to /usr/lib and /usr/bin.
    names = [path, os.path.realpath(path)]
    names += [name.removeprefix("/usr") for name in names if name.startswith("/usr/")]
    for name in dict.fromkeys(names):
        done = subprocess.run(["dpkg-query", "--search", name], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.splitlines()[0].partition(": ")[0].split(",")[0]
    raise Missing(f"{path} belongs to no Debian package; the image is made of packages and of our own programs only")


@functools.cache
def field(package, name):
    """One field of an installed package, such as `Version`."""
    done = subprocess.run(["dpkg-query", "--show", f"--showformat=${{{name}}}", package], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise Missing(f"the Debian package {package} is not installed")
    return done.stdout


def status(package):
    """The package's paragraph in the database, in which scanners look for its name and version."""
    return subprocess.run(["dpkg-query", "--status", package], capture_output=True, text=True, check=True).stdout


def files(package):
    """The paths that a package installed, sorted."""
    done = subprocess.run(["dpkg-query", "--listfiles", package], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Missing(f"the Debian package {package} is not installed")
    return sorted(done.stdout.splitlines())


def name_of(package):
    """`libc6:amd64` without its architecture."""
    return package.partition(":")[0]


def licence(package):
    """Where the package's licences are written, here and in the image."""
    path = f"/usr/share/doc/{name_of(package)}/copyright"
    if not os.path.exists(path):
        raise Missing(f"{path} is missing: this machine was installed without licences (dpkg's path-exclude)")
    return path


@functools.cache
def architecture():
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


@functools.cache
def release():
    """`debian-12`, as package URLs name it."""
    with open("/etc/os-release", encoding="utf-8") as file:
        said = dict(line.rstrip().replace('"', "").partition("=")[::2] for line in file)
    return f"{said['ID']}-{said.get('VERSION_ID', 'unreleased')}"
