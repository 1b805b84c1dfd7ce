"""Mode DR: least connections, limits of servers and of the VIP, the fallback server, and what is
counted."""

import signal
import time

from harness.direct import CLIENT4, VIP4
from harness.direct_case import DirectCase
from harness.fairlead import vip
from harness.load import Load, load_once
from harness.netns import SERVERS, server_address
from harness.wait import wait_until


def ipv4_vip(servers=SERVERS, **spec):
    return vip("web", addresses=(VIP4,), servers=servers, mode="DR", **spec)


class DirectLimitsTest(DirectCase):
    def setUp(self):
        super().setUp()
        self.held = []
        self.addCleanup(self.close_all)

    def close_all(self):
        for _, made in self.held:
            made.close()
        self.held.clear()

    def open(self):
        """Opens a connection and holds it; the server's name."""
        made = self.lab.client.connect(VIP4, 80, timeout=5)
        made.sendall(b"GET /who HTTP/1.1\r\nHost: web\r\n\r\n")
        text = b""
        while b"X-Server: " not in text or b"\r\n\r\n" not in text:
            chunk = made.recv(1000)
            self.assertTrue(chunk, text)
            text += chunk
        server = text.split(b"X-Server: ")[1].split()[0].decode()
        self.held.append((server, made))
        return server

    def close_one(self, server):
        entry = next(entry for entry in self.held if entry[0] == server)
        self.held.remove(entry)
        entry[1].close()

    def held_by_server(self):
        held = {}
        for server, _ in self.held:
            held[server] = held.get(server, 0) + 1
        return held

    def connections(self):
        return {s["name"]: s["connections"] for s in self.fairlead.vip_status()["servers"]}

    def wait_connections(self, wanted):
        wait_until(lambda: self.connections() == wanted, 5,
                   lambda: f"{wanted}: {self.connections()}")

    def explain(self):
        return self.fairlead.cli("explain", "--client", f"{CLIENT4}:1000", "--vip", f"{VIP4}:80",
                                 ok=False)[1]

    def assert_refused(self):
        with self.assertRaises(ConnectionRefusedError):
            self.lab.client.connect(VIP4, 80, timeout=3)

    def test_least_connections_share_by_weight(self):
        weights = [{"name": "srv1", "weight": 100}, {"name": "srv2", "weight": 100},
                   {"name": "srv3", "weight": 50}]
        self.serve(ipv4_vip(weights, scheduler="WeightedLeastConnections"), up=3)
        load = Load(self.lab, [(VIP4, 80)], rate=0, long=400, long_interval=1)
        wait_until(lambda: self.fairlead.vip_status()["connections"] == 400, 20,
                   lambda: f"400 connections: {self.fairlead.vip_status()}")
        held = self.connections()
        self.figure(f"held: {held}")
        for name, share in (("srv1", 0.4), ("srv2", 0.4), ("srv3", 0.2)):
            self.assertAlmostEqual(held[name] / 400, share, delta=0.02)
        self.assertEqual(self.fairlead.metric("fairlead_server_connections", server="srv3"),
                         held["srv3"])
        # Beside those, short ones: a server that has fewer for its weight gets more.
        report = load.stop()
        self.assertEqual(report.long_failed, 0, report.failures[:10])
        self.assertEqual(report.long_by_server.keys(), set(SERVERS))
        self.wait_connections({name: 0 for name in SERVERS})
        short = load_once(self.lab, [(VIP4, 80)], rate=500, count=1000)
        self.assert_no_failures(short)
        self.figure(f"short: {short.by_server}")
        for name, share in (("srv1", 0.4), ("srv2", 0.4), ("srv3", 0.2)):
            self.assertAlmostEqual(short.share(name), share, delta=0.02)
        self.wait_connections({name: 0 for name in SERVERS})
        self.assertIn("fewest connections for their weight, to within one: srv1, srv2, srv3",
                      self.explain())

    def test_a_full_server_takes_nobody_until_it_has_emptied(self):
        limits = {"maxConnections": 6, "minConnections": 3}
        self.serve(ipv4_vip([{"name": name, **limits} for name in SERVERS]), up=3)
        for _ in range(18):
            self.open()
        self.assertEqual(self.held_by_server(), {name: 6 for name in SERVERS})
        self.wait_connections({name: 6 for name in SERVERS})
        self.assert_refused()
        packets = self.fairlead.status()["plane"]["xdpPacketsNotForwarded"]
        self.assertGreaterEqual(packets["servers_full"], 1)
        self.assertIn("every real server is full", self.explain())
        self.assertIn("6 of 6 connections: is full: takes new clients again at 3",
                      self.explain())
        for left in (5, 4):
            self.close_one("srv2")
            self.wait_connections({"srv1": 6, "srv2": left, "srv3": 6})
            self.assert_refused()
        self.close_one("srv2")
        self.wait_connections({"srv1": 6, "srv2": 3, "srv3": 6})
        self.assertEqual([self.open() for _ in range(3)], ["srv2"] * 3)
        self.assert_refused()
        # The counts are the kernel's: they go on while nobody is there, and afterwards.
        self.fairlead.stop(kill=signal.SIGKILL)
        self.assert_refused()
        for _ in range(3):
            self.close_one("srv1")
        self.assertEqual(self.open(), "srv1")
        self.fairlead.start()
        self.wait_up(3)
        self.wait_connections({"srv1": 4, "srv2": 6, "srv3": 6})
        # A higher limit is in force at once.
        self.fairlead.apply("main.yaml", ipv4_vip(
            [{"name": name, "maxConnections": 8, "minConnections": 3} for name in SERVERS]))
        for _ in range(8):
            self.open()
        self.assertEqual(self.held_by_server(), {name: 8 for name in SERVERS})

    def test_the_vips_limit_turns_clients_away(self):
        self.serve(ipv4_vip(maxConnections=5), up=3)
        for _ in range(5):
            self.open()
        self.assert_refused()
        self.assertEqual(self.fairlead.vip_status()["connections"], 5)
        self.assertGreaterEqual(self.fairlead.vip_status()["rejections"]["vip_limit"], 1)
        self.assertIn("the VIP has its maxConnections (5 of 5)", self.explain())
        self.close_one(self.held[0][0])
        time.sleep(0.1)
        self.open()
        self.assert_refused()
        self.fairlead.apply("main.yaml", ipv4_vip(maxConnections=5, fallback={"action": "Drop"}))
        with self.assertRaises(TimeoutError):
            self.lab.client.connect(VIP4, 80, timeout=1.5)
        # Without a limit nobody counts, and status does not pretend; what runs goes on.
        self.fairlead.apply("main.yaml", ipv4_vip())
        self.open()
        self.assertIsNone(self.fairlead.vip_status()["connections"])
        self.assertEqual(set(self.connections().values()), {None})
        self.assertNotIn('fairlead_vip_connections{namespace="default",vip="web"}',
                         self.fairlead.metrics())
        for _, made in self.held:
            made.sendall(b"GET /who HTTP/1.1\r\nHost: web\r\n\r\n")
            self.assertIn(b"X-Server", made.recv(1000))

    def test_the_scheduler_may_change_under_running_connections(self):
        self.serve(ipv4_vip(), up=3)
        load = Load(self.lab, [(VIP4, 80)], rate=100, long=60)
        for scheduler in ("WeightedLeastConnections", "Maglev", "WeightedRoundRobin",
                          "WeightedLeastConnections"):
            time.sleep(1)
            self.fairlead.apply("main.yaml", ipv4_vip(scheduler=scheduler))
        time.sleep(1)
        report = load.stop()
        self.figure(report.summary())
        self.assert_no_failures(report)
        self.assertGreater(report.long_answers, 500)

    def test_the_fallback_server_serves_while_no_other_does(self):
        fallback = {"action": "Server", "address": server_address("srv3")}
        real = ("srv1", "srv2")
        self.serve(ipv4_vip(real, fallback=fallback), up=2)
        for scheduler in (None, "WeightedLeastConnections"):
            if scheduler is not None:
                self.fairlead.apply("main.yaml",
                                    ipv4_vip(real, fallback=fallback, scheduler=scheduler))
            self.assertEqual(set(load_once(self.lab, [(VIP4, 80)], count=50).by_server), set(real))
            before = self.fairlead.vip_status()["fallbackTotal"]
            for name in real:
                self.fairlead.cli("halt", name)
            wait_until(lambda: self.open() == "srv3", 5, "clients get the fallback server")
            self.assertEqual(set(load_once(self.lab, [(VIP4, 80)], count=50).by_server), {"srv3"})
            self.assertGreaterEqual(self.fairlead.vip_status()["fallbackTotal"], before + 51)
            self.assertIn("new clients get the fallback server", self.explain())
            for name in real:
                self.fairlead.cli("online", name)
            self.wait_up(2)
            wait_until(lambda: self.open() != "srv3", 5, "clients get the real servers again")
            self.assertNotIn("srv3", load_once(self.lab, [(VIP4, 80)], count=50).by_server)
            for made in [made for server, made in self.held if server == "srv3"]:
                made.sendall(b"GET /who HTTP/1.1\r\nHost: web\r\n\r\n")
                self.assertIn(b"X-Server: srv3", made.recv(1000))
            self.close_all()

    def test_a_fallback_server_without_a_way_is_named(self):
        fallback = {"action": "Server", "address": "192.0.2.1"}
        self.serve(ipv4_vip(fallback=fallback), up=3)
        self.assertIn("use mode: SNAT", self.fairlead.vip_status()["fallbackProblem"])
        self.assertEqual(self.fairlead.vip_status()["problem"], "")
        self.assertIn("No fallback", self.fairlead.cli("status", "--output", "table")[1])
        self.open()

    def handshakes(self, **spec):
        """(watched, progressed) and all connections by server; srv3 refuses them, which its check
        does not see."""
        self.serve(ipv4_vip(check={"type": "ICMP"}, **spec), up=3)
        self.nginx["srv3"].crash()
        self.addCleanup(self.nginx["srv3"].start)
        load_once(self.lab, [(VIP4, 80)], rate=1000, count=1500)
        servers = self.fairlead.vip_status()["servers"]
        seen = {s["name"]: (s["handshakes"]["watchedTotal"], s["handshakes"]["progressedTotal"])
                for s in servers}
        self.figure(f"watched and progressed: {seen}")
        for name in ("srv1", "srv2"):
            self.assertEqual(seen[name][0], seen[name][1])
        # Its host may remember an older connection (TIME_WAIT): the client resets such an answer.
        self.assertLess(seen["srv3"][1], 1 + seen["srv3"][0] / 20)
        self.assertEqual(self.fairlead.metric("fairlead_server_handshakes_watched_total"),
                         sum(watched for watched, _ in seen.values()))
        return seen, {s["name"]: s["connectionsTotal"] for s in servers}

    def test_a_sample_of_handshakes_tells_of_a_server_that_refuses(self):
        seen, total = self.handshakes()
        for name in SERVERS:
            self.assertGreater(seen[name][0], total[name] / 32)
            self.assertLess(seen[name][0], total[name] / 8)

    def test_where_flows_are_recorded_every_handshake_is_watched(self):
        seen, total = self.handshakes(scheduler="WeightedRoundRobin")
        self.assertEqual({name: watched for name, (watched, _) in seen.items()}, total)
        self.assertGreater(seen["srv3"][0], 100)
