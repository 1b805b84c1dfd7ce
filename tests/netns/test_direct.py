"""Mode DR: real traffic by XDP, answers past the balancer, and no connection lost by what changes."""

import os
import signal
import time

from harness.direct import CLIENT4, VIP4, VIP6, dr_vip
from harness.direct_case import DirectCase
from harness.fairlead import vip
from harness.load import Load, load_once
from harness.netns import SERVERS
from harness.wait import wait_until


class DirectTest(DirectCase):
    def setUp(self):
        super().setUp()
        self.serve(dr_vip(), up=6)

    def by_server(self, count=300, targets=((VIP4, 80), (VIP6, 80))):
        report = load_once(self.lab, targets, rate=500, count=count)
        self.assert_no_failures(report)
        return report.by_server

    def test_clients_reach_every_server_with_their_own_address(self):
        shares = self.by_server()
        self.assertEqual(set(shares), set(SERVERS))
        self.assertGreater(min(shares.values()), 50, shares)
        peer = self.lab.client.run("curl", "-sf", "-m", "5", f"http://{VIP4}/peer")
        self.assertEqual(peer.split()[0], CLIENT4)
        status = self.fairlead.status()
        self.assertEqual([i["name"] for i in status["plane"]["xdpInterfaces"]], ["eth0"])
        self.figure(f"XDP: {status['plane']['xdpInterfaces']}")
        totals = {s["name"]: s["connectionsTotal"] for s in status["vips"][0]["servers"]}
        self.assertEqual(sum(totals.values()), 301)

    def test_answers_do_not_pass_the_balancer(self):
        size = 20_000_000
        with open(os.path.join(self.nginx["srv1"].files, "big"), "wb") as file:
            file.write(os.urandom(size))
        before = self.lab.received_bytes("balancer")
        got = self.lab.client.run("curl", "-sf", "-m", "30", "-o", "/dev/null", "-w",
                                  "%{size_download}", f"http://{VIP4}/files/big")
        passed = self.lab.received_bytes("balancer") - before
        self.assertEqual(int(got), size)
        self.assertLess(passed, size / 10)
        self.figure(f"{size} bytes downloaded, {passed} bytes through the balancer")

    def test_a_port_outside_the_list_is_refused(self):
        with self.assertRaises(ConnectionRefusedError):
            self.lab.client.connect(VIP4, 5014, timeout=3)
        packets = self.fairlead.status()["plane"]["xdpPacketsNotForwarded"]
        self.assertGreaterEqual(packets.get("port_not_served", 0), 1)

    def test_changes_and_restarts_break_no_connection(self):
        self.fairlead.apply("main.yaml", dr_vip(("srv1", "srv2")))
        load = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=200, long=80)
        time.sleep(1)
        self.fairlead.apply("main.yaml", dr_vip())  # a server more
        self.wait_up(6)
        time.sleep(1)
        self.fairlead.apply("main.yaml", dr_vip(({"name": "srv1", "weight": 10}, "srv2", "srv3")))
        time.sleep(1)
        for name in ("srv2", "srv2-6"):
            self.fairlead.cli("drain", name)
        time.sleep(1)
        self.fairlead.stop(kill=signal.SIGKILL)
        time.sleep(2)  # nobody but the kernel
        self.fairlead.start()
        self.wait_up(6)
        time.sleep(1)
        drained = self.by_server()
        self.assertNotIn("srv2", drained)
        for name in ("srv2", "srv2-6"):
            self.fairlead.cli("online", name)
        time.sleep(1)
        self.fairlead.stop()  # SIGTERM: a restart for an upgrade
        time.sleep(1)
        self.fairlead.start()
        time.sleep(2)
        report = load.stop()
        self.figure(report.summary())
        self.assert_no_failures(report)
        self.assertGreater(report.long_answers, 1000)

    def test_a_server_that_dies_takes_its_own_connections_alone(self):
        load = Load(self.lab, [(VIP4, 80)], rate=0, long=60)
        time.sleep(1.5)
        held = self.fairlead.server_status("srv3")["connectionsTotal"]
        self.nginx["srv3"].crash()
        self.addCleanup(self.nginx["srv3"].start)
        wait_until(lambda: self.fairlead.server_status("srv3")["health"]["state"] == "Down", 10,
                   "srv3 is down")
        self.assertEqual(set(self.by_server(targets=[(VIP4, 80)])), {"srv1", "srv2"})
        report = load.stop()
        self.figure(report.summary())
        # What comes back before the checks have noticed is refused, or reset when the dying server's
        # listening socket took it still, and tries again.
        self.assertEqual(set(report.fields["kinds"]) - {"truncated", "refused", "reset"}, set())
        kinds = report.fields["kinds"]
        self.assertLessEqual(kinds.get("truncated", 0), held)
        # Who comes back while the server dies may get into its accept queue, and is reset with it.
        handed = self.fairlead.server_status("srv3")["connectionsTotal"]
        self.assertLessEqual(kinds.get("truncated", 0) + kinds.get("reset", 0), handed)

    def test_a_server_without_a_way_is_left_out_and_named(self):
        ghost = {"name": "ghost", "address": "10.2.0.99"}
        router = {"name": "far", "address": "192.0.2.1"}
        self.fairlead.apply("main.yaml", dr_vip((*SERVERS, ghost, router)))
        wait_until(lambda: "does not answer ARP" in self.fairlead.server_status("ghost")["problem"],
                   5, "the ghost is named")
        self.assertIn("use mode: SNAT", self.fairlead.server_status("far")["problem"])
        self.assertEqual(set(self.by_server()), set(SERVERS))

    def test_explain_names_the_server_that_a_client_gets(self):
        for port in range(20000, 20010):
            made = self.lab.client.socket()
            made.settimeout(5)
            made.bind((CLIENT4, port))
            made.connect((VIP4, 80))
            made.sendall(b"GET /who HTTP/1.0\r\n\r\n")
            text = b""
            while chunk := made.recv(1000):
                text += chunk
            made.close()
            _, said = self.fairlead.cli("explain", "--client", f"{CLIENT4}:{port}", "--vip",
                                        f"{VIP4}:80")
            server = text.split(b"X-Server: ")[1].split()[0].decode()
            self.assertIn(f"{server} (10.2.0.", said)
            self.assertIn("owns slot", said)

    def test_mode_can_change_and_nothing_stays_behind_the_last_vip(self):
        self.assertEqual(set(self.by_server(targets=[(VIP4, 80)])), set(SERVERS))
        self.fairlead.apply("main.yaml", vip("web", addresses=(VIP4,), servers=SERVERS))
        wait_until(lambda: self.fairlead.pinned() == [], 5, "nothing is pinned any more")
        self.assertEqual(set(self.by_server(targets=[(VIP4, 80)])), set(SERVERS))
        peer = self.lab.client.run("curl", "-sf", "-m", "5", f"http://{VIP4}/peer")
        self.assertEqual(peer.split()[0], "10.2.0.1")
        self.fairlead.apply("main.yaml", dr_vip())
        self.assertEqual(set(self.by_server(targets=[(VIP4, 80)])), set(SERVERS))
