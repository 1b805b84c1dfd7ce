"""How starved of CPU time the host was while something was measured (/proc/pressure/cpu)."""

import contextlib
import re
import time


class Pressure:
    share = 0.0  # of the time in which some runnable task had to wait

    @property
    def is_starved(self):
        return self.share > 0.5


def _stalled_seconds():
    try:
        with open("/proc/pressure/cpu") as file:
            return int(re.search(r"some .*total=(\d+)", file.read()).group(1)) / 1e6
    except OSError:
        return 0.0


@contextlib.contextmanager
def cpu_pressure():
    pressure = Pressure()
    begin, stalled = time.monotonic(), _stalled_seconds()
    yield pressure
    pressure.share = (_stalled_seconds() - stalled) / (time.monotonic() - begin)
