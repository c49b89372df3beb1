"""What may go wrong between a controller and its API server while everything else is well: faults for a gate, each on from
begin() to end(), and each counts how often it struck. Standard library only.
"""

import collections
import http.client
import json
import queue
import random
import threading
import time

from canaries import is_about_them, is_canary
from gate import CUT_ANSWER, FORWARD, LOSE, LOSE_ANSWER, Answer, Cut, Fault

PIECE_BYTES, PAUSE_EVERY_BYTES, PAUSE_SECONDS = 3, 24, 0.001
_OPEN_SECONDS = 600  # Longer than anybody waits for a watch that is silent.


def of_all(_):
    return True


def of_runs(path):
    """Only the watch of the runs: beats of canaries are seen as ever."""
    return not is_about_them(path)


def of_canaries(path):
    return is_about_them(path)


class Switched(Fault):
    """A fault with a switch. `seed` decides what it leaves to chance."""

    ends_connections = False  # Whether those that are open end when it begins, so that it meets watches too.

    def __init__(self, seed=1):
        self.struck = 0
        self._on = False
        self._lock = threading.Lock()
        self._random = random.Random(seed)

    def begin(self):
        self._on = True

    def end(self):
        self._on = False

    def strikes(self, chance=1.0):
        """Whether it does now; counted."""
        with self._lock:
            strikes = self._on and self._random.random() < chance
            self.struck += strikes
        return strikes


# Of watches.

class HalfOpen(Switched):
    """Watches on which something happens after it has begun stay open and bring nothing more, ever."""

    def __init__(self, concerns=of_all):
        super().__init__()
        self._concerns = concerns

    def pieces(self, path, lines):
        dead = False
        for line in lines:
            dead = dead or (self._concerns(path) and self.strikes())
            if not dead:
                yield line
        if dead:
            time.sleep(_OPEN_SECONDS)  # Not even its end.


class CutInTheMiddle(Switched):
    """Each watch ends inside one of its first lines; in the middle of a character that has several bytes, if it is to."""

    def __init__(self, in_a_character=False):
        super().__init__()
        self._in_a_character = in_a_character

    def pieces(self, path, lines):
        spared = self._random.randrange(1, 4)
        for line in lines:
            spared -= 1
            at = self._place(line)
            if at and spared < 0 and self.strikes():
                yield line[:at]
                raise Cut()
            yield line

    def _place(self, line):
        if not self._in_a_character:
            return self._random.randrange(1, len(line))
        inside = [at for at, byte in enumerate(line) if byte & 0xC0 == 0x80]
        return self._random.choice(inside) if inside else None


class Lagging(Switched):
    """Every line comes so many seconds late, in order, as from a watch cache that lags."""

    def __init__(self, seconds):
        super().__init__()
        self._seconds = seconds

    def pieces(self, path, lines):
        waiting = queue.SimpleQueue()
        threading.Thread(target=self._fill, args=(waiting, lines), daemon=True).start()
        for line, at in iter(waiting.get, None):
            if self.strikes():
                while self._on and time.monotonic() < at + self._seconds:
                    time.sleep(0.05)
            yield line

    @staticmethod
    def _fill(waiting, lines):
        try:
            for line in lines:
                waiting.put((line, time.monotonic()))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # The server is gone, or who asked it: its connection was closed by another thread.
        waiting.put(None)


class Doubled(Switched):
    """Every event comes twice."""

    def pieces(self, path, lines):
        for line in lines:
            yield line
            if self.strikes():
                yield line


class Replayed(Switched):
    """After each event come those before it again, the oldest first, of some ten seconds."""

    def pieces(self, path, lines):
        before = collections.deque(maxlen=60)
        for line in lines:
            yield line
            if before and self.strikes():
                yield from before
            before.append(line)


class Overtaken(Switched):
    """Each event comes after the one that follows it."""

    def pieces(self, path, lines):
        held = []
        for line in lines:
            if not held and self.strikes():
                held.append(line)
                continue
            yield line
            yield from held
            held.clear()
        yield from held


class Hidden(Switched):
    """Of each object every second change is never told; the next one is. Of canaries all are: with every second beat
    unseen the silence clock may stand as often as its grace is long, and then rightly nothing is written."""

    def pieces(self, path, lines):
        hidden = set()  # Whose last change was.
        for line in lines:
            event = json.loads(line)
            name = event["object"]["metadata"].get("name")
            told = event["type"] != "MODIFIED" or name in hidden or is_canary(event["object"])
            if told or not self.strikes():
                hidden.discard(name)
                yield line
            else:
                hidden.add(name)


class Dripping(Switched):
    """Watches come a few bytes at a time, and slowly."""

    def pieces(self, path, lines):
        for line in lines:
            if not self.strikes():
                yield line
                continue
            for start in range(0, len(line), PIECE_BYTES):
                yield line[start:start + PIECE_BYTES]
                if self._on and start % PAUSE_EVERY_BYTES == 0:
                    time.sleep(PAUSE_SECONDS)


class Expiring(Switched):
    """After a few events each watch says that its version is too old, as when the server has forgotten it meanwhile."""

    def pieces(self, path, lines):
        left = 4
        for line in lines:
            yield line
            left -= 1
            if left < 0 and self.strikes():
                status = Answer(410, "too old resource version: 1 (2)").content
                yield b'{"type":"ERROR","object":%s}\n' % status
                return


class ExpiredAtOnce(Switched):
    """No watch can be taken up again: its version is too old. Lists, also those by a watch, can be had."""

    ends_connections = True

    def before(self, method, path):
        taken_up = "watch=true" in path and "sendInitialEvents" not in path
        return Answer(410, "too old resource version: 1 (2)") if taken_up and self.strikes() else FORWARD


class Farewell(Switched):
    """Every connection ends after its next answer, every watch after its next event: in order, and at once again."""

    ends_connections = True

    def is_last(self):
        return self.strikes()

    def pieces(self, path, lines):
        for line in lines:
            yield line
            if self.strikes():
                return


# Of requests.

class Refusing(Switched):
    """Every request, or every read, is answered with one of these codes in turn; the server never sees it. `more` is what
    the answer says beside."""

    ends_connections = True

    def __init__(self, *codes, reads_only=False, headers=None, **more):
        super().__init__()
        self._codes, self._reads_only, self._headers, self._more = codes, reads_only, headers, more

    def before(self, method, path):
        if (self._reads_only and method != "GET") or not self.strikes():
            return FORWARD
        return Answer(self._codes[self.struck % len(self._codes)], "refused at the gate", self._headers, **self._more)


class FailingAfterwards(Switched):
    """The server carries every write out, and an error is the answer."""

    def after(self, method, path):
        return Answer(500, "etcdserver: request timed out") if method != "GET" and self.strikes() else FORWARD


class Losing(Switched):
    """By chance requests are lost, or, when they have been carried out, their answers are."""

    def __init__(self, requests=0.0, answers=0.0):
        super().__init__()
        self._requests, self._answers = requests, answers

    def before(self, method, path):
        return LOSE if self.strikes(self._requests) else FORWARD

    def after(self, method, path):
        return LOSE_ANSWER if self.strikes(self._answers) else FORWARD


class CuttingShort(Switched):
    """By chance an answer ends in its middle, and its connection with it; the server has carried the request out."""

    def __init__(self, chance=1.0):
        super().__init__()
        self._chance = chance

    def after(self, method, path):
        return CUT_ANSWER if self.strikes(self._chance) else FORWARD
