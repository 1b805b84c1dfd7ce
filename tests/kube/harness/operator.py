"""Processes of `fairlead operator` at a test's API server, and what stands in for daemons."""

import contextlib
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request

from .client import APPLY_PATCH
from .manifests import FAIRLEAD, GROUP
from .process import Process, free_ports

LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"


class Operator:
    """One replica. `flags` are those of the command line beyond the usual ones."""

    def __init__(self, server, identity, *flags):
        self.identity = identity
        [self._port] = free_ports(1)
        self.process = Process(
            [FAIRLEAD, "operator", "--kubeconfig", server.kubeconfig, "--identity", identity,
             "--admin", f"127.0.0.1:{self._port}", *flags],
            os.path.join(server.folder, f"{identity}.log"))

    def get(self, page):
        """(HTTP status, text) of a page; status 0 while there is no listener."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{page}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    def is_ready(self):
        return self.get("/readyz")[0] == 200

    def leads(self):
        code, page = self.get("/readyz")
        return code == 200 and json.loads(page)["leader"]

    def metric(self, sample):
        """The value of a sample as it is written in the text, 0.0 when there is none."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"{sample} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def wait_until(self, condition, what, seconds=30):
        self.process.wait_until(condition, seconds, what)

    def log(self):
        with open(self.process.log_path, errors="replace") as file:
            return file.read()

    def kill(self):
        """Without a word to anybody."""
        self.process.signal(signal.SIGKILL)
        self.process.stop()

    def stop(self):
        self.process.stop()


class Daemon:
    """What `fairlead run --in-cluster` writes, without the daemon: its Lease, and its entries in the
    status of VIPs."""

    def __init__(self, client, node, namespace="default", seconds=40):
        self._client = client
        self.node = node
        self._leases = LEASES.format(namespace)
        self._seconds = seconds

    def renew(self):
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                 "metadata": {"name": f"fairlead-node-{self.node}",
                              "labels": {"lb.fairlead.dev/role": "node"}},
                 "spec": {"holderIdentity": self.node, "leaseDurationSeconds": self._seconds,
                          "acquireTime": now, "renewTime": now}}
        code, answer = self._client.request(
            "PATCH", f"{self._leases}/fairlead-node-{self.node}?fieldManager={self.node}&force=true",
            lease, APPLY_PATCH)
        assert code in (200, 201), answer

    @contextlib.contextmanager
    def renewing(self):
        """Renews the Lease each second, as often as the server can be reached."""
        done = threading.Event()

        def renew():
            while not done.wait(1):
                with contextlib.suppress(OSError, AssertionError):
                    self.renew()

        thread = threading.Thread(target=renew)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def leave(self):
        self._client.expect(200, "DELETE", f"{self._leases}/fairlead-node-{self.node}")

    def report(self, vip, ready=1, total=1, not_ready=(), namespace="default", **fields):
        """Says that the VIP's present generation is in force."""
        path = f"{GROUP}/namespaces/{namespace}/vips/{vip}"
        generation = self._client.expect(200, "GET", path)["metadata"]["generation"]
        entry = {"node": self.node, "observedGeneration": generation, "programmed": True,
                 "reason": "Applied", "serversReady": ready, "serversTotal": total,
                 "serversNotReady": list(not_ready), **fields}
        self._client.expect(
            200, "PATCH", f"{path}/status?fieldManager=fairlead-node-{self.node}&force=true",
            {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "VIP", "metadata": {"name": vip},
             "status": {"nodes": [entry]}}, APPLY_PATCH)
