"""How the program hangs on an interface: the fastest mode in which a real packet comes back, and no
connection lost by a kill and a restart in any of them."""

import contextlib
import os
import re
import signal
import time

from harness.case import LabCase
from harness.direct import VIP4, VIP6, DirectFairlead, DirectLab, dr_vip
from harness.fairlead import vip
from harness.load import Load, load_once
from harness.netns import SERVERS, command
from harness.servers import Nginx
from harness.wait import wait_until


class DirectModesTest(LabCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = DirectLab()
        cls.addClassCleanup(cls.lab.close)
        cls.nginx = {name: Nginx(cls.lab, name) for name in SERVERS}

    def setUp(self):
        super().setUp()
        self.seen = set()  # identifiers of the daemon's programs in the kernel

    def start(self, *objects):
        self.fairlead = DirectFairlead(self.lab, objects or [dr_vip()])
        self.addCleanup(self.end)
        return self.fairlead

    def end(self):
        if not self.fairlead.processes:
            self.fairlead.start()
        self.programs()
        self.fairlead.remove("main.yaml")
        wait_until(lambda: self.fairlead.pinned() == [], 5, "nothing is pinned any more")
        self.fairlead.stop()
        self.assertNotIn("fairlead_dr", self.link())
        wait_until(lambda: not self.seen & self.loaded().keys(), 5, "no program of ours is left")

    def xdp(self, namespace, device, on):
        program = (["obj", os.environ["FAIRLEAD_XDP_PASS"], "sec", "xdp"] if on else ["off"])
        self.lab[namespace].run("ip", "link", "set", "dev", device, "xdp", *program)

    def link(self):
        """What the kernel says of the interface, the mode of XDP included."""
        return self.lab.balancer.run("ip", "-d", "link", "show", "dev", "eth0")

    @staticmethod
    def loaded():
        """Every program in the kernel: its line by its identifier."""
        lines = command("bpftool", "prog", "show").splitlines()
        return {line.split(":")[0]: line for line in lines if line[:1].isdigit()}

    def programs(self):
        """What the kernel says of the programs that the daemon holds; they are `seen` from then on.
        (Others may have programs of these names at the same time.)"""
        folder = f"/proc/{self.fairlead.process.pid}/fdinfo"
        held = set()
        for descriptor in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, descriptor),
                                                              encoding="ascii") as file:
                held.update(re.findall(r"^prog_id:\s*(\d+)", file.read(), re.M))
        self.seen |= held
        return " ".join(line for identifier, line in self.loaded().items() if identifier in held)

    def interface(self, name="eth0"):
        for entry in self.fairlead.status()["plane"]["xdpInterfaces"]:
            if entry["name"] == name:
                return entry
        return None

    def wait_mode(self, mode, seconds=15):
        def reached():
            entry = self.interface()
            return entry is not None and entry["mode"] == mode and entry["verified"]
        wait_until(reached, seconds, lambda: f"{mode} is verified: {self.interface()}\n"
                   f"{self.fairlead.log()[-3000:]}")
        self.figure(self.interface())
        return self.interface()

    def wait_up(self):
        def up():
            servers = self.fairlead.vip_status()["servers"]
            return all(s["health"]["state"] == "Up" and not s["problem"] for s in servers)
        wait_until(up, 20, lambda: f"every server is up: {self.fairlead.vip_status()}")

    def assert_survives_a_kill(self, mode):
        """Traffic before, through and after a kill -9 and the adoption by the next process."""
        self.wait_up()
        load = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=200, long=40)
        time.sleep(1)
        self.fairlead.stop(kill=signal.SIGKILL)
        time.sleep(1)
        self.fairlead.start()
        self.wait_up()
        time.sleep(1.5)
        self.assertIn("the forwarding of a former process is adopted", self.fairlead.log())
        entry = self.interface()
        self.assertEqual((entry["mode"], entry["verified"]), (mode, True))
        report = load.stop()
        self.figure(report.summary())
        self.assert_no_failures(report)
        self.assertEqual(set(report.by_server), set(SERVERS))
        packets = self.fairlead.status()["plane"]["xdpPacketsNotForwarded"]
        self.assertEqual(packets.get("map_missing", 0), 0)

    def test_native_where_the_other_end_of_the_veth_has_a_program(self):
        self.start()
        entry = self.wait_mode("native")
        self.assertEqual(entry["reason"], "")
        self.assertIn(" xdp ", self.link())
        self.assertIn("fairlead_dr", self.programs())
        self.assertEqual(self.fairlead.metric("fairlead_xdp_interface_verified",
                                              interface="eth0"), 1)
        self.assert_survives_a_kill("native")

    def test_native_that_loses_frames_is_left_for_generic(self):
        self.xdp("switch", "to-balancer", on=False)
        self.addCleanup(self.xdp, "switch", "to-balancer", on=True)
        self.start()
        entry = self.wait_mode("generic")
        self.assertIn("native: frames that the program sends are lost", entry["reason"])
        self.assertIn("has the other end of this veth an XDP program?", entry["reason"])
        self.assertIn(" xdpgeneric ", self.link())
        self.assert_survives_a_kill("generic")

    def test_tc_takes_the_place_where_another_program_has_xdp(self):
        self.xdp("balancer", "eth0", on=True)
        self.addCleanup(self.xdp, "balancer", "eth0", on=False)
        self.start()
        entry = self.wait_mode("tc")
        self.assertIn("another XDP program is attached to the interface", entry["reason"])
        self.assertIn("fairlead_dr_tc", self.programs())
        self.assert_survives_a_kill("tc")
        self.assertIn(" xdp ", self.link())  # the other program is left alone

    def test_a_proof_waits_for_a_neighbour(self):
        for family in ("-4", "-6"):
            self.lab.balancer.run("ip", family, "neigh", "flush", "dev", "eth0")
        self.start(dr_vip(({"name": "ghost", "address": "10.2.0.99"},)))
        wait_until(lambda: self.interface() is not None, 5, "the program is attached")
        time.sleep(2)
        entry = self.interface()
        self.assertFalse(entry["verified"], entry)
        self.assertIn("not verified yet: ", entry["verification"])
        self.fairlead.apply("main.yaml", dr_vip())
        self.wait_mode("native")
        self.assertIn(" answered", self.interface()["verification"])

    def test_a_neighbour_of_ipv6_alone_is_proof_enough(self):
        self.lab.balancer.run("ip", "-4", "neigh", "flush", "dev", "eth0")
        servers = [{"name": name, "address": f"fd02::1{name.removeprefix('srv')}"}
                   for name in SERVERS]
        self.start(vip("web", addresses=(VIP6,), servers=servers, mode="DR"))
        self.wait_mode("native")
        self.assertRegex(self.interface()["verification"], "verified: fd02::.* answered")

    def test_without_the_right_to_send_frames_the_mode_stays_unproved(self):
        held = "-all,+net_admin,+bpf,+perfmon"
        self.fairlead = DirectFairlead(self.lab, [dr_vip()], wrapper=(
            "setpriv", f"--bounding-set={held}", f"--inh-caps={held}"))
        self.addCleanup(self.end)
        wait_until(lambda: "CAP_NET_RAW" in (self.interface() or {}).get("verification", ""), 10,
                   lambda: f"the missing right is named: {self.interface()}")
        self.wait_up()
        report = load_once(self.lab, [(VIP4, 80)], rate=300, count=100)
        self.assert_no_failures(report)

    def test_an_unproved_mode_is_proved_by_the_next_process(self):
        """Adopted as it is; what does not work is left then too."""
        self.xdp("switch", "to-balancer", on=False)
        self.addCleanup(self.xdp, "switch", "to-balancer", on=True)
        held = "-all,+net_admin,+bpf,+perfmon"
        self.fairlead = DirectFairlead(self.lab, [dr_vip()], wrapper=(
            "setpriv", f"--bounding-set={held}", f"--inh-caps={held}"))
        self.addCleanup(self.end)
        wait_until(lambda: self.interface() is not None, 10, "the program is attached")
        self.assertEqual(self.interface()["mode"], "native")
        self.fairlead.stop(kill=signal.SIGKILL)
        self.fairlead.wrapper = []
        self.fairlead.start()
        self.wait_mode("generic")
        self.wait_up()
        self.assert_no_failures(load_once(self.lab, [(VIP4, 80)], rate=300, count=100))
