"""The lab of address owners: two balancers, a client and two real servers on one switch.

      client             lb1               lb2            srv1, srv2
  10.3.0.2, fd03::2   10.3.0.5, fd03::5  10.3.0.6, ::6   10.3.0.11, .12
        |                 |                 |               |
        +------------- switch (bridge) -----+---------------+
               VIPs, brought up by who owns them: 10.3.0.100, fd03::100
"""

import json
import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from .fairlead import Fairlead, vip
from .netns import Lab, command
from .wait import wait_until

VIP4 = "10.3.0.100"
VIP6 = "fd03::100"
BALANCERS = ("lb1", "lb2")
SERVERS = ("srv1", "srv2")
ADDRESSES = {"client": ("10.3.0.2", "fd03::2"), "lb1": ("10.3.0.5", "fd03::5"),
             "lb2": ("10.3.0.6", "fd03::6"), "srv1": ("10.3.0.11", "fd03::11"),
             "srv2": ("10.3.0.12", "fd03::12")}
ETH_P_ALL = 0x0003


def l2_vip(name="web", addresses=(VIP4, VIP6), advertise=None, **spec):
    servers = [{"name": server, "address": ADDRESSES[server][0]} for server in SERVERS]
    made = vip(name, addresses=addresses, servers=(), **spec)
    made["spec"]["realServers"] = {"list": servers}
    made["spec"]["advertise"] = advertise or {"type": "L2"}
    return made


class PairLab(Lab):
    names = ("switch", "client", *BALANCERS, *SERVERS)

    def _wire(self):
        self._settle()
        self._batch(self["switch"], ["link set lo up", "link add name br0 type bridge",
                                     "link set br0 up"])
        for name, (ipv4, ipv6) in ADDRESSES.items():
            port = f"to-{name}"
            self._batch(self["switch"], [
                f"link add name {port} type veth peer name eth0 netns {self[name].name}",
                f"link set {port} master br0 up"])
            self._batch(self[name], [
                "link set lo up", "link set eth0 up", f"address add {ipv4}/24 dev eth0",
                f"address add {ipv6}/64 dev eth0 nodad"])
        for name in BALANCERS:
            # Inherited from the host; it would let an old owner forward to the new one.
            self[name].sysctl("net.ipv4.ip_forward", 0)

    def addresses_of(self, name):
        """The addresses on eth0 that are VIPs."""
        links = json.loads(command("ip", "-n", self[name].name, "-j", "address", "show", "dev",
                                   "eth0"))
        return {info["local"] for link in links for info in link.get("addr_info", ())
                if info.get("local") in (VIP4, VIP6)}

    def address_info(self, name, address):
        links = json.loads(command("ip", "-n", self[name].name, "-j", "address", "show", "dev",
                                   "eth0"))
        for link in links:
            for info in link.get("addr_info", ()):
                if info.get("local") == address:
                    return info
        return None

    def mac(self, name):
        return self[name].run("cat", "/sys/class/net/eth0/address").strip()

    def link(self, name, state):
        """The switch's port of a host: down is a cable that was pulled."""
        command("ip", "-n", self["switch"].name, "link", "set", f"to-{name}", state)


class _Side:
    """The lab as one of its balancers sees it."""

    def __init__(self, lab, name):
        self._lab = lab
        self.balancer = lab[name]

    def __getattr__(self, name):
        return getattr(self._lab, name)


class SideFairlead(Fairlead):
    def __init__(self, lab, name, *args, **kwargs):
        self.host = name
        super().__init__(_Side(lab, name), *args, **kwargs)

    def announced(self, address=VIP4, name="web"):
        entry = self.vip_status(name)
        if entry is None:
            return {}
        return next((a.get("announcement", {}) for a in entry["addresses"]
                     if a["address"] == address), {})


class Sniffer:
    """What passes on the wire of a host: the announcements and the probes of an address."""

    def __init__(self, lab, name):
        self._socket = lab[name].call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW,
                                      socket.htons(ETH_P_ALL))
        self._socket.bind(("eth0", ETH_P_ALL))
        self._socket.settimeout(0.1)
        self.frames = []
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stopped:
            try:
                self.frames.append((time.monotonic(), self._socket.recv(2048)))
            except TimeoutError:
                pass

    def stop(self):
        self._stopped = True
        self._thread.join()
        self._socket.close()
        return self

    def arp(self, mac, sender, target):
        """Times of ARP requests of a MAC."""
        head = bytes.fromhex(mac.replace(":", ""))
        wanted = (socket.inet_aton(sender), socket.inet_aton(target))
        return [at for at, f in self.frames
                if f[6:12] == head and f[12:14] == b"\x08\x06" and f[20:22] == b"\x00\x01"
                and (f[28:32], f[38:42]) == wanted]

    def neighbour(self, mac, kind, source, target):
        """Times of ICMPv6 messages of a MAC: 135 solicitations, 136 advertisements that nobody has
        solicited (RFC 4861 4.4)."""
        head = bytes.fromhex(mac.replace(":", ""))
        source = socket.inet_pton(socket.AF_INET6, source)
        target = socket.inet_pton(socket.AF_INET6, target)
        return [at for at, f in self.frames
                if f[6:12] == head and f[12:14] == b"\x86\xdd" and f[20] == 58 and f[54] == kind
                and f[22:38] == source and f[62:78] == target
                and not (kind == 136 and f[58] & 0x40)]

    def adverts(self):
        """(time, source, priority) of VRRP advertisements over IPv4."""
        return [(at, socket.inet_ntoa(f[26:30]), struct.unpack("!B", f[36:37])[0])
                for at, f in self.frames if f[12:14] == b"\x08\x00" and f[23] == 112]


def node(name, peer=None, priority=100, interval_ms=100, **pair):
    """The Node object of a balancer of the pair; `peer` None is the other one's IPv4 address."""
    other = BALANCERS[1 - BALANCERS.index(name)]
    settings = {"priority": priority, "advertisementIntervalMs": interval_ms, **pair}
    if pair.get("transport") != "Multicast":
        settings["peer"] = peer or ADDRESSES[other][0]
    return {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "Node", "metadata": {"name": name},
            "spec": {"interface": "eth0", "pair": settings}}


class PairFairlead(SideFairlead):
    def pair(self):
        return self.status()["pair"]

    def role(self):
        return self.pair()["state"]

    def wait_state(self, state, seconds=10):
        wait_until(lambda: self.role() == state, seconds,
                   lambda: f"{self.host} is {state}: {self.pair()}\n{self.log()[-2000:]}",
                   interval=0.01)


class Keepalived:
    """keepalived with one VRRP instance, in the foreground."""

    def __init__(self, lab, name, priority, source, peer=None, addresses=(VIP4,), excluded=(),
                 interval=0.1):
        self.namespace = lab[name]
        self.directory = tempfile.mkdtemp(prefix=f"keepalived-{name}-", dir=lab.directory)
        lines = ["global_defs {", f"  router_id {name}", "  vrrp_version 3", "}",
                 "vrrp_instance pair {", "  state BACKUP", "  interface eth0",
                 "  virtual_router_id 51", f"  priority {priority}", f"  advert_int {interval}",
                 "  nopreempt"]
        if peer is not None:
            lines += [f"  unicast_src_ip {source}", f"  unicast_peer {{ {peer} }}"]
        lines += ["  virtual_ipaddress {", *(f"    {a}" for a in addresses), "  }"]
        if excluded:
            lines += ["  virtual_ipaddress_excluded {", *(f"    {a}" for a in excluded), "  }"]
        path = os.path.join(self.directory, "keepalived.conf")
        with open(path, "w") as file:
            file.write("\n".join(lines + ["}"]) + "\n")
        self.log_path = os.path.join(self.directory, "log")
        with open(self.log_path, "ab") as log:
            self.process = self.namespace.popen(
                ["keepalived", "--dont-fork", "--log-console", "--log-detail", "--vrrp",
                 "--use-file", path, "--pid", f"{self.directory}/pid",
                 "--vrrp_pid", f"{self.directory}/vrrp.pid"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        lab.on_close(self.stop)

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def stop(self):
        """SIGTERM: it gives up with priority 0."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)


class Prober:
    """Asks an address again and again, by a new connection each; the times at which it answered."""

    TIMEOUT = 0.05
    REQUEST = b"GET /who HTTP/1.1\r\nHost: vip\r\nConnection: close\r\n\r\n"

    def __init__(self, lab, address, port=80):
        self._lab = lab
        self._target = (address, port)
        self.answered = []
        self._stopped = False
        self._thread = threading.Thread(target=lambda: lab.client.call(self._run), daemon=True)
        self._thread.start()

    def _run(self):
        family = socket.AF_INET6 if ":" in self._target[0] else socket.AF_INET
        while not self._stopped:
            with socket.socket(family, socket.SOCK_STREAM) as made:
                made.settimeout(self.TIMEOUT)
                try:
                    made.connect(self._target)
                    made.sendall(self.REQUEST)
                    if made.recv(4096).startswith(b"HTTP/1.1 200"):
                        self.answered.append(time.monotonic())
                except OSError:
                    pass
            time.sleep(0.005)

    def gap(self, since):
        """The longest time without an answer from then on, in seconds."""
        times = [since, *(at for at in self.answered if at >= since)]
        return max((later - earlier for earlier, later in zip(times, times[1:])), default=0.0)

    def stop(self):
        self._stopped = True
        self._thread.join()
        return self
