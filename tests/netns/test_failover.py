"""A real server dies under load: what was on it may fail, what comes later must not."""

import time

from harness.case import LabCase
from harness.fairlead import Fairlead, vip
from harness.load import Load
from harness.netns import SERVERS, VIP4, VIP6, command

CHECK = {"intervalSeconds": 0.5, "timeoutSeconds": 0.5, "unhealthyThreshold": 3}
# Three checks, two of them at the fast interval of 0.5 s, each with its time-out, and scheduling.
DETECTION = 0.5 + 3 * (0.5 + 0.5) + 1


class FailoverTest(LabCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fairlead = Fairlead(cls.lab, [vip(servers=SERVERS, check=CHECK)])
        cls.fairlead.wait_health()

    def setUp(self):
        super().setUp()
        self.fairlead.wait_health()

    def start_load(self):
        load = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=300, long=30, timeout=15)
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            time.sleep(0.05)
        return load

    def check_failures(self, report, died_at, victim):
        """Only connections that existed when the server died, and were on it, failed."""
        self.figure(report.summary())
        later = [f for f in report.failures if f["started"] > died_at and not f["long"]]
        self.assertEqual(later, [], report.summary())
        for failure in report.failures:
            self.assertLess(failure["started"], died_at, failure)
            # The long ones tell whose they were; a short one that failed had no answer yet.
            self.assertIn(failure["server"], (victim, ""), failure)
        self.assertLessEqual(report.failed, 40, report.summary())

    def test_a_killed_process_costs_only_its_own_connections(self):
        load = self.start_load()
        self.addCleanup(self.nginx["srv2"].start)
        self.nginx["srv2"].crash()
        died_at = time.monotonic()
        self.fairlead.wait_health("Down", ["srv2"])
        detected = time.monotonic() - died_at
        self.assertLess(detected, DETECTION)
        time.sleep(1)
        report = load.stop()
        self.check_failures(report, died_at, "srv2")
        self.assertGreater(report.long_failed, 0)
        self.figure(f"detected after {detected:.2f} s; reason: "
                    f"{self.fairlead.server_status('srv2')['health']['reason']}")

    def test_a_silent_server_costs_only_its_own_connections(self):
        # The cable is pulled: no RST, no answer. Connections wait for half the connect time-out
        # and go on to the next server.
        load = self.start_load()
        command("ip", "-n", self.lab.balancer.name, "link", "set", "srv3", "down")
        died_at = time.monotonic()
        self.fairlead.wait_health("Down", ["srv3"])
        detected = time.monotonic() - died_at
        self.assertLess(detected, DETECTION)
        status = self.fairlead.server_status("srv3")
        time.sleep(1)
        command("ip", "-n", self.lab.balancer.name, "link", "set", "srv3", "up")
        report = load.stop()
        self.check_failures(report, died_at, "srv3")
        self.figure(f"detected after {detected:.2f} s; reason: {status['health']['reason']}")
        self.assertGreater(self.fairlead.metric("fairlead_vip_retries_total", vip="web"), 0)
