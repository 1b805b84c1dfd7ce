"""The network of tests/netns (client, balancer, three real servers) with a daemon that has its
configuration from a real API server outside of it. Needs root and the programs of tests/netns.

    client -- balancer: fairlead run --kubeconfig -- srv1, srv2, srv3
                  127.0.0.1:PORT == Relay == 127.0.0.1:PORT of the API server, in the host's network
"""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import threading

from .manifests import SOURCE

_NETNS = os.path.join(SOURCE, "tests", "netns")


def _load_netns():
    """tests/netns/harness, whose name this package has too."""
    folder = os.path.join(_NETNS, "harness")
    spec = importlib.util.spec_from_file_location(
        "netns_harness", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder])
    package = importlib.util.module_from_spec(spec)
    sys.modules["netns_harness"] = package
    spec.loader.exec_module(package)


_load_netns()
# pylint: disable=wrong-import-position,import-error
from netns_harness.fairlead import BINARY, ENGINE, Fairlead  # noqa: E402
from netns_harness.load import Load, load_once  # noqa: E402,F401
from netns_harness.netns import Lab  # noqa: E402
from netns_harness.servers import PORT_LIST, Nginx  # noqa: E402
from netns_harness.wait import wait_until  # noqa: E402,F401

# The presets' check of print servers.
CHECK_PORT = 5122


def reason_to_skip():
    if os.geteuid() != 0:
        return "it needs root to make network namespaces"
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [program for program in ("ip", "nginx") if shutil.which(program) is None]
    if "FAIRLEAD_LOAD" not in os.environ:
        missing.append("FAIRLEAD_LOAD, the built netns_load")
    return f"{', '.join(missing)}: missing" if missing else None


class Relay:
    """Carries TCP from a port of loopback in a namespace to the same port of the host's loopback.
    It can refuse, or hold everything back, as a broken network does."""

    def __init__(self, namespace, port):
        self._namespace = namespace
        self._port = port
        self._lock = threading.Lock()
        self._sockets = set()
        self._flowing = threading.Event()
        self._listener = None
        self.restore()

    def restore(self):
        self._flowing.set()
        if self._listener is None:
            self._listener = self._namespace.listen(self._port, "::")
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self):
        """New connections are refused, those that are there end."""
        if self._listener is not None:
            # close(2) alone does not wake a thread in accept(2).
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            ended, self._sockets = self._sockets, set()
        for made in ended:
            try:
                made.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._flowing.set()

    def stall(self):
        """Connections are accepted and stay, but nothing passes."""
        self._flowing.clear()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        self._flowing.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        with self._lock:
            self._sockets |= {client, server}
        ways = [threading.Thread(target=self._carry, args=pair, daemon=True)
                for pair in ((client, server), (server, client))]
        for way in ways:
            way.start()
        for way in ways:
            way.join()
        with self._lock:
            self._sockets -= {client, server}
        client.close()
        server.close()

    def _carry(self, source, sink):
        try:
            while data := source.recv(65536):
                self._flowing.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for made in (source, sink):
                try:
                    made.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class ClusterFairlead(Fairlead):
    """`fairlead run --kubeconfig` in the balancer's namespace."""

    def __init__(self, lab, kubeconfig, arguments=(), start=True):
        self.kubeconfig = kubeconfig
        super().__init__(lab, arguments=["--node-name", "n1", *arguments], start=start)

    def start(self, takeover=False, ready=True, arguments=()):
        argv = [BINARY, "run", "--kubeconfig", self.kubeconfig, "--state-directory", self.state,
                "--io-engine", self.engine, "--admin", "%s:%d" % self.ADMIN, "--shutdown-grace",
                "3", *(["--takeover"] if takeover else []), *self.arguments, *arguments]
        with open(self.log_path, "ab") as log:
            process = self.lab.balancer.popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                                              stderr=log, env={**os.environ, **self.environment})
        self.processes.append(process)
        self._admin = None
        if ready:
            self.wait_ready()
        return process


class NodeLab(Lab):
    """The lab with nginx on the three servers, on the print servers' ports and their check's."""

    def __init__(self):
        super().__init__()
        self.engine = ENGINE
        self.nginx = {name: Nginx(self, name, ports=(*PORT_LIST, CHECK_PORT))
                      for name in ("srv1", "srv2", "srv3")}
