"""Waiting for a condition, with a limit."""

import time


def until(what, condition, seconds, pause=0.2):
    """Returns the first true value of condition(); fails when there was none in so many seconds. `what` may be a
    function that describes what is there instead."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(pause)
