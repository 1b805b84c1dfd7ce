"""The load generator: netns_load in the client's namespace."""

import json
import os
import signal
import subprocess

BINARY = os.environ.get("FAIRLEAD_LOAD", "netns_load")


class Load:
    """Runs from the constructor until `stop`. Targets are (address, port) or (address, port,
    server's port)."""

    def __init__(self, lab, targets, rate=200, seconds=0, count=0, long=0, long_interval=0.2,
                 timeout=10, concurrency=1000, path="/who", expect=None, sources=(),
                 namespace=None):
        argv = [BINARY, "--rate", str(rate), "--seconds", str(seconds), "--count", str(count),
                "--long", str(long), "--long-interval", str(long_interval), "--timeout",
                str(timeout), "--concurrency", str(concurrency), "--path", path]
        for target in targets:
            argv += ["--target", target[0], str(target[1])]
            if len(target) > 2:
                argv += ["--server-port", str(target[2])]
        for source in sources:
            argv += ["--source", source]
        if expect is not None:
            argv += ["--expect", expect]
        self._process = (namespace or lab.client).popen(argv, stdout=subprocess.PIPE)
        self._timeout = timeout
        lab.on_close(self._kill)
        if self._process.stdout.readline() != b"ready\n":
            raise AssertionError(f"netns_load: exit code {self._process.wait()}")

    def _kill(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def wait(self, seconds=300):
        """The report, when it ends by itself."""
        output, _ = self._process.communicate(timeout=seconds)
        if self._process.returncode != 0:
            raise AssertionError(f"netns_load: exit code {self._process.returncode}")
        return Report(json.loads(output))

    def stop(self):
        """Ends it; the report."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait(self._timeout + 30)


class Report:
    def __init__(self, fields):
        self.fields = fields
        self.started = fields["started"]
        self.ok = fields["ok"]
        self.failed = fields["failed"]
        self.long_failed = fields["long_failed"]
        self.long_answers = fields["long_answers"]
        self.failures = fields["failures"]
        self.by_server = {name: count for name, count in fields["by_server"].items()
                          if not name.startswith("long ")}
        self.long_by_server = {name.removeprefix("long "): count
                               for name, count in fields["by_server"].items()
                               if name.startswith("long ")}

    def share(self, server):
        return self.by_server.get(server, 0) / max(1, self.ok)

    def summary(self):
        f = self.fields
        return (f"{self.ok} connections ok, {self.failed} failed, {self.long_answers} answers on "
                f"long connections, {self.long_failed} of those failed, kinds {f['kinds']}, "
                f"p50 {f['p50_ms']:.1f} ms, p99 {f['p99_ms']:.1f} ms, held {f['held']}, "
                f"by server {self.by_server}")


def load_once(lab, targets, **options):
    return Load(lab, targets, **options).wait()
