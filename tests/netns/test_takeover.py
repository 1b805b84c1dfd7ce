"""Processes come and go under load: takeover, a takeover that fails, SIGTERM."""

import os
import signal
import socket
import subprocess
import time

from harness.case import LabCase
from harness.fairlead import Fairlead, vip
from harness.load import Load, load_once
from harness.netns import SERVERS, VIP4, VIP6
from harness.peers import read_all
from harness.wait import wait_until

TAKEOVERS = 5
TARGETS = [(address, port) for address in (VIP4, VIP6) for port in (80, 5014, 5016)]


class TakeoverTest(LabCase):
    def setUp(self):
        super().setUp()
        self.fairlead = Fairlead(self.lab, [vip(ports="80,5014-5019", servers=SERVERS)],
                                 arguments=["--shutdown-grace", "20"])
        self.addCleanup(self.fairlead.stop, signal.SIGKILL)
        self.fairlead.wait_health()

    def take_over(self):
        old = self.fairlead.process
        self.fairlead.start(takeover=True, ready=False)
        new = self.fairlead.process

        def serves():
            self.assertIsNone(new.poll(), self.fairlead.log())
            return self.fairlead.log().count("took the listening sockets over") > self.taken
        wait_until(serves, 30, lambda: f"the takeover:\n{self.fairlead.log()[-3000:]}")
        self.taken += 1
        self.fairlead.wait_ready()
        return old, new

    def test_takeovers_under_load_refuse_nobody(self):
        self.taken = 0
        load = Load(self.lab, TARGETS, rate=400, long=20, timeout=20)
        time.sleep(1)
        first = self.fairlead.process
        for _ in range(TAKEOVERS):
            self.take_over()
            time.sleep(0.5)
        # The first process still serves the connections that it had.
        self.assertIsNone(first.poll())
        report = load.stop()
        self.figure(f"{TAKEOVERS} takeovers: {report.summary()}")
        self.assert_no_failures(report)
        # Without connections the old ones end by themselves.
        for process in self.fairlead.processes[:-1]:
            self.assertEqual(process.wait(30), 0)
        self.assert_no_failures(load_once(self.lab, TARGETS, rate=200, count=100))

    def test_edits_and_health_go_on_after_a_takeover(self):
        self.taken = 0
        self.take_over()
        self.fairlead.apply("main.yaml", vip(ports="80,5014-5019,5021", servers=("srv1",)))
        report = load_once(self.lab, [(VIP4, 5021)], rate=100, count=20)
        self.assert_no_failures(report)
        self.assertEqual(list(report.by_server), ["srv1"])

    def kill_new_process_after(self, seconds):
        """False: it was killed too late, after it had taken over."""
        load = Load(self.lab, TARGETS, rate=300, long=10, timeout=20)
        time.sleep(0.3)
        self.fairlead.start(takeover=True, ready=False)
        new = self.fairlead.processes.pop()
        time.sleep(seconds)
        new.kill()
        new.wait()
        killed_at = time.monotonic()
        time.sleep(0.5)
        report = load.stop()
        if "stopping" in self.fairlead.log():
            return False
        self.figure(f"after {seconds * 1000:.0f} ms: {report.summary()}")
        # What the new process had accepted itself dies with it; nobody else may notice.
        for failure in report.failures:
            self.assertLess(failure["started"], killed_at, failure)
            self.assertIn(failure["kind"], ("reset", "truncated"), failure)
        self.assertLess(report.failed + report.long_failed, 20)
        self.assertGreater(report.ok, 0)
        return True

    def test_a_new_process_that_is_killed_leaves_the_old_one_serving(self):
        in_time = 0
        for seconds in (0.0, 0.005, 0.01, 0.02, 0.04):
            if not self.kill_new_process_after(seconds):
                break
            in_time += 1
            self.assertIsNone(self.fairlead.process.poll())
        self.assertGreater(in_time, 0)

    def test_a_new_process_that_hangs_before_its_commit_leaves_the_old_one_serving(self):
        # A second peer that takes the sockets and dies without a word.
        path = os.path.join(self.fairlead.state, "takeover.sock")
        load = Load(self.lab, TARGETS, rate=300, long=10, timeout=20)
        for _ in range(10):
            time.sleep(0.1)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
                peer.settimeout(5)
                peer.connect(path)
                peer.sendall(b"fairlead-takeover 1\n")
                _, descriptors, _, _ = socket.recv_fds(peer, 65536, 253)
                for descriptor in descriptors:
                    os.close(descriptor)
        report = load.stop()
        self.assert_no_failures(report)

    def test_sigterm_lets_connections_end(self):
        held = self.lab.client.connect(VIP4, 80)
        held.sendall(b"GET /who HTTP/1.1\r\nHost: vip\r\n")
        process = self.fairlead.process
        process.send_signal(signal.SIGTERM)

        def refused():
            try:
                self.lab.client.connect(VIP4, 80).close()
            except ConnectionError:
                return True
            return False
        wait_until(refused, 10, "new clients are refused")
        held.sendall(b"Connection: close\r\n\r\n")
        answer = read_all(held).decode()
        held.close()
        self.assertIn("200 OK", answer)
        self.assertTrue(answer.endswith(" 80\n"), answer)
        # The last session has ended: it does not wait for the grace.
        begin = time.monotonic()
        self.assertEqual(process.wait(15), 0)
        self.figure(f"ended {time.monotonic() - begin:.2f} s after its last session")

    def test_sigterm_resets_what_is_left_after_the_grace(self):
        self.fairlead.stop()
        self.fairlead.start(arguments=["--shutdown-grace", "1"])
        held = self.lab.client.connect(VIP4, 80)
        held.sendall(b"GET /who HTTP/1.1\r\nHost: vip\r\n\r\n")
        self.assertIn(b"200 OK", held.recv(4096))
        self.fairlead.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.fairlead.process.wait(15), 0)
        with self.assertRaises(ConnectionResetError):
            held.recv(1)

    def test_a_restart_at_once_finds_its_ports_free(self):
        for _ in range(3):
            held = [self.lab.client.connect(VIP4, 80) for _ in range(20)]
            self.fairlead.stop(signal.SIGKILL)
            self.fairlead.start()
            self.assertEqual(self.fairlead.vip_status()["problem"], "")
            for made in held:
                made.close()

    def test_a_second_daemon_without_takeover_is_refused(self):
        second = self.lab.balancer.popen(
            [*self.fairlead.wrapper, os.environ.get("FAIRLEAD", "fairlead"), "run", "--config",
             self.fairlead.config, "--state-directory", self.fairlead.state],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output, _ = second.communicate(timeout=20)
        self.assertEqual(second.returncode, 1, output)
        self.assertIn("9080", output)
        self.assert_no_failures(load_once(self.lab, TARGETS, rate=200, count=60))
