"""The directory in bpffs is one daemon's: others on the host leave it alone, a takeover does not."""

import signal
import time

from harness.case import LabCase
from harness.direct import VIP4, VIP6, DirectFairlead, DirectLab, dr_vip
from harness.fairlead import vip
from harness.load import Load, load_once
from harness.netns import SERVERS
from harness.servers import Nginx
from harness.wait import wait_until


class OtherFairlead(DirectFairlead):
    """Beside the first one, with its directory in bpffs and another state directory."""

    ADMIN = ("127.0.0.1", 9081)


class DirectOwnerTest(LabCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = DirectLab()
        cls.addClassCleanup(cls.lab.close)
        cls.nginx = {name: Nginx(cls.lab, name) for name in SERVERS}

    def setUp(self):
        super().setUp()
        self.fairlead = DirectFairlead(self.lab, [dr_vip()])
        self.addCleanup(self.end)
        self.wait_up()

    def end(self):
        self.fairlead.stop(kill=signal.SIGKILL)
        self.fairlead.start()
        self.fairlead.remove("main.yaml")
        wait_until(lambda: self.fairlead.pinned() == [], 5, "nothing is pinned any more")
        self.fairlead.stop()

    def wait_up(self):
        def up():
            servers = self.fairlead.vip_status()["servers"]
            return all(s["health"]["state"] == "Up" and not s["problem"] for s in servers)
        wait_until(up, 20, lambda: f"every server is up: {self.fairlead.vip_status()}")

    def other(self, *objects):
        other = OtherFairlead(self.lab, objects)
        self.addCleanup(other.stop)
        return other

    def assert_forwarded(self):
        self.assert_no_failures(load_once(self.lab, [(VIP4, 80)], rate=300, count=100))

    def test_a_daemon_without_such_vips_takes_nothing_of_the_others(self):
        pinned = set(self.fairlead.pinned())
        other = self.other(vip("proxy", addresses=("10.2.0.1",), ports="8080", servers=SERVERS))
        time.sleep(1)
        self.assertEqual(set(self.fairlead.pinned()), pinned)
        self.fairlead.stop(kill=signal.SIGKILL)  # nobody holds the lock any more
        other.stop()
        other.start()
        time.sleep(1)
        self.assertEqual(set(self.fairlead.pinned()), pinned)
        self.assert_forwarded()
        self.fairlead.start()
        self.wait_up()
        self.assert_forwarded()

    def test_a_second_daemon_with_such_vips_is_refused_by_name(self):
        other = self.other(vip("other", addresses=("10.2.0.101",), servers=SERVERS, mode="DR"))
        problem = other.vip_status("other")["problem"]
        self.assertIn("is in use by another daemon that runs", problem)
        self.assertIn(self.fairlead.state, problem)
        self.assertIn("--bpf-directory", problem)
        self.assert_forwarded()
        # While the first one restarts, the second one does not slip in.
        self.fairlead.stop(kill=signal.SIGKILL)
        wait_until(lambda: "is not running" in other.vip_status("other")["problem"], 20,
                   lambda: f"the wait is explained: {other.vip_status('other')['problem']}")
        self.assert_forwarded()
        self.fairlead.start()
        self.wait_up()
        self.assertEqual(self.fairlead.vip_status()["problem"], "")
        self.assert_forwarded()

    def test_a_takeover_hands_the_directory_on(self):
        load = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=200, long=40)
        time.sleep(1)
        old = self.fairlead.process
        self.fairlead.start(takeover=True, ready=False)
        self.assertEqual(old.wait(30), 0)
        self.fairlead.wait_ready()
        self.wait_up()
        time.sleep(2.5)
        self.assertEqual(self.fairlead.vip_status()["problem"], "")
        report = load.stop()
        self.figure(report.summary())
        self.assert_no_failures(report)
        refused = self.other(vip("other", addresses=("10.2.0.101",), servers=SERVERS, mode="DR"))
        self.assertIn("is in use by another daemon that runs",
                      refused.vip_status("other")["problem"])
