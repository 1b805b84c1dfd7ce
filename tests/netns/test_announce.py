"""A host that is alone and advertises by L2: it brings its VIPs' addresses up, and takes them away."""

import signal
import socket
import time
import unittest

from harness.case import LabCase
from harness.load import Load
from harness.pair import SERVERS, VIP4, VIP6, PairLab, SideFairlead, Sniffer, l2_vip
from harness.servers import Nginx
from harness.wait import wait_until


class AnnounceTest(LabCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = PairLab()
        cls.addClassCleanup(cls.lab.close)
        cls.nginx = {name: Nginx(cls.lab, name, ports=(80,)) for name in SERVERS}

    def run_one(self, *objects, **kwargs):
        self.fairlead = SideFairlead(self.lab, "lb1", objects or (l2_vip(),), **kwargs)
        self.addCleanup(self.fairlead.stop)
        return self.fairlead

    def wait_held(self, addresses=(VIP4, VIP6), seconds=15):
        wait_until(lambda: all(self.fairlead.announced(a).get("state") == "Held"
                               for a in addresses), seconds,
                   lambda: f"the addresses are held: {self.fairlead.vip_status()['addresses']}\n"
                   f"{self.fairlead.log()[-2000:]}")

    def wait_addresses(self, addresses, seconds=15):
        wait_until(lambda: self.lab.addresses_of("lb1") == set(addresses), seconds,
                   lambda: f"{addresses} are on lb1: {self.lab.addresses_of('lb1')}\n"
                   f"{self.fairlead.log()[-2000:]}")

    def get(self, address):
        with self.lab.client.connect(address, 80) as connection:
            connection.sendall(b"GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return connection.recv(4096)

    def test_it_asks_first_then_takes_the_addresses_and_tells_everybody(self):
        sniffer = Sniffer(self.lab, "client")
        self.run_one()
        self.wait_held()
        self.fairlead.wait_health(servers=SERVERS)
        for address in (VIP4, VIP6):
            self.assertIn(b"200 OK", self.get(address))
        time.sleep(6)
        sniffer.stop()
        mac = self.lab.mac("lb1")
        probes = {4: sniffer.arp(mac, "0.0.0.0", VIP4), 6: sniffer.neighbour(mac, 135, "::", VIP6)}
        told = {4: sniffer.arp(mac, VIP4, VIP4), 6: sniffer.neighbour(mac, 136, VIP6, VIP6)}
        for family in (4, 6):
            self.assertEqual(len(probes[family]), 3, family)
            self.assertEqual(len(told[family]), 10, family)  # five, and five after five seconds
            self.assertGreater(told[family][0], probes[family][-1] + 0.25)
            self.assertAlmostEqual(told[family][5] - told[family][0], 5, delta=0.5)
        self.assertEqual(self.lab.address_info("lb1", VIP4)["prefixlen"], 32)
        # No connection of this host comes from it unasked.
        self.assertTrue(self.lab.address_info("lb1", VIP6).get("deprecated"))
        shown = self.fairlead.vip_status()["addresses"][0]
        self.assertEqual((shown["onHost"], shown["interface"]), (True, "eth0"))
        self.assertEqual(self.fairlead.metric("fairlead_vip_address_held"), 2)
        self.assertEqual(self.fairlead.metric("fairlead_vip_announcements_total"), 20)
        self.assertNotIn("VIP address is not on this host", self.fairlead.log())
        self.assertIn("this host is alone", self.fairlead.announced()["reason"])

    def test_an_address_in_use_is_not_taken_and_its_host_is_named(self):
        for address in (VIP4, VIP6):
            self.lab.add_address(address, "client", "eth0")
            self.addCleanup(self.lab["client"].run, "sh", "-c",
                            f"ip address del {address}/{128 if ':' in address else 32} dev eth0"
                            " || true")
        self.run_one()
        mac = self.lab.mac("client")
        for address in (VIP4, VIP6):
            wait_until(lambda: self.fairlead.announced(address).get("state") == "Refused", 10,
                       lambda: f"{address} is refused: {self.fairlead.announced(address)}")
            self.assertIn(f"{address} is in use by {mac} on eth0",
                          self.fairlead.announced(address)["reason"])
        self.assertEqual(self.lab.addresses_of("lb1"), set())
        code, table = self.fairlead.cli("status", "--output", "table", ok=False)
        self.assertIn("NO ADDRESS", table)
        self.assertIn(f"in use by {mac}", table)
        for address in (VIP4, VIP6):
            self.lab.remove_address(address, "client", "eth0")
        self.wait_held(seconds=20)

    def test_another_host_that_takes_it_later_is_named_and_answered(self):
        self.run_one(l2_vip(addresses=(VIP4,)))
        self.wait_held((VIP4,))
        time.sleep(0.5)
        sniffer = Sniffer(self.lab, "client")
        rival = self.lab["srv2"]
        self.lab.add_address(VIP4, "srv2", "eth0")
        self.addCleanup(self.lab.remove_address, VIP4, "srv2", "eth0")
        mac = self.lab.mac("srv2")
        hardware, address = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(VIP4)
        link = rival.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW)
        with link:
            link.bind(("eth0", 0))
            link.send(b"\xff" * 6 + hardware + b"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01"
                      + hardware + address + bytes(6) + address)
        wait_until(lambda: self.fairlead.announced()["rival"] == mac, 10,
                   lambda: f"the rival is named: {self.fairlead.announced()}")
        self.assertEqual(self.fairlead.announced()["state"], "Held")
        self.assertEqual(self.fairlead.metric("fairlead_vip_address_rival"), 1)
        self.assertIn("Two owners", self.fairlead.cli("status", "--output", "table", ok=False)[1])
        self.assertTrue(sniffer.stop().arp(self.lab.mac("lb1"), VIP4, VIP4))

    def test_after_a_crash_its_own_addresses_go_and_others_stay(self):
        self.run_one()
        self.wait_held()
        self.fairlead.stop(kill=signal.SIGKILL)
        self.assertEqual(self.lab.addresses_of("lb1"), {VIP4, VIP6})
        self.lab["lb1"].run("ip", "address", "add", "10.3.0.77/32", "dev", "eth0")
        self.addCleanup(self.lab["lb1"].run, "ip", "address", "del", "10.3.0.77/32", "dev", "eth0")
        self.fairlead.put("main.yaml", l2_vip(addresses=("10.3.0.77", VIP4)))
        self.fairlead.start()
        self.wait_addresses({VIP4})  # and not for want of a VIP that has it
        self.wait_held((VIP4,))
        self.assertEqual(self.fairlead.announced("10.3.0.77")["state"], "OnHost")
        self.fairlead.remove("main.yaml")
        self.wait_addresses(())
        self.assertIsNotNone(self.lab.address_info("lb1", "10.3.0.77"))

    def test_edits_are_followed_and_what_somebody_takes_away_is_put_back(self):
        self.run_one()
        self.wait_held()
        self.fairlead.put("main.yaml", l2_vip(addresses=(VIP4,)))
        self.wait_addresses({VIP4})
        self.fairlead.put("main.yaml", l2_vip(addresses=(VIP4,), state="Disabled"))
        self.wait_addresses(())
        self.fairlead.put("main.yaml", l2_vip())
        self.wait_addresses({VIP4, VIP6})
        self.lab.remove_address(VIP4, "lb1", "eth0")
        self.wait_addresses({VIP4, VIP6}, seconds=3)
        self.lab["lb1"].run("sh", "-c", "ip link set eth0 down; ip link set eth0 up;"
                            " ip address add fd03::5/64 dev eth0 nodad")  # down took it
        self.wait_addresses({VIP4, VIP6})
        self.fairlead.stop()
        self.assertEqual(self.lab.addresses_of("lb1"), set())  # mode SNAT ends with the process

    def test_a_takeover_by_a_new_process_keeps_the_addresses(self):
        self.run_one()
        self.wait_held()
        self.fairlead.wait_health(servers=SERVERS)
        load = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=100)
        watch = self.lab["lb1"].popen(["ip", "monitor", "address"], stdout=-1, text=True)
        old = self.fairlead.process
        self.fairlead.start(takeover=True)
        old.wait(20)
        self.wait_held()
        time.sleep(1)
        watch.terminate()
        self.assertNotIn("Deleted", watch.communicate()[0])
        self.assert_no_failures(load.stop())

    def test_an_interface_that_does_not_fit_is_told(self):
        self.run_one(l2_vip("far", addresses=("192.0.2.1",)),
                     l2_vip("none", addresses=(VIP4,), advertise={"type": "L2",
                                                                  "interface": "eth7"}))
        wait_until(lambda: self.fairlead.announced("192.0.2.1", "far").get("state") == "Refused", 5,
                   lambda: f"refused: {self.fairlead.status()['vips']}")
        self.assertIn("no interface of this host has a network that holds 192.0.2.1",
                      self.fairlead.announced("192.0.2.1", "far")["reason"])
        self.assertIn("no interface eth7", self.fairlead.announced(VIP4, "none")["reason"])

    def test_without_the_capabilities_it_says_which_and_how(self):
        for capability, fix in (("net_admin", "--cap-add NET_ADMIN"),
                                ("net_raw", "--cap-add NET_RAW")):
            with self.subTest(capability):
                self.run_one(l2_vip(addresses=(VIP4,)),
                             wrapper=("setpriv", f"--bounding-set=-{capability}", "--"))
                wait_until(lambda: self.fairlead.announced().get("state") == "Refused", 10,
                           lambda: f"it is refused: {self.fairlead.announced()}")
                self.assertIn(fix, self.fairlead.announced()["reason"])
                self.assertEqual(self.lab.addresses_of("lb1"), set())
                self.fairlead.stop()


if __name__ == "__main__":
    unittest.main()
