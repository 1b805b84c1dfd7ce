"""Server processes of a test: each has a log, and none outlives the test."""

import ctypes
import os
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1


def die_with_parent():
    # Also when the test itself is killed (prctl(2)).
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_ports(count):
    """Ports of loopback that are free at this moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [made.getsockname()[1] for made in sockets]
    for made in sockets:
        made.close()
    return ports


class Process:
    """A process with its output in a file."""

    def __init__(self, argv, log, environment=None):
        self.name = os.path.basename(argv[0])
        self.log_path = log
        with open(log, "ab") as out:
            self._child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, **(environment or {})}, preexec_fn=die_with_parent)

    def log_end(self, lines=15):
        with open(self.log_path, errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def wait_until(self, condition, seconds, what):
        """Until `condition` is true. An AssertionError with the log's end when the process ends
        before that, or at the deadline."""
        deadline = time.monotonic() + seconds
        while not condition():
            code = self._child.poll()
            if code is not None:
                raise AssertionError(f"{self.name} ended with {code}:\n{self.log_end()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: not {what} within {seconds} s:\n"
                                     f"{self.log_end()}")
            time.sleep(0.05)

    def signal(self, number):
        self._child.send_signal(number)

    def kill(self):
        """At once, as a crash would."""
        self._child.kill()
        self._child.wait()

    def stop(self, seconds=10):
        if self._child.poll() is None:
            self._child.terminate()
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
