"""What must be true of the image, tried on the archive itself: each check returns the sentences that say what is wrong.

The programs are run from the unpacked layer, read-only, as the image's user, in a sandbox that needs no root (bwrap).
"""

import json
import os
import pathlib
import signal
import stat
import subprocess
import tempfile
import time

import archive

SIZE_MIB_MAX = 30
START_SECONDS_MAX = 20
PROGRAMS = "/usr/local/bin"
_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"}
# Nothing listens there, so that the controller starts and has to wait for its server.
_KUBECONFIG = {
    "apiVersion": "v1", "kind": "Config", "current-context": "nowhere",
    "clusters": [{"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "nobody", "user": {"token": "none"}}],
    "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}]}


def problems(path):
    """All that is wrong with the image in the docker-archive `path`."""
    _, config, layer = archive.read(path)
    with layer, tempfile.TemporaryDirectory() as folder:
        layer.extractall(folder, members=[entry for entry in layer if entry.isreg() or entry.isdir() or entry.issym()])
        found = [*size(path), *user(config), *files(layer), *shells(layer)]
        for program in programs(folder):
            found += libraries(folder, program) or answers(folder, program)
        if not found and f"{PROGRAMS}/jobrun-controller" in programs(folder):
            found += starts(folder)
    return found


def size(path):
    mib = os.path.getsize(path) / 2**20
    return [f"it has {mib:.1f} MiB; at most {SIZE_MIB_MAX} are allowed"] if mib > SIZE_MIB_MAX else []


def user(config):
    name = config["config"].get("User", "")
    number = name.partition(":")[0]
    return [] if number.isdigit() and int(number) > 0 else [
        f"its user is '{name}'; it must be a number other than 0, which runAsNonRoot can tell"]


def files(layer):
    """Who may do what with the files: nothing runs with another's rights, nothing can be written to."""
    found = []
    for entry in layer:
        if entry.mode & (stat.S_ISUID | stat.S_ISGID):
            found.append(f"/{entry.name} is setuid or setgid")
        if entry.mode & stat.S_IWOTH and not (entry.issym() or entry.mode & stat.S_ISVTX):
            found.append(f"/{entry.name} may be written by everybody")
        # Seen here and not in the sandbox, where whoever runs it is the owner.
        needed = (stat.S_IROTH | stat.S_IXOTH) if entry.isdir() or entry.mode & stat.S_IXUSR else stat.S_IROTH
        if entry.mode & needed != needed:
            found.append(f"/{entry.name} can't be used by others than root (mode {entry.mode:o})")
        if entry.uid or entry.gid:
            found.append(f"/{entry.name} belongs to {entry.uid}:{entry.gid}, not to root")
        if not (entry.isreg() or entry.isdir() or entry.issym()):
            found.append(f"/{entry.name} is neither a file nor a folder nor a link")
    return found


def shells(layer):
    return [f"/{entry.name} is a shell" for entry in layer
            if os.path.basename(entry.name) in _SHELLS and not entry.isdir()]


def programs(root):
    folder = pathlib.Path(root, PROGRAMS.lstrip("/"))
    return [f"{PROGRAMS}/{path.name}" for path in sorted(folder.glob("*"))]


def libraries(root, program):
    """Asks the image's own loader."""
    loaders = sorted(pathlib.Path(root).glob("usr/lib*/ld-linux*.so.*")) + sorted(
        pathlib.Path(root).glob("usr/lib/*/ld-linux*.so.*"))
    if not loaders:
        return [f"{program} can't be loaded: the image has no ld-linux"]
    done = run(root, [f"/{loaders[0].relative_to(root)}", "--list", program])
    missing = [line.strip() for line in done.stdout.splitlines() if "not found" in line]
    if done.returncode != 0 or missing:
        return [f"{program} can't be loaded: {'; '.join(missing) or done.stderr.strip()}"]
    return []


def answers(root, program):
    found = []
    for flag in ("--version", "--help"):
        done = run(root, [program, flag])
        if done.returncode != 0 or not done.stdout.strip():
            said = (done.stdout + done.stderr).strip()
            found.append(f"{program} {flag} exits with {done.returncode} and says '{said}'")
    return found


def starts(root):
    """The controller comes up with a configuration, waits for a server that is not there, and stops when told to."""
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = pathlib.Path(folder, "kubeconfig")
        kubeconfig.write_text(json.dumps(_KUBECONFIG), encoding="utf-8")
        kubeconfig.chmod(0o644)
        log = pathlib.Path(folder, "log")
        reader, writer = os.pipe()
        with open(log, "wb") as out:
            process = subprocess.Popen(
                sandbox(root, ["--info-fd", str(writer), "--tmpfs", "/tmp",
                               "--ro-bind", str(kubeconfig), "/tmp/kubeconfig"]) +
                [f"{PROGRAMS}/jobrun-controller", "--kubeconfig=/tmp/kubeconfig", "--config=/etc/jobrun/config.yaml",
                 "--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0"],
                stdout=out, stderr=out, pass_fds=[writer])
        os.close(writer)
        try:
            return _stops_when_told(process, reader, log)
        finally:
            os.close(reader)
            process.kill()
            process.wait()


def _stops_when_told(process, info, log):
    deadline = time.monotonic() + START_SECONDS_MAX
    while "can't connect" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            state = "is still running" if process.poll() is None else f"exited with {process.returncode}"
            return [f"jobrun-controller did not say that its server is away; it {state}:\n{log.read_text()}"]
        time.sleep(0.05)
    os.kill(json.loads(os.read(info, 4096))["child-pid"], signal.SIGTERM)
    try:
        code = process.wait(START_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return [f"jobrun-controller is not over {START_SECONDS_MAX} s after SIGTERM"]
    return [] if code == 0 else [f"jobrun-controller exited with {code} after SIGTERM:\n{log.read_text()}"]


def sandbox(root, more=()):
    """The beginning of a command that runs something of the image: read-only, as its user, without capabilities."""
    return ["bwrap", "--unshare-user", "--uid", "65532", "--gid", "65532", "--unshare-net", "--unshare-ipc",
            "--clearenv", "--die-with-parent", "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev",
            *more, "--"]


def run(root, command):
    return subprocess.run(sandbox(root) + command, capture_output=True, text=True, timeout=60, check=False)
