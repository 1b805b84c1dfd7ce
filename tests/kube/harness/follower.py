"""The reflector as a process (follower.cc): what its sink was told, and the copy that comes of
it."""

import json
import os
import subprocess
import threading
import time

from .process import die_with_parent

FOLLOWER = os.environ.get("KUBE_FOLLOWER", "kube_follower")


class Follower:
    """Follows one resource. `copy` is {"namespace/name": resourceVersion}; `lost` all that was ever
    reported deleted, be it alone or by missing in a replacement."""

    def __init__(self, kubeconfig, plural, folder):
        self.copy = {}
        self.lost = set()
        self.replaces = 0
        self._health = None
        self._changed = threading.Condition()
        self.log_path = os.path.join(folder, f"follower-{plural}-{time.monotonic_ns()}.log")
        with open(self.log_path, "wb") as log:
            self._child = subprocess.Popen([FOLLOWER, kubeconfig, plural], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, stderr=log, text=True,
                                           preexec_fn=die_with_parent)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def _read(self):
        for line in self._child.stdout:
            told = json.loads(line)
            with self._changed:
                self._take(told)
                self._changed.notify_all()

    def _take(self, told):
        if "replace" in told:
            self.replaces += 1
            self.lost |= self.copy.keys() - told["replace"].keys()
            self.copy = told["replace"]
        elif "upsert" in told:
            key, version = told["upsert"]
            self.copy[key] = version
        elif "delete" in told:
            self.lost.add(told["delete"])
            self.copy.pop(told["delete"], None)
        else:
            self._health = told["health"]

    def health(self):
        with self._changed:
            self._health = None
            self._child.stdin.write("health\n")
            self._child.stdin.flush()
            if not self._changed.wait_for(lambda: self._health is not None, 30):
                raise AssertionError(f"the follower tells no health:\n{self.log()}")
            return self._health

    def wait_until(self, condition, what, seconds=60):
        """Until `condition(self)` is true, which is asked after each change and now and then."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            if self._child.poll() is not None:
                raise AssertionError(f"the follower ended:\n{self.log()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not {what} within {seconds} s; {self.health()}\n"
                                     f"{self.log()}")
            with self._changed:
                self._changed.wait(0.1)

    def wait_for_copy(self, wanted, what, seconds=60):
        """Until the copy equals `wanted()`, {"namespace/name": resourceVersion}."""
        expected = wanted()
        self.wait_until(lambda _: self.copy == expected, f"the server's state {what}", seconds)

    def wait_followed(self, seconds=60):
        """Until a watch is open and the copy is known to be of this moment. (Its age alone would
        not do: it is as small right after a list, when no watch has been asked for.)"""

        def follows(_):
            health = self.health()
            return health["watching"] and 0 <= health["age"] < 0.001 and not health["problem"]
        self.wait_until(follows, "following", seconds)

    def stop(self):
        """Ends it as a daemon would; returns how long that took, in seconds."""
        begun = time.monotonic()
        if self._child.stdin.closed:
            return 0
        self._child.stdin.close()
        try:
            code = self._child.wait(30)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            raise AssertionError(f"the follower does not end:\n{self.log()}") from None
        self._reader.join()
        self._child.stdout.close()
        if code != 0:
            raise AssertionError(f"the follower ended with {code}:\n{self.log()}")
        return time.monotonic() - begun
