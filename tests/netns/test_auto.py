"""Mode Auto: each real server by DR where that works, by SNAT where it does not, in one VIP; and no
connection lost by a change of sides."""

import json
import signal
import subprocess
import sys
import time

from harness.case import LabCase
from harness.direct import CLIENT4, VIP4, VIP6, DirectFairlead, DirectLab
from harness.fairlead import vip
from harness.load import Load, load_once
from harness.netns import SERVERS
from harness.servers import Nginx
from harness.wait import wait_until

BALANCER4 = "10.2.0.1"
NOT_YET = "the path check has not passed yet"


def auto_vip(servers=SERVERS, **spec):
    return vip("web", addresses=(VIP4,), servers=servers, mode="Auto", **spec)


def proxied(name):
    """An entry that direct routing cannot serve: in this version it keeps no limits."""
    return {"name": name, "maxConnections": 1_000_000}


class AutoCase(LabCase):
    modes = "snat,dr"

    @classmethod
    def setUpClass(cls):
        cls.lab = DirectLab()
        cls.addClassCleanup(cls.lab.close)
        cls.nginx = {name: Nginx(cls.lab, name) for name in SERVERS}

    def setUp(self):
        super().setUp()
        self.fairlead = DirectFairlead(self.lab, [auto_vip()], modes=self.modes)
        self.addCleanup(self.end)
        self.fairlead.wait_health()

    def end(self):
        if not self.fairlead.processes:
            self.fairlead.start()
        self.fairlead.wait_ready()
        self.fairlead.remove("main.yaml")
        wait_until(lambda: self.fairlead.pinned() == [], 5, "nothing is pinned any more")
        self.fairlead.stop()

    def ways(self):
        return {s["name"]: s["way"] for s in self.fairlead.vip_status()["servers"]}

    def reasons(self):
        return {s["name"]: s["wayReason"] for s in self.fairlead.vip_status()["servers"]}

    def wait_ways(self, seconds=20, **ways):
        wait_until(lambda: self.ways() == ways, seconds,
                   lambda: f"{ways}: {self.ways()} {self.reasons()}\n{self.fairlead.log()[-3000:]}")

    def by_server(self, count=300, address=VIP4):
        report = load_once(self.lab, [(address, 80)], rate=500, count=count)
        self.assert_no_failures(report)
        return report.by_server

    def sources(self, count=60):
        """{server: the addresses that its clients have}"""
        sources = {}
        for _ in range(count):
            said = self.lab.client.run("curl", "-sf", "-m", "5", "-w", "%header{x-server}",
                                       f"http://{VIP4}/peer")
            address, _, server = said.split()
            sources.setdefault(server, set()).add(address)
        return sources


class ProxiedTest(AutoCase):
    """Where the host refuses direct routing."""

    modes = "snat"

    def test_every_server_is_proxied_and_says_why(self):
        self.wait_ways(srv1="SNAT", srv2="SNAT", srv3="SNAT")
        for reason in self.reasons().values():
            self.assertIn("--mode-allowed does not allow direct routing", reason)
        self.assertEqual(set(self.by_server()), set(SERVERS))
        self.assertEqual(self.sources(6).popitem()[1], {BALANCER4})
        self.assertEqual(self.fairlead.vip_status()["problem"], "")
        self.assertEqual(self.fairlead.pinned(), [])
        text = self.fairlead.cli("status", "--output", "table")[1]
        self.assertRegex(text, r"WAY +REASON")
        self.assertRegex(text, r"srv1 .* SNAT .*SNAT: --mode-allowed")


class UncheckedTest(AutoCase):
    """Real servers that lack the VIP: no check along the direct path can pass."""

    def setUp(self):
        for name in SERVERS:
            self.lab.remove_address(VIP4, name, "lo")
            self.addCleanup(self.lab.add_address, VIP4, name, "lo")
        super().setUp()

    def test_without_a_path_that_passes_every_server_is_proxied(self):
        time.sleep(3)  # several checks
        self.wait_ways(srv1="SNAT", srv2="SNAT", srv3="SNAT")
        for reason in self.reasons().values():
            self.assertIn("path", reason)
        self.assertEqual(set(self.by_server()), set(SERVERS))
        _, said = self.fairlead.cli("explain", "--client", CLIENT4, "--vip", f"{VIP4}:80")
        self.assertIn("(10.2.0.", said)
        self.assertEqual(self.fairlead.pinned(), [], "the kernel has no half")


class MixedTest(AutoCase):
    """srv3 lacks the VIP, so that it has to be proxied."""

    def setUp(self):
        self.lab.remove_address(VIP4, "srv3", "lo")
        self.addCleanup(lambda: self.owns("srv3") or self.lab.add_address(VIP4, "srv3", "lo"))
        super().setUp()
        self.skip_without_path_checks()
        self.wait_ways(srv1="DR", srv2="DR", srv3="SNAT")

    checks = None  # whether this build has path checks

    def skip_without_path_checks(self):
        """A check that is there says something: its reason stands behind."""
        def told():
            return any(way == "DR" or reason != NOT_YET for (way, reason)
                       in zip(self.ways().values(), self.reasons().values()))
        if MixedTest.checks is None:
            try:
                wait_until(told, 10, "a path check says something")
                MixedTest.checks = True
            except AssertionError:
                MixedTest.checks = False
        if not MixedTest.checks:
            reason = ("NOTHING CHECKS THE DIRECT PATH IN THIS BUILD: no server of a VIP in mode "
                      "Auto can go directly")
            print(f"\n*** {reason}\n", file=sys.stderr, flush=True)
            self.skipTest(reason)

    def owns(self, name):
        addresses = json.loads(subprocess.run(
            ["ip", "-n", self.lab[name].name, "-j", "address", "show", "dev", "lo"],
            capture_output=True, text=True, check=True).stdout)
        return any(entry.get("local") == VIP4 for entry in addresses[0]["addr_info"])

    def test_each_server_goes_its_way(self):
        shares = self.by_server(600)
        self.assertEqual(set(shares), set(SERVERS))
        self.assertGreater(min(shares.values()), 120, shares)
        self.assertEqual(self.sources(), {"srv1": {CLIENT4}, "srv2": {CLIENT4},
                                          "srv3": {BALANCER4}})
        totals = {s["name"]: s["connectionsTotal"] for s in self.fairlead.vip_status()["servers"]}
        self.assertEqual(sum(totals.values()), 660)
        self.assertEqual(self.fairlead.vip_status()["connectionsTotal"], 660)
        self.assertGreater(min(totals.values()), 120, totals)
        for name, direct in (("srv1", 1), ("srv2", 1), ("srv3", 0)):
            self.assertEqual(self.fairlead.metric("fairlead_server_direct", server=name), direct)
        self.figure(f"by server {shares}, {self.reasons()['srv3']}")

    def test_explain_follows_the_client_through_both(self):
        seen = set()
        for port in range(20000, 20030):
            made = self.lab.client.socket()
            made.settimeout(5)
            made.bind((CLIENT4, port))
            made.connect((VIP4, 80))
            made.sendall(b"GET /who HTTP/1.0\r\n\r\n")
            text = b""
            while chunk := made.recv(1000):
                text += chunk
            made.close()
            server = text.split(b"X-Server: ")[1].split()[0].decode()
            seen.add(server)
            _, said = self.fairlead.cli("explain", "--client", f"{CLIENT4}:{port}", "--vip",
                                        f"{VIP4}:80")
            self.assertRegex(said, rf"server +{server} \(10\.2\.0\.")
            self.assertEqual("passes it up to the proxy" in said, server == "srv3", said)
        self.assertIn("srv3", seen)
        self.assertGreater(len(seen), 1)

    def test_changing_sides_breaks_no_connection(self):
        load = Load(self.lab, [(VIP4, 80)], rate=200, long=80)
        time.sleep(1)
        self.lab.add_address(VIP4, "srv3", "lo")
        self.wait_ways(srv1="DR", srv2="DR", srv3="DR")
        self.assertEqual(self.sources(30)["srv3"], {CLIENT4}, "new clients go directly")
        self.fairlead.apply("main.yaml", auto_vip((proxied("srv1"), "srv2", "srv3")))
        self.wait_ways(srv1="SNAT", srv2="DR", srv3="DR")
        self.assertEqual(self.sources(30)["srv1"], {BALANCER4})
        self.fairlead.apply("main.yaml", auto_vip(tuple(proxied(name) for name in SERVERS)))
        self.wait_ways(srv1="SNAT", srv2="SNAT", srv3="SNAT")  # the last direct one leaves
        time.sleep(1)
        self.fairlead.apply("main.yaml", auto_vip(("srv1", "srv2", proxied("srv3"))))
        self.wait_ways(srv1="DR", srv2="DR", srv3="SNAT")
        time.sleep(1)
        report = load.stop()
        self.figure(report.summary())
        self.assert_no_failures(report)
        self.assertEqual(set(report.long_by_server), set(SERVERS))
        self.assertGreater(report.long_answers, 1000)

    def test_from_snat_to_auto_breaks_no_connection(self):
        self.fairlead.apply("main.yaml", vip("web", addresses=(VIP4,), servers=SERVERS))
        wait_until(lambda: self.fairlead.pinned() == [], 5, "nothing is forwarded")
        load = Load(self.lab, [(VIP4, 80)], rate=200, long=80)
        time.sleep(1)
        self.fairlead.apply("main.yaml", auto_vip())
        self.wait_ways(srv1="DR", srv2="DR", srv3="SNAT")
        time.sleep(1)
        report = load.stop()
        self.figure(report.summary())
        self.assert_no_failures(report)
        self.assertEqual(set(report.long_by_server), set(SERVERS))

    def test_restarts_break_no_direct_connection(self):
        self.lab.add_address(VIP4, "srv3", "lo")
        self.wait_ways(srv1="DR", srv2="DR", srv3="DR")
        load = Load(self.lab, [(VIP4, 80)], rate=100, long=60)
        time.sleep(1)
        for kill in (signal.SIGKILL, signal.SIGTERM):
            self.fairlead.stop(kill=kill)
            time.sleep(1)
            self.fairlead.start()
            self.wait_ways(srv1="DR", srv2="DR", srv3="DR")
        time.sleep(1)
        report = load.stop()
        self.figure(report.summary())
        self.assertEqual(report.long_failed, 0, f"{report.summary()}\n{report.failures[:10]}")
        self.assert_no_failures(report)

    def test_a_server_that_loses_the_vip_is_proxied_from_then_on(self):
        self.lab.remove_address(VIP4, "srv1", "lo")
        self.addCleanup(self.lab.add_address, VIP4, "srv1", "lo")
        self.wait_ways(srv1="SNAT", srv2="DR", srv3="SNAT")
        self.assertIn("the check along the direct path fails", self.reasons()["srv1"])
        self.assertEqual(set(self.by_server()), set(SERVERS))
        self.assertEqual(self.sources(30)["srv1"], {BALANCER4})
        self.assertIn("real server is proxied (SNAT) now", self.fairlead.log())

    def test_a_daemon_without_the_rights_proxies_all(self):
        self.end()
        self.fairlead = DirectFairlead(
            self.lab, [auto_vip()],
            wrapper=("setpriv", "--bounding-set", "-sys_admin,-bpf", "--"))
        self.fairlead.wait_health()
        time.sleep(5)  # checks have passed, and the program was refused
        self.wait_ways(srv1="SNAT", srv2="SNAT", srv3="SNAT")
        self.assertEqual(self.fairlead.vip_status()["problem"], "")
        self.assertEqual(set(self.by_server()), set(SERVERS))
        self.figure(self.reasons()["srv1"])

    def test_ipv6_clients_are_proxied_to_ipv4_servers(self):
        self.fairlead.apply("main.yaml", vip("web", addresses=(VIP4, VIP6), servers=SERVERS,
                                             mode="Auto"))
        time.sleep(2)
        self.assertEqual(set(self.by_server(address=VIP6)), {"srv3"})
        self.lab.add_address(VIP4, "srv3", "lo")
        self.wait_ways(srv1="DR", srv2="DR", srv3="DR")
        self.assertEqual(set(self.by_server(address=VIP6)), set(SERVERS))
