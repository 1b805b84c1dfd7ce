"""Mode DR with exactly the capabilities that it needs, and without one of them."""

import signal
import time

from harness.case import LabCase
from harness.direct import VIP4, VIP6, DirectFairlead, DirectLab, dr_vip
from harness.load import Load, load_once
from harness.netns import SERVERS
from harness.servers import Nginx
from harness.wait import wait_until

NEEDED = ("net_admin", "bpf", "perfmon")


def with_capabilities(*names):
    """As `docker run --user 0 --cap-drop ALL --cap-add ...`: root in name, these rights alone."""
    listed = ",".join(["-all", *(f"+{name}" for name in names)])
    return ("setpriv", "--no-new-privs", f"--bounding-set={listed}", f"--inh-caps={listed}")


class DirectRightsTest(LabCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = DirectLab()
        cls.addClassCleanup(cls.lab.close)
        cls.nginx = {name: Nginx(cls.lab, name) for name in SERVERS}

    def wait_up(self, fairlead):
        def up():
            servers = fairlead.vip_status()["servers"]
            return all(s["health"]["state"] == "Up" and not s["problem"] for s in servers)
        wait_until(up, 20, lambda: f"every server is up: {fairlead.vip_status()}")

    def held_capabilities(self, fairlead):
        with open(f"/proc/{fairlead.process.pid}/status") as file:
            return int(next(line for line in file if line.startswith("CapEff")).split()[1], 16)

    def test_the_needed_capabilities_load_forward_and_adopt(self):
        first = DirectFairlead(self.lab, start=False)  # mounts bpffs, which takes CAP_SYS_ADMIN
        first.put("main.yaml", dr_vip())
        first.start()
        first.remove("main.yaml")
        wait_until(lambda: first.pinned() == [], 5, "nothing is pinned any more")
        first.stop()

        fairlead = DirectFairlead(self.lab, [dr_vip(("srv1", "srv2"))],
                                  wrapper=with_capabilities(*NEEDED, "net_raw"))
        self.addCleanup(fairlead.stop)
        self.assertEqual(self.held_capabilities(fairlead), 1 << 12 | 1 << 13 | 1 << 38 | 1 << 39)
        self.assertEqual(fairlead.vip_status()["problem"], "")
        self.wait_up(fairlead)
        load = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=200, long=40)
        time.sleep(1)
        fairlead.apply("main.yaml", dr_vip())  # dirty slots: their base rings must be read back
        self.wait_up(fairlead)
        fairlead.stop(kill=signal.SIGKILL)
        time.sleep(1)
        fairlead.start()
        self.assertIn("the forwarding of a former process is adopted", fairlead.log())
        self.wait_up(fairlead)
        time.sleep(1)
        report = load.stop()
        self.figure(report.summary())
        self.assert_no_failures(report)
        self.assertEqual(set(load_once(self.lab, [(VIP4, 80)], rate=300, count=150).by_server),
                         set(SERVERS))
        fairlead.remove("main.yaml")
        wait_until(lambda: fairlead.pinned() == [], 5, "nothing is pinned any more")

    def test_a_missing_capability_is_named_with_what_gives_it(self):
        for missing in NEEDED:
            held = [name for name in NEEDED if name != missing]
            fairlead = DirectFairlead(self.lab, [dr_vip()], wrapper=with_capabilities(*held))
            problem = fairlead.vip_status()["problem"]
            fairlead.stop()
            name = missing.upper()
            self.assertIn(f"mode DR lacks CAP_{name}: ", problem)
            self.assertIn(f"--cap-add {name}", problem)
            self.assertIn("AmbientCapabilities=CAP_NET_ADMIN CAP_BPF CAP_PERFMON", problem)
