"""The ARP problem: real servers that answer ARP or neighbour discovery for the VIP are named."""

import json
import socket
import threading
import time

from harness.case import LabCase
from harness.direct import VIP4, VIP6, DirectFairlead, DirectLab
from harness.fairlead import vip
from harness.netns import SERVERS, server_address
from harness.servers import Nginx
from harness.wait import wait_until

ETH_P_ALL = 0x0003


class ArpTest(LabCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = DirectLab()
        cls.addClassCleanup(cls.lab.close)
        cls.nginx = {name: Nginx(cls.lab, name, ports=(80,)) for name in SERVERS}

    def serve(self, addresses=(VIP4, VIP6)):
        servers = [{"name": f"{name}{suffix}", "address": server_address(name, family)}
                   for name in SERVERS for family, suffix in ((4, ""), (6, "-6"))
                   if family == 4 or VIP6 in addresses]
        self.objects = [vip("web", addresses=addresses, servers=servers, mode="DR")]
        self.fairlead = DirectFairlead(self.lab, self.objects)
        self.addCleanup(self.end)
        problem = self.fairlead.vip_status()["problem"]
        if "load the BPF program" in problem:
            self.skipTest(f"THIS HOST REFUSES BPF: {problem}")

    def end(self):
        self.fairlead.remove("main.yaml")
        wait_until(lambda: self.fairlead.pinned() == [], 5, "nothing is pinned any more")
        self.fairlead.stop()

    def mac(self, name):
        return self.lab[name].run("cat", "/sys/class/net/eth0/address").strip()

    def problems(self):
        return {s["name"]: s["arpProblem"] for s in self.fairlead.vip_status()["servers"]
                if s["arpProblem"]}

    def events(self, message):
        return [(e["object"], e["reason"]) for e in self.fairlead.status()["events"]
                if e["message"] == message]

    def gauge(self, server):
        line = next(line for line in self.fairlead.get("/metrics")[1].splitlines()
                    if line.startswith("fairlead_server_answers_arp{") and f'"{server}"' in line)
        return line.split()[-1]

    def doctor(self, code):
        done, output = self.fairlead.cli("doctor", "--output", "json", "--config",
                                         self.fairlead.config, ok=False)
        self.assertEqual(done, code, output)
        return [f for f in json.loads(output)["findings"] if f["subject"] == "VIP default/web"]

    def answer_arp(self, name, ignore):
        for where in ("all", "eth0"):
            self.lab[name].sysctl(f"net.ipv4.conf.{where}.arp_ignore", ignore)

    def sniff(self, name, seconds):
        """The frames on the wire of a namespace."""
        link = self.lab[name].call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW,
                                   socket.htons(ETH_P_ALL))
        link.bind(("eth0", ETH_P_ALL))
        link.settimeout(0.1)
        frames, over = [], time.monotonic() + seconds
        with link:
            while time.monotonic() < over:
                try:
                    frames.append(link.recv(2048))
                except TimeoutError:
                    pass
        return frames

    def test_a_server_that_answers_arp_is_named_until_it_is_silent(self):
        self.answer_arp("srv2", 0)
        self.addCleanup(self.answer_arp, "srv2", 1)
        self.serve()
        wait_until(lambda: set(self.problems()) == {"srv2"}, 15,
                   lambda: f"srv2 is named: {self.problems()}")
        remedy = f"prepare-realserver --os linux (or windows) --vip {VIP4}"
        self.assertIn(remedy, self.problems()["srv2"])
        self.assertIn(self.mac("srv2"), self.problems()["srv2"])
        self.assertIn(remedy, self.fairlead.vip_status()["arpProblem"])
        self.assertEqual(self.fairlead.server_status("srv2")["health"]["state"], "Up")
        _, table = self.fairlead.cli("status", "--output", "table")
        self.assertIn("ARP problem  default/web", table)
        row = next(line for line in table.splitlines() if " srv2 " in line and "10.2.0.12" in line)
        self.assertIn("Up, answers ARP", row)
        self.assertIn("prepare-realserver", row)
        self.assertEqual((self.gauge("srv1"), self.gauge("srv2")), ("0", "1"))
        self.assertEqual(self.events("real server answers ARP for the VIP")[0][0],
                         "default/web srv2")
        told = self.doctor(1)
        problem = next(f for f in told if f["state"] == "problem")
        self.assertIn(f"real server srv2 (10.2.0.12) answers ARP for {VIP4}", problem["seen"])
        self.assertIn(f"prepare-realserver --os linux --vip {VIP4}", problem["fix"])
        self.answer_arp("srv2", 1)
        wait_until(lambda: self.problems() == {}, 20, lambda: f"nobody is: {self.problems()}")
        self.assertEqual(self.gauge("srv2"), "0")
        self.assertEqual(self.events("real server does not answer ARP for the VIP any more")[0][0],
                         "default/web srv2")
        self.assertEqual(self.fairlead.vip_status()["arpProblem"], "")
        self.assertIn(f"no other host answers ARP for {VIP4}",
                      [f["seen"] for f in self.doctor(0)])

    def test_a_server_that_answers_neighbour_discovery_is_named_and_nobody_is_misled(self):
        client = self.lab.client
        with self.assertRaises(ConnectionRefusedError):  # nothing runs yet; the MAC is known then
            client.connect(VIP6, 80)
        entry = ("ip", "-6", "neigh", "show", VIP6)
        self.assertIn(self.mac("balancer"), client.run(*entry))
        # Without duplicate address detection: nobody hears of it.
        self.lab["srv3"].run("ip", "address", "add", f"{VIP6}/128", "dev", "eth0", "nodad")
        self.addCleanup(self.lab["srv3"].run, "ip", "address", "del", f"{VIP6}/128", "dev", "eth0")
        self.serve()
        wait_until(lambda: set(self.problems()) == {"srv3-6"}, 15,
                   lambda: f"srv3-6 is named: {self.problems()}")
        self.assertIn(f"answers neighbour discovery for {VIP6}", self.problems()["srv3-6"])
        seen = [f["seen"] for f in self.doctor(1)]
        self.assertTrue(any(f"srv3-6 (fd02::13) answers neighbour discovery for {VIP6}" in text
                            for text in seen), seen)
        # What the client knew it still knows: the answers came to the balancer alone.
        self.assertIn(self.mac("balancer"), client.run(*entry))
        self.assertEqual(self.lab["srv1"].run(*entry), "")

    def test_the_questions_name_no_vip_as_their_sender(self):
        result = {}
        sniffer = threading.Thread(
            target=lambda: result.update(frames=self.sniff("srv1", 8)))
        sniffer.start()
        self.serve()
        sniffer.join()
        balancer = bytes.fromhex(self.mac("balancer").replace(":", ""))
        target4 = socket.inet_aton(VIP4)
        asked4 = [f for f in result["frames"] if f[6:12] == balancer and f[12:14] == b"\x08\x06"
                  and f[38:42] == target4]
        target6 = socket.inet_pton(socket.AF_INET6, VIP6)
        asked6 = [f for f in result["frames"] if f[6:12] == balancer and f[12:14] == b"\x86\xdd"
                  and f[20] == 58 and f[54] == 135 and f[62:78] == target6]
        self.assertGreaterEqual(len(asked4), 2)
        self.assertGreaterEqual(len(asked6), 2)
        for frame in asked4:
            self.assertEqual(frame[28:32], bytes(4))  # RFC 5227: from nobody
        for frame in asked6:
            self.assertNotEqual(frame[22:38], target6)
            self.assertNotEqual(frame[22:38], bytes(16))
        self.assertEqual(self.problems(), {})
        self.assertEqual(self.lab["srv1"].run("ip", "neigh", "show", VIP4), "")

    def test_another_balancer_is_called_no_real_server(self):
        self.lab.add_address(VIP4, "client", "eth0")
        self.addCleanup(self.lab.remove_address, VIP4, "client", "eth0")
        self.serve((VIP4,))
        wait_until(lambda: self.fairlead.vip_status()["arpProblem"] != "", 15, "it is seen")
        self.assertIn(f"unknown host, MAC {self.mac('client')}",
                      self.fairlead.vip_status()["arpProblem"])
        self.assertEqual(self.problems(), {})
        self.assertEqual(self.events("real server answers ARP for the VIP"), [])
        self.assertIn('fairlead_vip_unknown_arp_hosts{namespace="default",vip="web"} 1\n',
                      self.fairlead.get("/metrics")[1])
        self.assertTrue(any(f["state"] == "warning" and "unknown host" in f["seen"]
                            for f in self.doctor(0)))
