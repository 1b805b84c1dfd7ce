"""Packets per second between the two ends of a veth pair in a namespace of their own: Fairlead and
what else forwards there, each configured by itself, taken in turns.

    gen0  generator and sink (XDP)  ==  lb0  the forwarder under test; 10.10.10.150 is not local
"""

import os
from dataclasses import dataclass

from driver.lab import BenchError, command

PORTS = "80,443,5014-5019,5021,5022,50001,50003"
VIP = "10.10.10.150"
SERVERS = 16


def no_rules(_):
    pass


def nftables(lab):
    """At the earliest hook, as stateless as XDP: the server by a hash of the client, its MAC into the
    frame, out by the same device."""
    servers = ", ".join(f"{i} : 02:00:00:01:00:{i:02x}" for i in range(SERVERS))
    lab.run("nft", "-f", "-", input=f"""table netdev bench {{
  chain ingress {{
    type filter hook ingress device "lb0" priority 0;
    ip daddr {VIP} tcp dport {{ {PORTS} }} ether saddr set {lab.mac} ether daddr set jhash ip saddr . tcp sport mod {SERVERS} map {{ {servers} }} fwd to "lb0"
  }}
}}
""")


def routing(lab):
    """ip_forward: one route, one neighbour, no rules."""
    lab.run("sysctl", "-qw", "net.ipv4.ip_forward=1")


@dataclass(frozen=True)
class Forwarder:
    name: str
    program: str  # as bench_dr names it
    text: str
    set_up: object = no_rules


NATIVE = (Forwarder("swap", "swap", "a program that swaps the MACs, native XDP"),
          Forwarder("fairlead", "fairlead", "Fairlead, native XDP"))
# Those that see socket buffers.
GENERIC = (Forwarder("fairlead", "fairlead-generic", "Fairlead, generic XDP"),
           Forwarder("nftables", "kernel", "nftables, ingress: jhash and fwd", nftables),
           Forwarder("ip_forward", "kernel", "kernel forwarding, ip_forward", routing))


class Pair:
    """A fresh namespace for each slice, so that nothing of the former forwarder is left."""

    def __init__(self):
        self.name = f"flb{os.getpid()}-dr"
        self.mac = ""

    def __enter__(self):
        command("ip", "netns", "add", self.name)
        try:
            self._wire()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        command("ip", "netns", "del", self.name, check=False)

    def words(self, *words):
        return ["nsenter", f"--net=/run/netns/{self.name}", *map(str, words)]

    def run(self, *words, **kwargs):
        return command(*self.words(*words), **kwargs)

    def _wire(self):
        self.run("ip", "link", "add", "gen0", "type", "veth", "peer", "name", "lb0")
        for key in ("all.rp_filter=0", "default.rp_filter=0", "all.send_redirects=0",
                    "default.send_redirects=0", "lb0.send_redirects=0", "lb0.rp_filter=0"):
            self.run("sysctl", "-qw", f"net.ipv4.conf.{key}")
        self.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        for device in ("lo", "gen0", "lb0"):
            self.run("ip", "link", "set", device, "up")
        self.run("ip", "address", "add", "10.10.10.140/24", "dev", "lb0")
        self.run("ip", "route", "add", "default", "via", "10.10.10.1")
        self.run("ip", "neighbour", "add", VIP, "lladdr", "02:00:00:01:00:00", "dev", "lb0",
                 "nud", "permanent")
        self.mac = self.run("ip", "-o", "link", "show", "lb0").split("link/ether ")[1].split()[0]
        # A veth takes redirected frames with GRO or a native XDP program. With generic XDP the kernel
        # leaves GRO out; the others get such a program, which passes all, and run without GRO.
        self.run("ethtool", "-K", "lb0", "gro", "on")


def measure(bench, forwarders, rounds, packets):
    """{name: [packets per second of each round]}; a round is one pass over all, forward or backward."""
    rates = {forwarder.name: [] for forwarder in forwarders}
    for number in range(rounds):
        for forwarder in forwarders if number % 2 == 0 else reversed(forwarders):
            with Pair() as pair:
                forwarder.set_up(pair)
                got = bench.measure("forwarding", "gen0", "lb0", forwarder.program, packets,
                                    enter=pair.words())
            if got["received"] != got["sent"]:
                raise BenchError(f"{forwarder.text}: {got['received']} of {got['sent']} packets came back")
            rates[forwarder.name].append(got["received"] / got["seconds"])
    return rates
