"""A site of some size on a real API server, and the product's processes that look after it."""

import concurrent.futures
import http.client
import json
import os
import socket
import subprocess
import tempfile
import threading
import time

from driver.lab import BenchError

GROUP = "/apis/lb.fairlead.dev/v1alpha1"
NODE, OPERATOR = "alice", "bob"  # users of the API server, so that its audit log tells them apart


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


class Keeper:
    """One kept connection to an API server as its administrator; not thread-safe."""

    def __init__(self, server):
        self._server = server
        self._connection = None

    def request(self, method, path, body=None, content_type="application/json"):
        for attempt in (1, 2):  # a kept connection may have been closed meanwhile
            if self._connection is None:
                client = self._server.client
                self._connection = http.client.HTTPSConnection(
                    "127.0.0.1", self._server.port, timeout=60, context=client.context)
                self._connection.connect()
                self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self._connection.request(method, path, body and json.dumps(body),
                                         {"Content-Type": content_type})
                answer = self._connection.getresponse()
                text = answer.read()
                break
            except (http.client.HTTPException, OSError):
                self._connection = None
                if attempt == 2:
                    raise
        if answer.status >= 300:
            raise BenchError(f"{method} {path}: {answer.status}: {text[:500]}")
        return json.loads(text)


class Site:
    """`vips` VIPs on loopback with `servers` RealServers each, which nobody checks."""

    def __init__(self, server, vips, servers):
        self.server = server
        self.vips = vips
        self.servers = vips * servers
        self._keeper = Keeper(server)
        bodies = [("vips", self._vip(v)) for v in range(vips)]
        bodies += [("realservers", self._server_object(v, s))
                   for v in range(vips) for s in range(servers)]
        local = threading.local()

        def create(item):
            if not hasattr(local, "keeper"):
                local.keeper = Keeper(server)
            plural, body = item
            local.keeper.request("POST", f"{GROUP}/namespaces/default/{plural}", body)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(create, bodies))

    @staticmethod
    def _address(v):
        return f"127.64.{v // 250}.{v % 250 + 1}"

    def _vip(self, v):
        return {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "VIP",
                "metadata": {"name": f"vip-{v}"},
                "spec": {"addresses": [self._address(v)], "ports": "8080",
                         "healthCheck": {"type": "None"}}}

    @staticmethod
    def _server_object(v, s):
        return {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "RealServer",
                "metadata": {"name": f"server-{v}-{s}", "labels": {"lb.fairlead.dev/vip": f"vip-{v}"}},
                "spec": {"address": f"127.{65 + s}.{v // 250}.{v % 250 + 1}"}}

    def set_state(self, v, state):
        self._keeper.request("PATCH", f"{GROUP}/namespaces/default/vips/vip-{v}",
                             {"spec": {"state": state}}, "application/merge-patch+json")

    def is_served(self, v):
        """Whether a client of the VIP gets a connection at this moment."""
        with socket.socket() as client:
            return client.connect_ex((self._address(v), 8080)) == 0

    def ready_vips(self):
        """How many VIPs the API server shows as ready."""
        items = self._keeper.request("GET", f"{GROUP}/vips")["items"]
        return sum(any(c["type"] == "Ready" and c["status"] == "True"
                       for c in vip.get("status", {}).get("conditions", [])) for vip in items)

    def counted_servers(self):
        """How many RealServers have a status."""
        items = self._keeper.request("GET", f"{GROUP}/realservers")["items"]
        return sum(bool(item.get("status", {}).get("summary")) for item in items)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as made:
        return made.getsockname()[1]


class Role:
    """A process of the product in a folder of its own; its admin API on loopback."""

    def __init__(self, program, words, kubeconfig, environment):
        self._folder = tempfile.TemporaryDirectory(prefix="fairlead-bench-")
        self._port = free_port()
        self._log = open(os.path.join(self._folder.name, "log"), "w+", encoding="utf-8")
        self._connection = None
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            [program, *words, "--kubeconfig", kubeconfig, "--admin", f"127.0.0.1:{self._port}"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, cwd=self._folder.name,
            env={**os.environ, **environment})

    def folder(self):
        return self._folder.name

    def ready(self):
        """What /readyz says, None while nobody answers."""
        if self._process.poll() is not None:
            self._log.seek(0)
            raise BenchError(f"it ended with {self._process.returncode}:\n{self._log.read()[-2000:]}")
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            self._connection.request("GET", "/readyz")
            return json.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            self._connection = None
            return None

    def memory_kib(self, field):
        """VmRSS (now) or VmHWM (at most so far), proc(5)."""
        with open(f"/proc/{self._process.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        raise BenchError(f"no {field}")

    def cpu_seconds(self):
        with open(f"/proc/{self._process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._folder.cleanup()
