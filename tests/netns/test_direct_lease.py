"""Mode DR: who forwards while the daemon is frozen, dead or stopped, with a lease and without."""

import signal
import time

from harness.direct import VIP4
from harness.direct_case import DirectCase
from harness.fairlead import vip
from harness.load import Load
from harness.netns import SERVERS
from harness.wait import wait_until

LEASE = 1.0


class DirectLeaseTest(DirectCase):
    def serve_with(self, *arguments):
        self.serve(vip("web", addresses=(VIP4,), servers=SERVERS, mode="DR"), up=3,
                   arguments=arguments)

    def serves(self):
        try:
            self.lab.client.connect(VIP4, 80, timeout=0.4).close()
            return True
        except TimeoutError:
            return False

    def assert_ends_within_the_lease(self):
        began = time.monotonic()
        wait_until(lambda: not self.serves(), LEASE + 2, "forwarding ends")
        # The attempt that failed had begun before.
        passed = time.monotonic() - began - 0.4
        self.figure(f"forwarding ended after {passed:.2f} s")
        self.assertGreater(passed, LEASE * 0.5)
        self.assertLess(passed, LEASE + 0.2)

    def test_without_a_lease_nothing_ends(self):
        self.serve_with()
        load = Load(self.lab, [(VIP4, 80)], rate=50, long=20)
        self.fairlead.process.send_signal(signal.SIGSTOP)
        time.sleep(2.5)
        self.fairlead.process.send_signal(signal.SIGCONT)
        self.fairlead.stop(kill=signal.SIGKILL)
        time.sleep(2)
        self.fairlead.start()
        self.wait_up(3)
        self.fairlead.stop()
        time.sleep(1.5)
        report = load.stop()
        self.figure(report.summary())
        self.assert_no_failures(report)

    def test_a_frozen_daemon_stops_to_forward_and_goes_on_when_it_wakes(self):
        self.serve_with("--dr-lease", f"{LEASE}s")
        load = Load(self.lab, [(VIP4, 80)], rate=20, long=10)
        time.sleep(3 * LEASE)  # renewed
        report = load.stop()
        self.assert_no_failures(report)
        held = self.lab.client.connect(VIP4, 80)
        self.fairlead.process.send_signal(signal.SIGSTOP)
        self.assert_ends_within_the_lease()
        time.sleep(1)
        self.assertFalse(self.serves())
        self.fairlead.process.send_signal(signal.SIGCONT)
        wait_until(self.serves, 2, "forwarding goes on")
        held.sendall(b"GET /who HTTP/1.0\r\n\r\n")
        self.assertIn(b"X-Server", held.recv(1000))
        held.close()
        packets = self.fairlead.status()["plane"]["xdpPacketsNotForwarded"]
        self.assertGreaterEqual(packets["lease_expired"], 1)

    def test_a_dead_daemon_stops_to_forward_until_the_next_one(self):
        self.serve_with("--dr-lease", f"{LEASE}s")
        self.fairlead.stop(kill=signal.SIGKILL)
        self.assert_ends_within_the_lease()
        self.fairlead.start()
        wait_until(self.serves, 5, "forwarding goes on")
        self.wait_up(3)
        self.fairlead.stop()  # SIGTERM
        self.assertIn("until the lease runs out", self.fairlead.log())
        self.assert_ends_within_the_lease()

    def test_a_lease_can_be_given_up_by_a_restart(self):
        self.serve_with("--dr-lease", f"{LEASE}s")
        self.fairlead.stop()
        self.fairlead.arguments = self.fairlead.arguments[:-2]
        self.fairlead.start()
        self.wait_up(3)
        self.fairlead.stop()
        time.sleep(2 * LEASE)
        self.assertTrue(self.serves())

    def test_a_lease_holds_through_many_changes(self):
        self.serve_with("--dr-lease", "250ms")
        load = Load(self.lab, [(VIP4, 80)], rate=100, long=20)
        for turn in range(12):  # each swaps rings
            servers = [{"name": name, "weight": 50 + 50 * ((turn + i) % 3)}
                       for i, name in enumerate(SERVERS)]
            self.fairlead.apply("main.yaml",
                                *(vip(f"web{i or ''}", addresses=(VIP4,), ports=str(80 + i),
                                      servers=servers, mode="DR", check={"port": 80})
                                  for i in range(20)))
        report = load.stop()
        self.figure(report.summary())
        self.assert_no_failures(report)
        packets = self.fairlead.status()["plane"]["xdpPacketsNotForwarded"]
        self.assertEqual(packets.get("lease_expired", 0), 0)
