"""The lab of direct routing: everybody on one switch, the VIP on every real server's loopback.

           client        balancer        srv1, srv2, srv3
        10.2.0.2, fd02::2     10.2.0.1, fd02::1    10.2.0.11 .. .13, fd02::11 .. ::13
              |               |                    |  VIPs on lo, silent to ARP
              +------------ switch ----------------+
                  VIPs: 10.2.0.100, fd02::100
"""

import os
import shutil
import subprocess

from .fairlead import Fairlead, vip
from .netns import SERVERS, Lab, command, server_address

VIP4 = "10.2.0.100"
VIP6 = "fd02::100"
CLIENT4 = "10.2.0.2"


def dr_vip(servers=SERVERS, **spec):
    """The IPv6 servers are the same hosts by their other address."""
    inline = [server if isinstance(server, dict) else {"name": server} for server in servers]
    both = inline + [{**server, "name": f"{server['name']}-6",
                      "address": f"fd02::1{server['name'].removeprefix('srv')}"}
                     for server in inline if server["name"] in SERVERS]
    return vip("web", addresses=(VIP4, VIP6), servers=both, mode="DR", **spec)


class DirectLab(Lab):
    names = ("switch", "client", "balancer", *SERVERS)
    sees_bpffs = ("balancer",)

    def _wire(self):
        self._settle()
        self._batch(self["switch"], ["link set lo up", "link add name br0 type bridge",
                                     "link set br0 up"])
        addresses = {"client": (CLIENT4, "fd02::2"), "balancer": ("10.2.0.1", "fd02::1")}
        for name in SERVERS:
            addresses[name] = (server_address(name), server_address(name, 6))
        for name, (ipv4, ipv6) in addresses.items():
            port = f"to-{name}"
            self._batch(self["switch"], [
                f"link add name {port} type veth peer name eth0 netns {self[name].name}",
                f"link set {port} master br0 up"])
            self._batch(self[name], [
                "link set lo up", "link set eth0 up", f"address add {ipv4}/24 dev eth0",
                f"address add {ipv6}/64 dev eth0 nodad"])
            # A frame that XDP forwards does not have its checksum filled in on the way.
            self[name].run("ethtool", "-K", "eth0", "tx", "off")
        self["switch"].run("ip", "link", "set", "dev", "to-balancer", "xdp", "obj",
                           os.environ["FAIRLEAD_XDP_PASS"], "sec", "xdp")
        self.add_address(VIP4, "balancer", "eth0")
        # Deprecated: else checks would come from the VIP, which the real servers have themselves.
        self._batch(self.balancer,
                    [f"address add {VIP6}/128 dev eth0 nodad preferred_lft 0"])
        for name in SERVERS:
            self[name].sysctl("net.ipv4.conf.all.arp_ignore", 1)
            self[name].sysctl("net.ipv4.conf.all.arp_announce", 2)
            self.add_address(VIP4, name, "lo")
            self.add_address(VIP6, name, "lo")

    def received_bytes(self, name):
        return int(command("nsenter", f"--net=/run/netns/{self[name].name}", "sh", "-c",
                           "ip -s -j link show eth0 | sed 's/.*\"rx\":{\"bytes\":\\([0-9]*\\).*/\\1/'"))


class DirectFairlead(Fairlead):
    """With a directory of its own in bpffs, which is taken away with the lab. `modes`: these
    namespaces carry frames to a VIP, whatever cloud the tests run in."""

    def __init__(self, lab, *args, modes="snat,dr", **kwargs):
        self.bpf = f"/sys/fs/bpf/{os.path.basename(lab.directory)}"
        lab.on_close(self._forget)
        super().__init__(lab, *args, arguments=["--bpf-directory", self.bpf,
                                                "--mode-allowed", modes,
                                                *kwargs.pop("arguments", ())], **kwargs)

    def _forget(self):
        shutil.rmtree(self.bpf, ignore_errors=True)

    def pinned(self):
        return subprocess.run(["find", self.bpf, "-type", "f"], capture_output=True,
                              text=True).stdout.split()
