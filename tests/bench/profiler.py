"""Where a process spends its time, by parts of the program: samples of perf, sorted by the function they fell into."""

import collections
import contextlib
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

from subjects import BenchError

_SAMPLES_PER_S = 5000
_ATTACH_SECONDS_MAX = 5
# The first that matches "library symbol" has it.
_PARTS = [
    ("kernel", r"\[k\]|^\[vdso\]"),
    ("TLS (OpenSSL)", r"^lib(ssl|crypto)"),
    ("general client (cpprestsdk)", r"^libcpprest|pplx::|web::|utility::"),
    ("memory and copying (libc)", r"^libc\.so.*(malloc|free|calloc|realloc|memmove|memcpy|memset|memcmp|memchr|str\w+)|operator (new|delete)"),
    ("decoding", r"simdjson|jobrun::json::|EventDecoder|LineSplitter|ChunkReader|ParseRfc3339|ParseUid|DecodeStatus|DecodeRun|HttpReply"),
    ("writing requests", r"AppendJson|StatusPatch|WriteVerdict|FormatRequest|FormatMicroTime|FormatTime|ToJson|EventObject"),
    ("logging", r"spdlog|fmt::|FormatLogLine|LogSink|StderrSink"),
    ("metrics", r"prometheus|jobrun::Metrics"),
    ("Events", r"EventRecorder"),
    ("connections and loop (Asio)", r"boost::|jobrun::(Connection|DataClient|WatchStream|EventLoop|Timer::Impl|SocketBio|NetworkTransport|LiveCredentials)"),
    ("engine", r"jobrun::"),
]
OTHER = "the rest"


def part_of(library, symbol):
    return next((part for part, pattern in _PARTS if re.search(pattern, f"{library} {symbol}")), OTHER)


def shares(report_text):
    """Percent of the samples by part, the largest first, of what `perf report` printed."""
    found = collections.Counter()
    for percent, library, symbol in re.findall(r"^\s+([\d.]+)%\s+(\S+)\s+(.+?)\s*$", report_text, re.MULTILINE):
        found[part_of(library, symbol)] += float(percent)
    return {part: round(share, 1) for part, share in found.most_common()}


class Profiler:
    """Samples one process at a time. Needs perf, and the right to use it."""

    def __init__(self):
        if shutil.which("perf") is None:
            raise BenchError("--profile needs perf (Debian: linux-perf)")
        self.shares = {}

    @contextlib.contextmanager
    def watching(self, pid):
        with tempfile.TemporaryDirectory(prefix="jobrun-perf-") as name:
            data = pathlib.Path(name) / "data"
            perf = subprocess.Popen(["perf", "record", "-q", "-F", str(_SAMPLES_PER_S), "-o", data, "-p", str(pid)],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                yield
            finally:
                perf.send_signal(signal.SIGINT)
                _, complaint = perf.communicate()
            report = subprocess.run(["perf", "report", "-i", data, "--stdio", "-g", "none", "-F", "overhead,dso,sym"],
                                    capture_output=True, text=True, check=False)
            self.shares = shares(report.stdout)
            if not self.shares:
                raise BenchError(f"perf saw nothing: {complaint.decode(errors='replace').strip()}{report.stderr[-300:]}")
