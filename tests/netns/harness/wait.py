"""Waiting with a deadline instead of sleeping."""

import time


def wait_until(condition, seconds, what, interval=0.05):
    """The first true value of the condition; an AssertionError that names it after the deadline.
    `what` may be a function that tells the present state."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {text}")
        time.sleep(interval)
