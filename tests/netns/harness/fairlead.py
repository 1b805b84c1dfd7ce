"""The balancer: the built binary in the balancer's namespace, and what it says of itself."""

import http.client
import json
import os
import re
import signal
import subprocess
import tempfile

from .netns import SERVERS, VIP4, VIP6, server_address
from .wait import wait_until

BINARY = os.environ.get("FAIRLEAD", "fairlead")
ENGINE = os.environ.get("FAIRLEAD_ENGINE", "auto")
API = "lb.fairlead.dev/v1alpha1"


def vip(name="web", addresses=(VIP4, VIP6), ports="80", servers=None, check=None, **spec):
    """A VIP object. `servers`: names of the lab, or dicts with name and further fields; None =
    RealServer objects by label. Health checks are quick."""
    made = {"addresses": list(addresses), "ports": ports, **spec}
    made["healthCheck"] = {"intervalSeconds": 0.5, "timeoutSeconds": 1, **(check or {})}
    if servers is not None:
        made["realServers"] = {"list": [inline(server) for server in servers]}
    return {"apiVersion": API, "kind": "VIP", "metadata": {"name": name}, "spec": made}


def inline(server):
    if isinstance(server, str):
        return {"name": server, "address": server_address(server)}
    return {"address": server_address(server["name"]), **server}


def real_server(name, vip_name="web", **spec):
    return {"apiVersion": API, "kind": "RealServer",
            "metadata": {"name": name, "labels": {"lb.fairlead.dev/vip": vip_name}},
            "spec": {"address": server_address(name), **spec}}


def three(**spec):
    return [{"name": name, **spec} for name in SERVERS]


class Fairlead:
    """`fairlead run`. Files of its config directory are written by rename."""

    ADMIN = ("127.0.0.1", 9080)

    def __init__(self, lab, objects=(), arguments=(), engine=None, start=True, nofile=None,
                 wrapper=(), environment=None):
        self.lab = lab
        self.engine = engine or ENGINE
        self.arguments = list(arguments)
        self.nofile = nofile
        self.wrapper = list(wrapper)
        self.environment = environment or {}
        self.directory = tempfile.mkdtemp(prefix="fairlead-", dir=lab.directory)
        self.config = os.path.join(self.directory, "config")
        self.state = os.path.join(self.directory, "state")
        os.makedirs(self.config, exist_ok=True)
        os.makedirs(self.state, exist_ok=True)
        self.log_path = os.path.join(self.directory, "log")
        self.processes = []
        self._admin = None
        self._applied = {}
        lab.on_close(self.stop)
        if objects:
            self.put("main.yaml", *objects)
            self._applied["main.yaml"] = tuple(objects)
        if start:
            self.start()

    # Processes.

    def start(self, takeover=False, ready=True, arguments=()):
        argv = [*self.wrapper, BINARY, "run", "--config", self.config, "--state-directory",
                self.state, "--io-engine", self.engine, "--admin", "%s:%d" % self.ADMIN,
                *(["--takeover"] if takeover else []), *self.arguments, *arguments]
        if self.nofile is not None:
            argv = ["prlimit", f"--nofile={self.nofile}:{self.nofile}", *argv]
        with open(self.log_path, "ab") as log:
            process = self.lab.balancer.popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                                              stderr=log, env={**os.environ, **self.environment})
        self.processes.append(process)
        self._admin = None
        if ready:
            self.wait_ready()
        return process

    @property
    def process(self):
        return self.processes[-1]

    def wait_ready(self, seconds=20):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"fairlead ended: {self.process.returncode}\n{self.log()}")
            try:
                return self.get("/readyz")[0] == 200
            except OSError:
                return False
        wait_until(ready, seconds, "fairlead is ready")

    def stop(self, kill=signal.SIGTERM, seconds=40):
        self._admin = None
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(kill)
        for process in self.processes:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError(f"fairlead did not stop:\n{self.log()}")
        codes = [process.returncode for process in self.processes]
        self.processes.clear()
        return codes

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def memory_kb(self, pid=None):
        """Private memory of the process."""
        with open(f"/proc/{pid or self.process.pid}/smaps_rollup") as file:
            text = file.read()
        fields = dict(re.findall(r"^(\w+):\s+(\d+) kB", text, re.M))
        return {"rss": int(fields["Rss"]),
                "private": int(fields["Private_Dirty"]) + int(fields["Private_Clean"])}

    # Configuration.

    def put(self, file, *objects):
        """Writes objects, or texts, into a file of the directory, by rename."""
        texts = [item if isinstance(item, str) else json.dumps(item) for item in objects]
        self.put_bytes(file, "\n---\n".join(texts).encode())

    def put_bytes(self, file, content):
        path = os.path.join(self.config, file)
        temporary = os.path.join(self.directory, file + ".new")
        with open(temporary, "wb") as out:
            out.write(content)
        os.rename(temporary, path)

    def remove(self, file):
        os.unlink(os.path.join(self.config, file))

    def apply(self, file, *objects, seconds=10):
        """Writes objects and waits until they are in force."""
        if self._applied.get(file) == objects:
            return  # no change, no plan
        self._applied[file] = objects
        before = self.status()["planRevision"]
        self.put(file, *objects)
        self.wait_plan(before, seconds)

    def wait_plan(self, before, seconds=10):
        def in_force():
            status = self.status()
            return (status["planRevision"] > before
                    and status["plane"]["appliedRevision"] >= status["planRevision"])
        wait_until(in_force, seconds, lambda: f"a plan after {before} is in force: {self.status()['plane']}, "
                   f"{self.status()['planRevision']}\n{self.log()[-3000:]}", interval=0.005)

    # What it says.

    def get(self, path):
        """(status code, body). The connection is kept."""
        for attempt in (0, 1):
            if self._admin is None:
                connection = http.client.HTTPConnection(*self.ADMIN)
                connection.sock = self.lab.balancer.connect(*self.ADMIN)
                self._admin = connection
            try:
                self._admin.request("GET", path)
                answer = self._admin.getresponse()
                body = answer.read().decode()
                if answer.will_close:
                    self._admin = None
                return answer.status, body
            except (OSError, http.client.HTTPException):
                self._admin = None
                if attempt:
                    raise
        raise AssertionError("unreachable")

    def status(self):
        return json.loads(self.get("/api/v1/status")[1])

    def vip_status(self, name="web"):
        for entry in self.status()["vips"]:
            if entry["name"] == name:
                return entry
        return None

    def server_status(self, server, vip_name="web"):
        for entry in (self.vip_status(vip_name) or {"servers": []})["servers"]:
            if entry["name"] == server:
                return entry
        return None

    def findings(self):
        return [f"{f['severity']} {f['location']} {f['object']} {f['field']}: {f['message']}"
                for f in self.status()["findings"]]

    def metrics(self):
        """{'name{labels}': value}"""
        samples = {}
        for line in self.get("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                key, value = line.rsplit(" ", 1)
                samples[key] = float(value)
        return samples

    def metric(self, name, **labels):
        """The sum of the samples of a family that carry these labels."""
        total = 0
        for key, value in self.metrics().items():
            if key.split("{")[0] == name and all(f'{label}="{text}"' in key
                                                 for label, text in labels.items()):
                total += value
        return total

    def wait_health(self, state="Up", servers=SERVERS, vip_name="web", seconds=20):
        def reached():
            entry = self.vip_status(vip_name)
            if entry is None:
                return False
            states = {s["name"]: s["health"]["state"] for s in entry["servers"]}
            return all(states.get(name) == state for name in servers)
        wait_until(reached, seconds,
                   lambda: f"{servers} of {vip_name} are {state}: "
                   f"{[(s['name'], s['health']) for s in self.vip_status(vip_name)['servers']]}")

    def cli(self, *arguments, ok=True, timeout=60, wrapper=()):
        """Runs a subcommand beside the daemon; (exit code, output)."""
        done = subprocess.run(["ip", "netns", "exec", self.lab.balancer.name, *wrapper, BINARY,
                               *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=timeout, errors="replace")
        if ok and done.returncode != 0:
            raise AssertionError(f"fairlead {arguments}: {done.returncode}\n{done.stdout}")
        return done.returncode, done.stdout
