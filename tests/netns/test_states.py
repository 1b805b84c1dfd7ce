"""drain, halt, online and explain on the command line, and what clients see of them."""

import json
import subprocess
import threading
import time

from harness.case import LabCase
from harness.fairlead import Fairlead, three, vip
from harness.load import Load, load_once
from harness.netns import SERVERS, VIP4, VIP6
from harness.peers import Peer, who_and_hold
from harness.wait import wait_until

PORT = 7100
SOURCES = [f"10.1.0.{n}" for n in range(20, 32)]


class StatesTest(LabCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.peers = [Peer(cls.lab, name, PORT, who_and_hold) for name in SERVERS]
        for address in SOURCES:
            cls.lab.add_address(address, "client", "eth0")
        cls.objects = [
            vip("web", servers=SERVERS, scheduler="WeightedRoundRobin"),
            vip("sticky", ports=str(PORT), servers=three(), timeouts={"drainSeconds": 4},
                scheduler="WeightedRoundRobin", persistence={"type": "SourceIP"}),
            vip("hash", ports="5014", servers=SERVERS, scheduler="SourceHash")]

    def setUp(self):
        super().setUp()
        self.fairlead = Fairlead(self.lab, self.objects, arguments=["--shutdown-grace", "1"])
        self.addCleanup(self.fairlead.stop)
        self.addCleanup(lambda: [self.fairlead.cli("online", name) for name in SERVERS])
        for name in ("web", "sticky"):
            self.fairlead.wait_health(vip_name=name)

    def hold(self, source=None, port=PORT):
        """(server, connection) that stays."""
        made = self.lab.client.connect(VIP4, port, source=source)
        return made.recv(100).decode().split()[0], made

    def test_drain_gives_a_server_nothing_new_and_keeps_what_runs(self):
        load = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=200, long=12)
        wait_until(lambda: self.fairlead.server_status("srv2")["connections"] >= 3, 10,
                   "long connections on srv2")
        self.fairlead.cli("drain", "srv2", "--vip", "web")
        wait_until(lambda: self.fairlead.server_status("srv2")["takes"] == "PersistentOnly", 5,
                   "srv2 drains")
        total = self.fairlead.server_status("srv2")["connectionsTotal"]
        report = load_once(self.lab, [(VIP4, 80)], rate=300, count=300)
        self.assert_no_failures(report)
        self.assertNotIn("srv2", report.by_server)
        status = self.fairlead.server_status("srv2")
        self.assertEqual(status["connectionsTotal"], total)
        self.assertEqual((status["state"], status["setHere"], status["stateInManifest"]),
                         ("Drain", True, "Online"))
        self.fairlead.cli("online", "srv2", "--vip", "web", "--wait")
        report = load_once(self.lab, [(VIP4, 80)], rate=300, count=300)
        # The other load takes turns as well: only roughly a third.
        self.assertAlmostEqual(report.share("srv2"), 1 / 3, delta=0.1)
        self.assert_no_failures(load.stop())

    def test_drain_keeps_persistent_clients_until_the_deadline(self):
        bound = {}
        for source in SOURCES:
            bound[source], made = self.hold(source)
            made.close()
        self.assertEqual(set(bound.values()), set(SERVERS))
        mine = [source for source in SOURCES if bound[source] == "srv1"]
        self.fairlead.cli("drain", "srv1", "--vip", "sticky")
        wait_until(lambda: self.fairlead.server_status("srv1", "sticky")["takes"] != "All", 5,
                   "srv1 drains")
        server, made = self.hold(mine[0])
        self.assertEqual(server, "srv1")
        newcomers = {self.hold("10.1.0.2")[0] for _ in range(3)}
        self.assertNotIn("srv1", newcomers)
        # --wait shows the progress and ends when the deadline cut the last connection.
        begin = time.monotonic()
        code, output = self.fairlead.cli("drain", "srv1", "--vip", "sticky", "--wait")
        self.assertIn("1 connection left, deadline", output)
        self.assertIn("0 connections left", output)
        made.settimeout(5)
        with self.assertRaises(ConnectionResetError):
            while made.recv(100):
                pass
        self.figure(f"cut {time.monotonic() - begin:.1f} s after the drain's second call")
        self.assertGreater(self.fairlead.metric("fairlead_server_sessions_cut_total",
                                                vip="sticky", server="srv1"), 0)

    def test_wait_ends_when_the_last_client_leaves(self):
        server, made = self.hold()
        waiting = threading.Timer(1.2, made.close)
        waiting.start()
        begin = time.monotonic()
        self.fairlead.cli("drain", server, "--vip", "sticky", "--wait")
        self.assertGreater(time.monotonic() - begin, 1)
        self.assertLess(time.monotonic() - begin, 4)

    def test_halt_cuts_after_the_grace_and_stops_the_checks(self):
        server, made = self.hold()
        self.fairlead.cli("halt", server, "--vip", "sticky")
        wait_until(lambda: self.fairlead.server_status(server, "sticky")["takes"] == "None", 5,
                   "it is halted")
        begin = time.monotonic()
        probes = self.fairlead.server_status(server, "sticky")["health"]["probes"]
        made.settimeout(20)
        with self.assertRaises(ConnectionResetError):
            while made.recv(100):
                pass
        self.figure(f"cut after {time.monotonic() - begin:.1f} s")
        self.assertLess(time.monotonic() - begin, 13)
        self.assertGreater(time.monotonic() - begin, 8)
        later = self.fairlead.server_status(server, "sticky")["health"]["probes"]
        self.assertLessEqual(later - probes, 1)
        self.fairlead.cli("online", server, "--vip", "sticky", "--wait")
        self.assertIn(server, {self.hold(source)[0] for source in SOURCES[:6]})

    def test_a_drain_survives_a_restart_and_the_manifest_wins_later(self):
        self.fairlead.cli("drain", "srv3")
        self.fairlead.stop()
        self.fairlead.start()
        self.fairlead.wait_health(servers=("srv1", "srv2"))
        self.assertEqual(self.fairlead.server_status("srv3")["state"], "Drain")
        report = load_once(self.lab, [(VIP4, 80)], rate=200, count=60)
        self.assertEqual(sorted(report.by_server), ["srv1", "srv2"])
        halted = [{"name": name, "state": "Halt" if name == "srv3" else "Online"}
                  for name in SERVERS]
        self.fairlead.apply("main.yaml", vip("web", servers=halted), *self.objects[1:])
        wait_until(lambda: self.fairlead.server_status("srv3")["state"] == "Halt", 5, "Halt")
        self.assertFalse(self.fairlead.server_status("srv3")["setHere"])
        self.fairlead.apply("main.yaml", *self.objects)
        wait_until(lambda: self.fairlead.server_status("srv3")["state"] == "Online", 5, "Online")

    def test_unknown_servers_and_vips_are_refused_with_a_hint(self):
        code, output = self.fairlead.cli("drain", "srv9", ok=False)
        self.assertEqual(code, 1, output)
        self.assertIn("srv9", output)
        code, output = self.fairlead.cli("drain", "srv1", "--vip", "wed", ok=False)
        self.assertEqual(code, 1, output)
        self.assertIn("wed", output)
        code, output = self.fairlead.cli("drain", ok=False)
        self.assertEqual(code, 2, output)

    def explain(self, client, target):
        _, output = self.fairlead.cli("explain", "--client", client, "--vip", target, "--output",
                                      "json", ok=False)
        return json.loads(output)

    def test_explain_says_what_happens(self):
        for source in SOURCES:
            answer = self.explain(source, f"{VIP4}:5014")
            with self.lab.client.connect(VIP4, 5014, source=source) as made:
                made.sendall(b"GET /who HTTP/1.0\r\n\r\n")
                got = made.makefile().read().split()[-2]
            self.assertEqual(answer["server"], got, answer)
            self.assertEqual(len(answer["details"]), 3)
        server, made = self.hold(SOURCES[0])
        answer = self.explain(SOURCES[0], f"{VIP4}:{PORT}")
        self.assertEqual(answer["server"], server)
        self.assertIn("persistence", answer["reason"])
        for name in SERVERS:
            self.fairlead.cli("halt", name, "--vip", "hash")
        wait_until(lambda: self.explain("10.1.0.2", f"{VIP4}:5014")["server"] == "", 5,
                   "explain knows that nobody serves")
        self.assertIn("refused", self.explain("10.1.0.2", f"{VIP4}:5014")["reason"])
        with self.assertRaises(ConnectionRefusedError):
            self.lab.client.connect(VIP4, 5014)
        answer = self.explain("10.1.0.2", f"{VIP4}:81")
        self.assertIn("no VIP has the address and port", answer["reason"])

    def test_status_in_all_its_forms(self):
        for form in ("table", "wide"):
            _, output = self.fairlead.cli("status", "--output", form)
            self.assertRegex(output, "VIPs? serves? clients")
            self.assertIn("srv2", output)
            self.assertNotIn("\033", output)
        status = json.loads(self.fairlead.cli("status")[1])
        self.assertEqual(len(status["vips"]), 3)
        done = subprocess.run(
            ["ip", "netns", "exec", self.lab.balancer.name, "curl", "-s", "--fail",
             "http://127.0.0.1:9080/metrics"], capture_output=True, text=True)
        self.assertIn("# HELP fairlead_server_connections_total", done.stdout)
