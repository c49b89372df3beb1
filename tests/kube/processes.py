"""Starting and ending the server processes of the tests. Standard library only."""

import ctypes
import os
import signal
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_TAIL_BYTES = 2000


def spawn(command, log_path, die_with_parent=True):
    """Starts a command in a session of its own, its output appended to log_path; returns the Popen.

    With die_with_parent the kernel kills it when the thread that called this ends, whatever ends it.
    """
    parent = os.getpid()

    def follow_parent():
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # It died before the call above.
            os.kill(os.getpid(), signal.SIGKILL)

    with open(log_path, "ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                start_new_session=True, preexec_fn=follow_parent if die_with_parent else None)


def stop_process(process, how=signal.SIGTERM, seconds_max=10):
    """Ends a Popen and reaps it; SIGKILL when it takes too long. None and ended ones are fine."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    process.send_signal(signal.SIGCONT)  # A stopped process sees SIGTERM only once it runs again.
    try:
        process.wait(seconds_max)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_process(pid, program, seconds_max=10):
    """Ends a process that is not our child, if it runs that program; SIGKILL when it takes too long."""
    for how, seconds in ((signal.SIGTERM, seconds_max), (signal.SIGKILL, 1)):
        deadline = time.monotonic() + seconds
        while _runs(pid, program):
            if how is not None:
                os.kill(pid, how)
                how = None
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)


def _runs(pid, program):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as command:
            return command.read().split(b"\0")[0].decode() == program
    except FileNotFoundError:
        return False


def tail(path):
    """The end of a log as text; empty when there is none."""
    try:
        with open(path, "rb") as log:
            log.seek(max(0, os.path.getsize(path) - _TAIL_BYTES))
            return log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def describe_exit(process):
    code = process.returncode
    return f"was killed by signal {-code}" if code < 0 else f"exited with {code}"
