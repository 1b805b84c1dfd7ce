"""Network namespaces with a unique prefix, removed also after a failure, and the lab made of them.

  client ----------- balancer ============== srv1, srv2, srv3
  10.1.0.2   front: 10.1.0.1     back (bridge): 10.2.0.1   10.2.0.11, .12, .13
  fd01::2           fd01::1                     fd02::1    fd02::11, ::12, ::13
             VIPs: 10.1.0.100, fd01::100
"""

import atexit
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

PREFIX = "fltest"
VIP4 = "10.1.0.100"
VIP6 = "fd01::100"
SERVERS = ("srv1", "srv2", "srv3")

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


def server_address(name, family=4):
    number = name.removeprefix("srv")
    return f"10.2.0.1{number}" if family == 4 else f"fd02::1{number}"


def command(*argv, **kwargs):
    """Runs a command; its output, or an error that shows what it said."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **kwargs)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Namespace:
    """A network namespace. Sockets made in it stay in it; programs run in it. With `sees_bpffs` they
    keep the host's /sys, and with it bpffs, which `ip netns exec` hides by a /sys of its own."""

    def __init__(self, name, sees_bpffs=False):
        self.name = name
        self._enter = (["nsenter", f"--net=/run/netns/{name}", "--"] if sees_bpffs
                       else ["ip", "netns", "exec", name])
        command("ip", "netns", "add", name)
        self._fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)

    def popen(self, argv, **kwargs):
        return subprocess.Popen([*self._enter, *argv],
                                preexec_fn=_die_with_parent, **kwargs)

    def run(self, *argv, **kwargs):
        return command("ip", "netns", "exec", self.name, *argv, **kwargs)

    def call(self, function, *args):
        """Calls the function on a thread of its own in the namespace; what it returned."""
        outcome = {}

        def body():
            if _libc.setns(self._fd, _CLONE_NEWNET) != 0:
                outcome["error"] = OSError(ctypes.get_errno(), "setns")
                return
            try:
                outcome["value"] = function(*args)
            except BaseException as error:  # handed to the caller's thread
                outcome["error"] = error

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        thread.join()
        if "error" in outcome:
            raise outcome["error"]
        return outcome["value"]

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        return self.call(socket.socket, family, kind)

    def connect(self, address, port, timeout=10, source=None):
        """A connected TCP socket."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = self.socket(family)
        made.settimeout(timeout)
        try:
            if source is not None:
                made.bind((source, 0))
            made.connect((address, port))
        except BaseException:
            made.close()
            raise
        return made

    def listen(self, port, address="", backlog=1024):
        """A listening TCP socket for IPv4 and IPv6."""
        made = self.socket(socket.AF_INET6)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address or "::", port))
        made.listen(backlog)
        return made

    def sysctl(self, name, value):
        path = f"/proc/sys/{name.replace('.', '/')}"
        self.run("sh", "-c", f"echo '{value}' > {path}")

    def close(self):
        """Ends what runs in it, and removes it."""
        deadline = time.monotonic() + 10
        kill = signal.SIGTERM
        while time.monotonic() < deadline:
            pids = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True,
                                  text=True).stdout.split()
            pids = [int(pid) for pid in pids if int(pid) != os.getpid()]
            if not pids:
                break
            for pid in pids:
                try:
                    os.kill(pid, kill)
                except ProcessLookupError:
                    pass
            time.sleep(0.1)
            kill = signal.SIGKILL
        os.close(self._fd)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)


def remove_leftovers():
    """Namespaces of test runs that were killed: the process in their name is gone."""
    if not os.path.isdir("/run/netns"):
        return
    for name in os.listdir("/run/netns"):
        parts = name.split("-")
        if parts[0] == PREFIX and len(parts) > 2 and not os.path.exists(f"/proc/{parts[1]}"):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


class Lab:
    """The five namespaces, wired, and a directory for everything that the test writes."""

    names = ("client", "balancer", *SERVERS)
    sees_bpffs = ()

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="fairlead-netns-")
        os.chmod(self.directory, 0o755)
        self._closers = []
        self._closed = False
        atexit.register(self.close)
        prefix = f"{PREFIX}-{os.getpid()}-{id(self) & 0xffff:04x}"
        self.namespaces = {}
        for name in self.names:
            self.namespaces[name] = Namespace(f"{prefix}-{name}", name in self.sees_bpffs)
        self.client = self.namespaces["client"]
        self.balancer = self.namespaces.get("balancer")
        self._wire()

    def __getitem__(self, name):
        return self.namespaces[name]

    def on_close(self, function):
        """Calls the function when the lab closes, last in first."""
        self._closers.append(function)

    def _batch(self, namespace, lines):
        command("ip", "-n", namespace.name, "-batch", "-", input="\n".join(lines) + "\n")

    def _settle(self):
        for namespace in self.namespaces.values():
            # Host defaults are inherited: BBR paces with timers, and duplicate address detection
            # keeps an IPv6 address unusable for a second.
            namespace.run("sh", "-c", "cd /proc/sys/net; echo reno > ipv4/tcp_congestion_control;"
                          " echo 0 > ipv6/conf/default/accept_dad;"
                          " echo 0 > ipv6/conf/all/accept_dad;"
                          " echo 4096 > core/somaxconn; echo 4096 > ipv4/tcp_max_syn_backlog")

    def _wire(self):
        self._settle()
        lines = ["link set lo up", f"link add front type veth peer name eth0 netns {self.client.name}",
                 "link add back type bridge"]
        for name in SERVERS:
            lines += [f"link add {name} type veth peer name eth0 netns {self[name].name}",
                      f"link set {name} master back up"]
        lines += ["link set front up", "link set back up",
                  "address add 10.1.0.1/24 dev front", "address add fd01::1/64 dev front nodad",
                  "address add 10.2.0.1/24 dev back", "address add fd02::1/64 dev back nodad",
                  f"address add {VIP4}/32 dev front", f"address add {VIP6}/128 dev front nodad"]
        self._batch(self.balancer, lines)
        self._batch(self.client, [
            "link set lo up", "link set eth0 up", "address add 10.1.0.2/24 dev eth0",
            "address add fd01::2/64 dev eth0 nodad",
            "route add default via 10.1.0.1", "route add default via fd01::1"])
        for name in SERVERS:
            self._batch(self[name], [
                "link set lo up", "link set eth0 up",
                f"address add {server_address(name)}/24 dev eth0",
                f"address add {server_address(name, 6)}/64 dev eth0 nodad",
                "route add default via 10.2.0.1", "route add default via fd02::1"])

    def add_address(self, address, name="balancer", device="front"):
        length = 128 if ":" in address else 32
        extra = ["nodad"] if ":" in address else []
        command("ip", "-n", self[name].name, "address", "add", f"{address}/{length}", "dev",
                device, *extra)

    def remove_address(self, address, name="balancer", device="front"):
        length = 128 if ":" in address else 32
        command("ip", "-n", self[name].name, "address", "del", f"{address}/{length}", "dev", device)

    def close(self):
        if self._closed:
            return
        self._closed = True
        for closer in reversed(self._closers):
            try:
                closer()
            except Exception as error:  # the rest must still be cleaned up
                print(f"clean-up: {error}", flush=True)
        for namespace in self.namespaces.values():
            namespace.close()
        if os.environ.get("FAIRLEAD_KEEP"):
            print(f"kept: {self.directory}", flush=True)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
