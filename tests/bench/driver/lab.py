"""Network namespaces for client, proxies and server, and the processes in them.

    client ns  10.71.1.2 --- 10.71.1.1  proxy ns  10.71.2.1 --- 10.71.2.2  server ns
               10.71.3.2 --- 10.71.3.1  packet ns 10.71.4.1 --- 10.71.4.2

The packet-level forwarder has a namespace of its own, because connection tracking would slow the
proxies down. Everything carries the driver's process id in its name and goes away with the Lab;
what a killed run left behind is removed by the next one.
"""

import ctypes
import os
import re
import resource
import signal
import subprocess
import time

PROXY_ADDRESS = "10.71.1.1"
PACKET_ADDRESS = "10.71.3.1"
SERVER_ADDRESS = "10.71.2.2"
SERVER_PORT = 9000
LINKS = [("client", "proxy", 1), ("server", "proxy", 2),
         ("client", "packet", 3), ("server", "packet", 4)]

# The host's congestion control may pace with timers (bbr), and new namespaces inherit it. Ports and
# TIME_WAIT: a short connection must find a free port without a search that depends on the past.
SYSCTLS = {
    "net.ipv4.tcp_congestion_control": "reno",
    "net.ipv4.ip_local_port_range": "1024 65535",
    "net.ipv4.tcp_tw_reuse": "1",
    "net.ipv4.tcp_max_tw_buckets": "4096",
    "net.ipv4.tcp_no_metrics_save": "1",
    "net.ipv4.tcp_max_syn_backlog": "4096",
    "net.core.somaxconn": "4096",
    "net.ipv6.conf.all.disable_ipv6": "1",
}


class BenchError(Exception):
    """Something that the person who runs the benchmark can read and act on."""


def command(*words, check=True, **kwargs):
    """Runs a command to its end and returns its output."""
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, **kwargs)
    if check and done.returncode != 0:
        raise BenchError(f"{' '.join(map(str, words))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _child_setup(cpu):
    """Returns what a child does before exec: die with the driver, take its CPU, raise its limits."""
    libc = ctypes.CDLL(None, use_errno=True)

    def setup():
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        os.sched_setaffinity(0, {cpu})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    return setup


class Lab:
    """A context manager that owns the namespaces and every process started in them."""

    def __init__(self, work_directory):
        self.work_directory = work_directory
        self.proxy_cpu = max(os.sched_getaffinity(0))
        self.load_cpu = min(os.sched_getaffinity(0))
        self.prefix = f"flb{os.getpid()}-"
        self.processes = []

    def __enter__(self):
        if os.geteuid() != 0:
            raise BenchError("network namespaces need root")
        _remove_leftovers()
        try:
            for name in ("client", "proxy", "packet", "server"):
                self._add_namespace(name)
            for near, far, subnet in LINKS:
                self._add_link(near, far, subnet)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.stop(process)
        for name in ("client", "proxy", "packet", "server"):
            command("ip", "netns", "del", self.prefix + name, check=False)

    def _add_namespace(self, name):
        command("ip", "netns", "add", self.prefix + name)
        self.run(name, "ip", "link", "set", "lo", "up")
        for key, value in SYSCTLS.items():
            self.run(name, "sysctl", "-qw", f"{key}={value}")
        if name == "packet":
            self.run(name, "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def _add_link(self, near, far, subnet):
        command("ip", "link", "add", f"v{subnet}", "netns", self.prefix + near, "type", "veth",
                "peer", "name", f"p{subnet}", "netns", self.prefix + far)
        for name, device, host in ((near, f"v{subnet}", 2), (far, f"p{subnet}", 1)):
            self.run(name, "ip", "address", "add", f"10.71.{subnet}.{host}/24", "dev", device)
            self.run(name, "ip", "link", "set", device, "up")

    def steer_packets(self):
        """Makes the forwarder's kernel work happen on the proxy's CPU, where it can be counted."""
        for device in ("p3", "p4"):
            path = f"/sys/class/net/{device}/queues/rx-0/rps_cpus"
            # sysfs shows the namespace of whoever mounts it: `ip netns exec` mounts it anew.
            command("ip", "netns", "exec", self.prefix + "packet", "sh", "-c",
                    f"echo {1 << self.proxy_cpu:x} > {path}")

    def words(self, namespace, words):
        return ["nsenter", f"--net=/run/netns/{self.prefix}{namespace}"] + [str(w) for w in words]

    def run(self, namespace, *words, **kwargs):
        return command(*self.words(namespace, words), **kwargs)

    def run_on_load_cpu(self, namespace, *words, **kwargs):
        return subprocess.run(self.words(namespace, words), capture_output=True, text=True,
                              preexec_fn=_child_setup(self.load_cpu), **kwargs)

    def start(self, namespace, words, cpu, name, **kwargs):
        """Starts a process whose errors go to work_directory/NAME.err."""
        errors = open(self.error_path(name), "w", encoding="utf-8")
        with errors:
            process = subprocess.Popen(self.words(namespace, words), stderr=errors, text=True,
                                       preexec_fn=_child_setup(cpu), **kwargs)
        self.processes.append(process)
        return process

    def error_path(self, name):
        return os.path.join(self.work_directory, f"{name}.err")

    def errors(self, name):
        with open(self.error_path(name), encoding="utf-8", errors="replace") as file:
            return file.read().strip()

    def stop(self, process):
        if process in self.processes:
            self.processes.remove(process)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


def process_tree(process_id):
    """A process and its descendants, parents first."""
    tree = [process_id]
    for parent in tree:
        for thread in _list(f"/proc/{parent}/task"):
            try:
                with open(f"/proc/{parent}/task/{thread}/children", encoding="ascii") as file:
                    tree.extend(int(word) for word in file.read().split())
            except OSError:
                pass
    return tree


def resident_kilobytes(process_id):
    """VmRSS of a process and its descendants."""
    total = 0
    for member in process_tree(process_id):
        with open(f"/proc/{member}/status", encoding="ascii", errors="replace") as file:
            total += int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
    return total


def wait_until(condition, seconds):
    """Polls until `condition()` is true; returns whether it became so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _list(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def _remove_leftovers():
    for name in _list("/run/netns"):
        owner = re.fullmatch(r"flb(\d+)-\w+", name)
        if owner and not os.path.exists(f"/proc/{owner.group(1)}"):
            command("ip", "netns", "del", name, check=False)
