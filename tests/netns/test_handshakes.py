"""Mode DR: a server with which clients' handshakes go unanswered, although its checks pass, gets no
new clients for a while; a flood of SYNs takes nobody out."""

import random
import socket
import struct
import threading
import time

from harness.direct import CLIENT4, VIP4
from harness.direct_case import DirectCase
from harness.fairlead import vip
from harness.load import Load, load_once
from harness.netns import SERVERS
from harness.wait import wait_until

# Who never completes a handshake; the answers go to the client's host, where they are dropped.
SPOOFED = "198.18.0.0/16"


def judged_vip(mode="DR", persistence=None, **rule):
    """A VIP of the lab whose servers are judged by clients' handshakes."""
    check = {"unansweredHandshakes": {"threshold": 10, "windowSeconds": 5, "holdSeconds": 12,
                                      **rule}}
    return vip("web", addresses=(VIP4,), servers=SERVERS, mode=mode, check=check,
               **({"persistence": persistence} if persistence else {}))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def syn_of(source, port):
    """A SYN to the VIP in an IPv4 header, whose length and checksum the kernel fills in."""
    addresses = socket.inet_aton(source) + socket.inet_aton(VIP4)
    tcp = struct.pack("!HHIIBBHHH", port, 80, random.getrandbits(32), 0, 5 << 4, 2, 64240, 0, 0)
    pseudo = addresses + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    return struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_TCP, 0) + addresses + tcp


class Flood:
    """SYNs to the VIP from spoofed sources, 2000 a second, until `stop`; 40,000 at most."""

    def __init__(self, lab):
        self.sent = 0
        self._stop = threading.Event()
        self._socket = lab.client.call(socket.socket, socket.AF_INET, socket.SOCK_RAW,
                                       socket.IPPROTO_RAW)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while self.sent < 40_000 and not self._stop.wait(0.01):
            for _ in range(20):
                source = f"198.18.{random.randrange(256)}.{random.randrange(1, 255)}"
                self._socket.sendto(syn_of(source, random.randrange(1024, 65536)), (VIP4, 0))
                self.sent += 1

    def stop(self):
        self._stop.set()
        self._thread.join()
        self._socket.close()


class HandshakesTest(DirectCase):
    def sources(self, avoided):
        """Addresses of further clients, one for each server but the avoided one."""
        found = {}
        for number in range(200, 240):
            source = f"10.2.0.{number}"
            _, said = self.fairlead.cli("explain", "--client", f"{source}:1", "--vip", f"{VIP4}:80")
            server = next(line for line in said.splitlines() if line.startswith("server"))
            found.setdefault(server.split()[1], source)
            if set(found) == set(SERVERS):
                break
        del found[avoided]
        for source in found.values():
            self.lab.add_address(source, "client", "eth0")
            self.addCleanup(self.lab.remove_address, source, "client", "eth0")
        return list(found.values())

    def swallow(self, name):
        """A firewall of the server drops the client's SYNs; nothing else."""
        self.lab[name].run("nft", f"add table ip firewall; add chain ip firewall input "
                           "{ type filter hook input priority 0; }; add rule ip firewall input "
                           f"ip saddr {CLIENT4} tcp flags & (syn | ack) == syn drop")
        self.addCleanup(self.lab[name].run, "sh", "-c", "nft delete table ip firewall || true")

    def let_in(self, name):
        self.lab[name].run("nft", "delete table ip firewall")

    def verdict(self, name):
        return self.fairlead.server_status(name)["handshakes"]["verdict"]

    def wait_phase(self, name, phase, seconds=40):
        wait_until(lambda: self.verdict(name)["phase"] == phase, seconds,
                   lambda: f"{name} is {phase}: {self.fairlead.vip_status()}")

    def assert_says(self, name, text):
        server = self.fairlead.server_status(name)
        self.assertEqual(server["health"]["state"], "Down")
        self.assertIn(text, server["health"]["reason"])
        self.assertIn("its checks pass", server["health"]["reason"])
        _, table = self.fairlead.cli("status", "--output", "table")
        self.assertIn(text, next(line for line in table.splitlines() if f" {name} " in line))
        _, said = self.fairlead.cli("explain", "--client", f"{CLIENT4}:12345", "--vip",
                                    f"{VIP4}:80")
        self.assertIn(text, next(line for line in said.splitlines() if f" {name} (" in line))
        self.assertEqual(self.fairlead.metric("fairlead_server_handshakes_held", server=name), 1)
        log = [line for line in self.fairlead.log().splitlines() if "real server is down" in line]
        self.assertIn(text, log[-1])

    def test_a_server_that_swallows_syns_is_taken_out_and_comes_back(self):
        self.serve(judged_vip(), up=3)
        held = Load(self.lab, [(VIP4, 80)], rate=0, long=60)
        load = Load(self.lab, [(VIP4, 80)], rate=60, timeout=2)
        time.sleep(3)
        self.assertEqual(self.verdict("srv2")["phase"], "Serving")
        self.swallow("srv2")
        self.wait_phase("srv2", "Held")
        self.figure(self.verdict("srv2")["seen"])
        after = load_once(self.lab, [(VIP4, 80)], rate=300, count=300)
        self.assert_no_failures(after)
        self.assertEqual(set(after.by_server), {"srv1", "srv3"})
        self.assert_says("srv2", "handshakes of clients in ")
        self.let_in("srv2")
        broken = load.stop()
        self.figure(f"until it was out: {broken.summary()}")
        self.assertGreater(broken.failed, 0)

        load = Load(self.lab, [(VIP4, 80)], rate=60)
        self.wait_phase("srv2", "Serving")
        self.assertEqual(self.verdict("srv2")["heldTotal"], 1)
        self.assertIn("on trial", self.fairlead.log())
        wait_until(lambda: "srv2" in load_once(self.lab, [(VIP4, 80)], rate=300, count=60).by_server,
                   10, "srv2 serves again")
        report = load.stop()
        self.figure(f"its way back: {report.summary()}")
        self.assert_no_failures(report)
        # What was established before it was taken out has been there all the time.
        report = held.stop()
        self.assertEqual(report.long_failed, 0, report.failures)
        self.assertIn("srv2", report.long_by_server)

    def test_one_that_still_fails_is_held_again_for_longer(self):
        self.serve(judged_vip(holdSeconds=5), up=3)
        load = Load(self.lab, [(VIP4, 80)], rate=200, timeout=2)
        self.swallow("srv2")
        wait_until(lambda: self.verdict("srv2")["heldTotal"] == 2, 60,
                   lambda: f"held twice: {self.verdict('srv2')}")
        report = load.stop()
        self.figure(report.summary())
        self.assertIn("tried again after 10s", self.fairlead.server_status("srv2")["health"]["reason"])
        # The operator knows better.
        self.let_in("srv2")
        self.fairlead.cli("online", "srv2")
        report = load_once(self.lab, [(VIP4, 80)], rate=300, count=300)
        self.assert_no_failures(report)
        self.assertEqual(set(report.by_server), set(SERVERS))

    def test_clients_that_are_bound_to_the_server_leave_it(self):
        self.serve(judged_vip(persistence={"type": "SourceIP"}), up=3)
        first = load_once(self.lab, [(VIP4, 80)], rate=50, count=20)
        bound = next(iter(first.by_server))
        self.assertEqual(set(first.by_server), {bound})
        others = Load(self.lab, [(VIP4, 80)], rate=40, sources=self.sources(bound))
        load = Load(self.lab, [(VIP4, 80)], rate=20, timeout=30)
        time.sleep(2)
        self.swallow(bound)
        self.wait_phase(bound, "Held")
        after = load_once(self.lab, [(VIP4, 80)], rate=50, count=50)
        self.assert_no_failures(after)
        self.assertNotIn(bound, after.by_server)
        # Whose SYNs had been swallowed got in by one that was sent again.
        report = load.stop()
        self.figure(report.summary())
        self.assert_no_failures(report)
        self.assert_no_failures(others.stop())

    def test_a_flood_of_syns_takes_nobody_out(self):
        for name in SERVERS:
            self.lab[name].run("ip", "route", "replace", SPOOFED, "via", CLIENT4)
        self.serve(judged_vip(), up=3)
        load = Load(self.lab, [(VIP4, 80)], rate=60)
        flood = Flood(self.lab)
        self.addCleanup(flood.stop)
        message = "clients' handshakes go unanswered at most real servers"
        wait_until(lambda: message in self.fairlead.log(), 30, "the flood is seen")
        time.sleep(6)
        flood.stop()
        report = load.stop()
        self.figure(f"{flood.sent} SYNs; {report.summary()}")
        self.assert_no_failures(report)
        servers = self.fairlead.vip_status()["servers"]
        for server in servers:
            shakes = server["handshakes"]
            self.figure(f"{server['name']}: {shakes}")
            self.assertGreater(shakes["watchedTotal"], 4 * shakes["progressedTotal"])
            self.assertEqual(shakes["verdict"]["heldTotal"], 0)
            self.assertEqual(server["health"]["state"], "Up")

    def test_in_mode_auto_the_server_is_proxied(self):
        self.serve(judged_vip(mode="Auto"), up=3)
        wait_until(lambda: all(s["way"] == "DR" for s in self.fairlead.vip_status()["servers"]), 20,
                   lambda: f"all are direct: {self.fairlead.vip_status()}")
        load = Load(self.lab, [(VIP4, 80)], rate=60, timeout=2)
        self.swallow("srv2")  # the client's, not the proxy's
        self.wait_phase("srv2", "Held")
        server = self.fairlead.server_status("srv2")
        self.assertEqual((server["way"], server["health"]["state"]), ("SNAT", "Up"))
        self.assertIn("handshakes of clients in ", server["wayReason"])
        report = load_once(self.lab, [(VIP4, 80)], rate=300, count=300)
        self.assert_no_failures(report)
        self.assertEqual(set(report.by_server), set(SERVERS))
        load.stop()
