"""Two balancers, one owner of the addresses: VRRP between two of ours, and with keepalived."""

import signal
import time
import unittest

from harness.case import LabCase
from harness.load import Load
from harness.netns import command
from harness.pair import (ADDRESSES, BALANCERS, SERVERS, VIP4, VIP6, Keepalived, PairFairlead,
                          PairLab, Prober, Sniffer, l2_vip, node)
from harness.servers import Nginx
from harness.wait import wait_until


class PairCase(LabCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = PairLab()
        cls.addClassCleanup(cls.lab.close)
        cls.nginx = {name: Nginx(cls.lab, name, ports=(80,)) for name in SERVERS}

    def one(self, name, objects=None, **pair):
        made = PairFairlead(self.lab, name, [node(name, **pair), *(objects or [l2_vip()])])
        self.addCleanup(self.end, made)
        return made

    def end(self, fairlead):
        for process in fairlead.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
        fairlead.stop()

    def both(self, first=None, second=None, objects=None, vips=(VIP4, VIP6)):
        """lb1 is Master, lb2 Backup."""
        self.lb1 = self.one("lb1", objects, **{"priority": 150, **(first or {})})
        self.lb1.wait_state("Master")
        self.lb2 = self.one("lb2", objects, **(second or {}))
        for fairlead in (self.lb1, self.lb2):
            fairlead.wait_health(servers=SERVERS)
        self.wait_owner("lb1", vips)
        self.assertEqual(self.lb2.role(), "Backup")

    def owners(self, address=VIP4):
        return [name for name in BALANCERS if address in self.lab.addresses_of(name)]

    def wait_owner(self, name, addresses=(VIP4, VIP6), seconds=10):
        wait_until(lambda: all(self.owners(a) == [name] for a in addresses), seconds,
                   lambda: f"{name} alone has {addresses}: {[self.owners(a) for a in addresses]}")

    def isolate(self, state, *names):
        """Bridge ports that are isolated do not hear each other, but everybody else."""
        for name in names:
            command("ip", "netns", "exec", self.lab["switch"].name, "bridge", "link", "set", "dev",
                    f"to-{name}", "isolated", state)


class PairTest(PairCase):
    def fail_over(self, fault, seconds=1.5):
        """The gap that clients see when lb1 fails; interval 100 ms."""
        probers = [Prober(self.lab, address) for address in (VIP4, VIP6)]
        time.sleep(0.5)
        since = time.monotonic()
        fault()
        self.lb2.wait_state("Master")
        wait_until(lambda: {VIP4, VIP6} <= self.lab.addresses_of("lb2"), 5, "lb2 has the addresses")
        time.sleep(1)
        gaps = [prober.stop().gap(since) for prober in probers]
        self.figure(f"longest time without a new connection: {gaps[0] * 1000:.0f} ms (IPv4), "
                    f"{gaps[1] * 1000:.0f} ms (IPv6)")
        self.assertLess(max(gaps), seconds)  # bounded by the protocol to 0.36 s; a busy machine

    def test_a_killed_master_is_replaced_and_comes_back_as_backup(self):
        self.both()
        self.fail_over(lambda: self.lb1.stop(kill=signal.SIGKILL))
        self.assertIn("no advertisement of 10.3.0.5", self.lb2.pair()["reason"])
        wait_until(lambda: self.owners() == ["lb2"], 5,
                   "the kernel takes the dead one's addresses away")
        self.lb1.start()
        time.sleep(1.5)
        self.assertEqual((self.lb1.role(), self.lb2.role()), ("Backup", "Master"))
        self.assertEqual(self.owners(), ["lb2"])
        entry = self.lb1.vip_status()
        self.assertEqual(entry["addresses"][0]["announcement"]["state"], "Standby")
        table = self.lb1.cli("status", "--output", "table", ok=False)[1]
        self.assertIn("Standby", table)
        self.assertIn("Pair: Backup", table)
        self.assertNotIn("is on no interface of this host", table)
        self.assertEqual(self.lb1.metric("fairlead_pair_master"), 0)
        self.assertEqual(self.lb2.metric("fairlead_pair_master"), 1)

    def test_a_frozen_master_is_replaced_and_yields_in_silence_when_it_wakes(self):
        self.both()
        time.sleep(6)  # its announcements are over
        self.fail_over(lambda: self.lb1.process.send_signal(signal.SIGSTOP))
        sniffer = Sniffer(self.lab, "client")
        load = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=100)
        self.lb1.process.send_signal(signal.SIGCONT)
        self.lb1.wait_state("Backup")
        time.sleep(2)
        self.assert_no_failures(load.stop())
        sniffer.stop()
        mac = self.lab.mac("lb1")
        self.assertEqual(sniffer.arp(mac, VIP4, VIP4), [])
        self.assertEqual(sniffer.neighbour(mac, 136, VIP6, VIP6), [])
        self.assertIn("it has not advertised for", self.lb1.log())
        self.assertEqual(self.owners(), ["lb2"])

    def test_a_pulled_cable_is_a_fault_with_its_reason(self):
        self.both()
        self.addCleanup(self.lab.link, "lb1", "up")
        self.fail_over(lambda: self.lab.link("lb1", "down"))
        self.lb1.wait_state("Fault")
        self.assertIn("interface eth0 has no link", self.lb1.pair()["reason"])
        self.assertEqual(self.owners(), ["lb2"])
        self.lab.link("lb1", "up")
        self.lb1.wait_state("Backup")
        time.sleep(1)
        self.assertEqual((self.lb1.role(), self.lb2.role()), ("Backup", "Master"))

    def test_when_a_cut_heals_the_higher_address_of_equals_stays_master(self):
        self.both(first={"priority": 100})
        self.isolate("on", *BALANCERS)
        self.addCleanup(self.isolate, "off", *BALANCERS)
        self.lb2.wait_state("Master")
        self.assertEqual(self.lb1.role(), "Master")
        self.isolate("off", *BALANCERS)
        self.lb1.wait_state("Backup")
        self.assertIn("higher address", self.lb1.pair()["reason"])
        self.wait_owner("lb2")
        time.sleep(1)
        self.assertEqual((self.lb1.role(), self.lb2.role()), ("Backup", "Master"))

    def test_planned_switches_fail_no_new_connection(self):
        self.both()
        load = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=200)
        time.sleep(1)
        for side, verb, owner in (("lb2", "takeover", "lb2"), ("lb2", "standby", "lb1"),
                                  ("lb2", "takeover", "lb2"), ("lb1", "takeover", "lb1")):
            started = time.monotonic()
            fairlead = getattr(self, side)
            said = fairlead.cli(verb)[1]
            self.figure(f"{verb} on {side} took {(time.monotonic() - started) * 1000:.0f} ms: "
                        f"{said.strip()}")
            self.wait_owner(owner)
            time.sleep(1)
        report = load.stop()
        self.figure(report.summary())
        self.assert_no_failures(report)
        self.assertIn("a planned switch was asked for", self.lb2.log())

    def test_a_stopped_master_gives_up_first(self):
        self.both()
        probers = [Prober(self.lab, address) for address in (VIP4, VIP6)]
        sniffer = Sniffer(self.lab, "lb2")
        time.sleep(0.5)
        since = time.monotonic()
        self.lb1.stop()
        self.lb2.wait_state("Master")
        time.sleep(0.5)
        gaps = [prober.stop().gap(since) for prober in probers]
        self.figure(f"longest time without a new connection: {max(gaps) * 1000:.0f} ms")
        self.assertIn("gave up", self.lb2.pair()["reason"])
        priorities = [p for _, source, p in sniffer.stop().adverts() if source == "10.3.0.5"]
        self.assertEqual(priorities[-1], 0)
        self.wait_owner("lb2")

    def test_standby_without_a_living_peer_changes_nothing(self):
        self.lb1 = self.one("lb1")
        self.lb1.wait_state("Master")
        self.wait_owner("lb1")
        code, said = self.lb1.cli("standby", ok=False)
        self.assertEqual(code, 1)
        self.assertIn("nobody took over", said)
        self.assertEqual(self.owners(), ["lb1"])

    def test_a_master_without_a_real_server_hands_over_to_one_that_has_them(self):
        self.both()
        self.isolate("on", "lb1", *SERVERS)
        self.addCleanup(self.isolate, "off", "lb1", *SERVERS)
        self.lb2.wait_state("Master", 20)
        self.lb1.wait_state("Backup")
        self.assertEqual(self.lb1.pair()["priority"], 1)
        self.assertIn("real server", self.lb1.pair()["impairment"])
        self.wait_owner("lb2")

    def test_a_new_process_of_the_master_is_master_at_once(self):
        self.both()
        load = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=100)
        before = self.lb2.pair()["transitionsTotal"]
        old = self.lb1.process
        self.lb1.start(takeover=True)
        old.wait(20)
        self.lb1.wait_state("Master")
        time.sleep(1)
        self.assert_no_failures(load.stop())
        self.assertEqual(self.lb2.pair()["transitionsTotal"], before)
        self.assertEqual(self.owners(), ["lb1"])

    def transport(self, pairs, vips, over):
        self.both(*pairs, [l2_vip(addresses=vips)], vips)
        wait_until(lambda: self.lb2.pair()["peer"], 5, "lb2 has heard lb1")
        self.assertEqual(self.lb2.pair()["refusedTotal"], 0)
        self.assertEqual(":" in self.lb2.pair()["peer"], over == 6)
        self.lb1.stop(kill=signal.SIGKILL)
        self.lb2.wait_state("Master")
        self.wait_owner("lb2", vips)

    def test_unicast_over_ipv6(self):
        self.transport([{"peer": ADDRESSES[name][1]} for name in ("lb2", "lb1")], (VIP4, VIP6), 6)

    def test_multicast_over_ipv4(self):
        self.transport([{"transport": "Multicast"}] * 2, (VIP4, VIP6), 4)

    def test_multicast_over_ipv6_from_the_link_local_addresses(self):
        self.transport([{"transport": "Multicast"}] * 2, (VIP6,), 6)
        self.assertTrue(self.lb2.pair()["local"].startswith("fe80::"))

    def test_without_a_way_to_the_peer_a_host_serves(self):
        self.lb1 = self.one("lb1", peer="192.0.2.9")
        self.lb1.wait_state("Master")
        self.wait_owner("lb1")
        self.assertIn("no way to the peer 192.0.2.9", self.lb1.pair()["wayProblem"])
        self.assertIn("no way to the peer",
                      self.lb1.cli("status", "--output", "table", ok=False)[1])

    def test_ten_millisecond_advertisements(self):
        self.both(*[{"interval_ms": 10}] * 2)
        before = self.lb2.pair()["transitionsTotal"]
        time.sleep(5)
        self.figure(f"transitions of the Backup in 5 s of peace: "
                    f"{self.lb2.pair()['transitionsTotal'] - before}")
        if self.owners() != ["lb1"]:  # a machine that stood still for 30 ms
            self.lb1.cli("takeover")
            self.wait_owner("lb1")
        self.fail_over(lambda: self.lb1.stop(kill=signal.SIGKILL))

    def test_a_peer_of_another_virtual_router_is_named(self):
        self.lb1 = self.one("lb1", virtualRouterId=51)
        self.lb1.wait_state("Master")
        lb2 = self.one("lb2", virtualRouterId=52)
        lb2.wait_state("Master")
        wait_until(lambda: "virtual router 52, here 51" in self.lb1.pair()["refusedReason"], 5,
                   lambda: f"it is named: {self.lb1.pair()}")


class KeepalivedTest(PairCase):
    """keepalived is lb2, in both roles, over unicast and multicast."""

    def keepalived(self, family, unicast, priority=100):
        index = 0 if family == 4 else 1
        vips = (f"{VIP4}/32", f"{VIP6}/128")
        return Keepalived(self.lab, "lb2", priority, source=ADDRESSES["lb2"][index],
                          peer=ADDRESSES["lb1"][index] if unicast else None,
                          addresses=(vips[index],), excluded=(vips[1 - index],))

    def ours(self, family, unicast):
        pair = ({"peer": ADDRESSES["lb2"][0 if family == 4 else 1]} if unicast
                else {"transport": "Multicast"})
        return self.one("lb1", priority=150, **pair)

    def check(self, family, unicast):
        self.lb1 = self.ours(family, unicast)
        self.lb1.wait_state("Master")
        peer = self.keepalived(family, unicast)
        self.addCleanup(peer.stop)
        time.sleep(2)
        self.assertEqual(self.owners(), ["lb1"])
        self.assertNotIn("MASTER", peer.log())
        self.assertNotRegex(peer.log(), "(?i)invalid|mismatch|bogus|incorrect")
        self.lb1.stop(kill=signal.SIGKILL)
        wait_until(lambda: "lb2" in self.owners(), 5, lambda: f"keepalived takes over: {peer.log()}")
        self.lb1.start()
        time.sleep(1.5)
        # No preemption.
        self.assertEqual(self.lb1.role(), "Backup", f"{self.lb1.pair()}\n{peer.log()[-1500:]}")
        self.assertEqual(self.lb1.pair()["refusedTotal"], 0, self.lb1.pair())
        self.wait_owner("lb2")
        self.lb1.cli("takeover")
        self.wait_owner("lb1")
        self.assertRegex(peer.log(), "Entering BACKUP STATE")
        self.lb1.cli("standby")
        self.wait_owner("lb2")
        peer.stop()
        self.lb1.wait_state("Master")
        self.assertIn("gave up", self.lb1.pair()["reason"])
        self.wait_owner("lb1")
        self.lb1.stop()

    def test_unicast_over_ipv4(self):
        self.check(4, unicast=True)

    def test_multicast_over_ipv4(self):
        self.check(4, unicast=False)

    def test_unicast_over_ipv6(self):
        # keepalived 2.2.7 leaves the hop limit of these packets to the kernel.
        self.lab["lb2"].sysctl("net.ipv6.conf.eth0.hop_limit", 255)
        self.addCleanup(self.lab["lb2"].sysctl, "net.ipv6.conf.eth0.hop_limit", 64)
        self.check(6, unicast=True)


if __name__ == "__main__":
    unittest.main()
