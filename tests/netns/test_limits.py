"""Limits, each met on purpose: it is counted, it is survived, and it harms nobody else."""

import contextlib
import hashlib
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import time
import unittest

from harness.case import LabCase
from harness.fairlead import Fairlead, vip
from harness.load import Load, load_once
from harness.netns import SERVERS, VIP4, VIP6
from harness.peers import Peer, who_and_hold
from harness.wait import wait_until

NOT_CHECKED = {"type": "None"}
REQUEST = b"GET /who HTTP/1.1\r\nHost: vip\r\n\r\n"
# Descriptors of this process that are not connections.
OWN_DESCRIPTORS = 200
# Receive buffers of one shard (kReceiveBuffersMax).
RING_BUFFERS = 4096


def connect_many(namespace, targets, count, receive_buffer=None):
    """`count` connected sockets, opened by one thread of the namespace."""
    def connect():
        made = []
        for i in range(count):
            address, port = targets[i % len(targets)]
            one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            if receive_buffer is not None:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            one.settimeout(20)
            with contextlib.suppress(ConnectionResetError):  # refused at once: read says so too
                one.connect((address, port))
            made.append(one)
        return made
    return namespace.call(connect)


def close_all(sockets):
    for made in sockets:
        made.close()


class LimitsTest(LabCase):
    def start(self, objects, **options):
        self.fairlead = Fairlead(self.lab, objects, arguments=["--shutdown-grace", "1", *options.pop(
            "arguments", [])], **options)
        self.addCleanup(self.fairlead.stop)
        return self.fairlead

    def rejections(self, reason, name="web"):
        return self.fairlead.metric("fairlead_vip_rejections_total", vip=name, reason=reason)

    def assert_serves(self, targets=((VIP4, 80), (VIP6, 80)), count=60):
        self.assert_no_failures(load_once(self.lab, targets, rate=200, count=count))

    def test_ten_thousand_idle_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.start([vip(servers=SERVERS, check=NOT_CHECKED)])
        self.assert_serves()
        # Two descriptors of the balancer a connection, and its reserve.
        possible = int(self.fairlead.metric("fairlead_sessions_max"))
        wanted = min(10_000, possible - 40, hard - OWN_DESCRIPTORS)
        before = self.fairlead.memory_kb()
        begin = time.monotonic()
        sockets = connect_many(self.lab.client, [(VIP4, 80), (VIP6, 80)], wanted)
        self.addCleanup(close_all, sockets)
        opened = time.monotonic() - begin
        wait_until(lambda: self.fairlead.metric("fairlead_sessions") == wanted, 20, "all relay")
        after = self.fairlead.memory_kb()
        each = (after["private"] - before["private"]) / wanted
        # All of them are alive, each with its own answer.
        for made in sockets:
            made.sendall(REQUEST)
        servers = set()
        for made in sockets:
            answer = b""
            while not answer.endswith(b" 80\n"):
                piece = made.recv(4096)
                self.assertTrue(piece, "it ended")
                answer += piece
            servers.add(re.search(rb"X-Server: (\w+)", answer).group(1))
        self.assertEqual(len(servers), 3)
        limit = "" if wanted == 10_000 else f" (10,000 need more than RLIMIT_NOFILE {hard})"
        self.figure(f"{wanted} idle connections{limit} opened in {opened:.1f} s: {each:.2f} KB of "
                    f"user memory each ({before['private']} -> {after['private']} KB)")
        self.assertLess(each, 1.5)
        close_all(sockets)
        wait_until(lambda: self.fairlead.metric("fairlead_sessions") == 0, 20, "all have ended")
        self.assert_serves()

    def test_no_session_slot_left(self):
        self.start([vip(servers=SERVERS, check=NOT_CHECKED)], arguments=["--sessions-max", "40"])
        sockets = connect_many(self.lab.client, [(VIP4, 80)], 100)
        wait_until(lambda: self.rejections("session_limit") > 0, 10, "it is counted")
        # A shard may take half as much again as its part, as the kernel spreads clients by a hash.
        self.assertLessEqual(self.fairlead.metric("fairlead_sessions"), 60)
        close_all(sockets)
        # Those who waited in the accept queue, and are gone, still take their turn.
        wait_until(lambda: load_once(self.lab, [(VIP4, 80)], rate=200, count=60).failed == 0, 10,
                   "everybody is served again")
        self.figure(f"{self.rejections('session_limit'):.0f} clients turned away, "
                    f"{self.fairlead.metric('fairlead_accept_pauses_total'):.0f} pauses")

    def test_descriptors_run_out(self):
        self.start([vip(servers=SERVERS, check=NOT_CHECKED)])
        held = connect_many(self.lab.client, [(VIP4, 80)], 20)
        wait_until(lambda: self.fairlead.metric("fairlead_sessions") == 20, 10, "they relay")
        pid = self.fairlead.process.pid
        used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
        unlimited = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 12, unlimited[1]))
        waiting = connect_many(self.lab.client, [(VIP4, 80)], 60)
        wait_until(lambda: self.rejections("no_descriptor") > 0, 10, "it is counted")
        # Who is connected notices nothing.
        for made in held:
            made.sendall(REQUEST)
            self.assertIn(b"200 OK", made.recv(4096))
        ticks = self.cpu_seconds()
        time.sleep(1)
        busy = self.cpu_seconds() - ticks
        self.assertLess(busy, 0.5, "it must not spin while it waits for descriptors")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, unlimited)
        served = refused = 0
        for made in waiting:
            try:
                made.sendall(REQUEST)
                served += b"200 OK" in made.recv(4096)
            except ConnectionError:
                refused += 1
        self.assertEqual(served + refused, 60)
        self.figure(f"of 60 clients {served} were served later, {refused} reset; counted "
                    f"{self.rejections('no_descriptor'):.0f}, pauses "
                    f"{self.fairlead.metric('fairlead_accept_pauses_total'):.0f}, busy {busy:.2f} s "
                    "of 1 s")
        close_all(held + waiting)
        self.assert_serves()

    def cpu_seconds(self):
        with open(f"/proc/{self.fairlead.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_too_few_descriptors_at_start(self):
        self.start([vip(servers=SERVERS)], nofile=200, start=False)
        process = self.fairlead.start(ready=False)
        self.assertEqual(process.wait(10), 1)
        self.assertIn("RLIMIT_NOFILE is 200", self.fairlead.log())

    def test_more_listeners_than_descriptors(self):
        self.start([vip(servers=SERVERS, check=NOT_CHECKED)], nofile=2000,
                   arguments=["--shards", "2"])
        self.fairlead.apply("many.yaml", vip("zmany", ports="10000-10700", servers=SERVERS,
                                             check=NOT_CHECKED))
        problem = wait_until(lambda: self.fairlead.vip_status("zmany")["problem"], 10, "a problem")
        self.assertIn("descriptor", problem)
        self.figure(problem)
        self.fairlead.remove("many.yaml")
        wait_until(lambda: not self.fairlead.vip_status("zmany"), 10, "it is gone")
        self.assert_serves()

    def test_source_ports_run_out(self):
        self.lab.balancer.sysctl("net.ipv4.ip_local_port_range", "40000 40047")
        self.addCleanup(self.lab.balancer.sysctl, "net.ipv4.ip_local_port_range", "32768 60999")
        self.start([vip(servers=["srv1"], check=NOT_CHECKED, addresses=[VIP4])])
        held, refused = [], 0
        for made in connect_many(self.lab.client, [(VIP4, 80)], 80):
            try:
                made.sendall(REQUEST)
                self.assertIn(b"200 OK", made.recv(4096))
                held.append(made)
            except ConnectionError:
                refused += 1
        self.assertGreater(len(held), 20)
        self.assertLessEqual(len(held), 48)
        self.assertGreater(refused, 0)
        self.assertGreaterEqual(self.rejections("no_source_port"), refused)
        # With a second server its ports are free: nobody is refused.
        self.fairlead.apply("main.yaml", vip(servers=["srv1", "srv2"], check=NOT_CHECKED,
                                             addresses=[VIP4]))
        made = self.lab.client.connect(VIP4, 80)
        made.sendall(REQUEST)
        self.assertIn(b"X-Server: srv2", made.recv(4096))
        close_all([*held, made])
        self.figure(f"{len(held)} connections with 48 ports, {refused} refused, counted "
                    f"{self.rejections('no_source_port'):.0f}")

    @unittest.skipUnless(shutil.which("strace"), "strace injects the fault; apt-get install strace")
    def test_the_kernel_has_no_memory_for_a_socket(self):
        self.start([vip(servers=SERVERS, check=NOT_CHECKED)])
        held = connect_many(self.lab.client, [(VIP4, 80)], 10)
        wait_until(lambda: self.fairlead.metric("fairlead_sessions") == 10, 10, "they relay")
        for error in ("ENOBUFS", "ENOMEM"):
            counted = self.rejections("no_memory")
            tracer = subprocess.Popen(
                ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(self.fairlead.process.pid),
                 "-e", "trace=socket", "-e", f"inject=socket:error={error}"],
                stderr=subprocess.PIPE)

            try:
                # Sockets are made ahead by the ring; a burst needs more than those.
                def counted_more():
                    load_once(self.lab, [(VIP4, 80), (VIP6, 80)], rate=5000, count=300)
                    return self.rejections("no_memory") > counted + 10
                wait_until(counted_more, 20, "refusals are counted")
            finally:
                tracer.send_signal(signal.SIGINT)
                tracer.wait(10)
        for made in held:
            made.sendall(REQUEST)
            self.assertIn(b"200 OK", made.recv(4096))
        close_all(held)
        self.assert_serves()
        self.figure(f"{self.rejections('no_memory'):.0f} refusals counted as no_memory")

    def test_no_memory_for_the_rings_at_start(self):
        self.start([vip(servers=SERVERS)], start=False, wrapper=["prlimit", "--as=150000000"])
        process = self.fairlead.start(ready=False)
        code = process.wait(20)
        self.figure(self.fairlead.log().strip().splitlines()[-1][:300])
        self.assertEqual(code, 1, self.fairlead.log())
        self.assertRegex(self.fairlead.log(), "(?i)memory")

    def test_receive_buffers_run_out(self):
        # One ring. Small socket buffers, so that what a slow reader
        # does not take waits in the ring; 16 pieces of 4 KiB are no bulk transfer yet.
        for namespace, kind in ((self.lab.balancer, "wmem"), (self.lab.balancer, "rmem")):
            namespace.sysctl(f"net.ipv4.tcp_{kind}", "4096 8192 8192")
            self.addCleanup(namespace.sysctl, f"net.ipv4.tcp_{kind}", "4096 131072 6291456")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        content = os.urandom(128 * 1024)
        with open(os.path.join(self.lab.directory, "files", "chunk"), "wb") as file:
            file.write(content)
        self.start([vip(servers=SERVERS, check=NOT_CHECKED), vip(
            "other", ports="5014", servers=SERVERS, check=NOT_CHECKED)], arguments=["--shards", "1"])
        count = 5000
        sockets = connect_many(self.lab.client, [(VIP4, 80), (VIP6, 80)], count,
                               receive_buffer=4096)
        self.addCleanup(close_all, sockets)
        for made in sockets:
            made.sendall(b"GET /files/chunk HTTP/1.0\r\n\r\n")
        # Above three quarters what waits moves out of the ring, so that others can receive.
        wait_until(
            lambda: self.fairlead.metric("fairlead_buffers_in_use") > RING_BUFFERS * 0.75 - 64, 40,
            lambda: f"buffers run out; {self.fairlead.metric('fairlead_buffers_in_use')} in use")
        exhausted = self.fairlead.metric("fairlead_buffers_exhausted_total")
        used = self.fairlead.metric("fairlead_buffers_in_use")
        rss = self.fairlead.memory_kb()["rss"]
        ticks = self.cpu_seconds()
        time.sleep(1)
        busy = self.cpu_seconds() - ticks
        self.assert_serves(((VIP4, 5014), (VIP6, 5014)))
        # They read on: every byte comes, for everybody.
        digest = hashlib.sha256(content).digest()
        bodies = self.read_all_at_once(sockets)
        wrong = [body for body in bodies
                 if hashlib.sha256(body.split(b"\r\n\r\n", 1)[-1]).digest() != digest]
        self.assertEqual((len(bodies), len(wrong)), (count, 0),
                         [len(body) for body in wrong[:10]])
        self.figure(f"{count} slow readers: {used:.0f} buffers in use, {exhausted:.0f} receives "
                    f"waited, {rss // 1024} MiB, busy {busy:.2f} s of 1 s while stuck; all "
                    f"{count} got their {len(content)} bytes")
        self.assert_serves(((VIP4, 5014), (VIP6, 5014)))
        wait_until(lambda: self.fairlead.metric("fairlead_buffers_in_use") < 100, 10,
                   "the buffers are back")

    def read_all_at_once(self, sockets, seconds=60):
        """What each socket said until its end."""
        bodies = {made.fileno(): [] for made in sockets}
        by_number = {made.fileno(): made for made in sockets}
        open_count = len(sockets)
        with select.epoll() as poll:
            for number, made in by_number.items():
                made.setblocking(False)
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
                poll.register(number, select.EPOLLIN)
            deadline = time.monotonic() + seconds
            while open_count > 0 and time.monotonic() < deadline:
                for number, _ in poll.poll(1, 512):
                    try:
                        chunk = by_number[number].recv(1 << 17)
                    except BlockingIOError:
                        continue
                    except OSError:
                        chunk = b""
                    if chunk:
                        bodies[number].append(chunk)
                    else:
                        poll.unregister(number)
                        open_count -= 1
        self.assertEqual(open_count, 0, "these have not ended")
        return [b"".join(chunks) for chunks in bodies.values()]

    def test_a_full_queue(self):
        Peer(self.lab, "srv1", 7501, who_and_hold)
        self.start([vip(ports="7501", check=NOT_CHECKED,
                        servers=[{"name": "srv1", "maxConnections": 1}])])
        held = self.lab.client.connect(VIP4, 7501)
        self.assertTrue(held.recv(100))
        waiting = connect_many(self.lab.client, [(VIP4, 7501)], 1100)
        wait_until(lambda: self.rejections("queue_full") >= 76, 10, "76 are refused")
        self.assertEqual(self.fairlead.vip_status()["queue"], 1024)
        close_all(waiting)
        wait_until(lambda: self.fairlead.vip_status()["queue"] <= 1024, 10, "they leave")
        held.close()

    def test_a_storm_on_a_vip_without_servers(self):
        self.start([vip(servers=SERVERS, check=NOT_CHECKED),
                    vip("empty", ports="81", servers=[], check=NOT_CHECKED)])
        self.assert_serves()
        before = self.fairlead.memory_kb()["rss"]
        ticks = self.cpu_seconds()
        good = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=100, long=6)
        storm = load_once(self.lab, [(VIP4, 81), (VIP6, 81)], rate=20_000, seconds=3,
                          concurrency=500)
        report = good.stop()
        self.assert_no_failures(report)
        self.assertEqual(set(storm.fields["kinds"]), {"refused"})
        self.assertGreater(storm.failed, 3000)
        self.assertLess(self.fairlead.memory_kb()["rss"] - before, 8192)
        self.figure(f"{storm.failed} SYNs refused by the kernel, {self.cpu_seconds() - ticks:.2f} s "
                    f"of CPU time in 3 s; meanwhile {report.summary()}")

    def test_a_storm_on_a_vip_whose_servers_refuse(self):
        self.start([vip(servers=SERVERS, check=NOT_CHECKED),
                    vip("refusing", ports="82", servers=SERVERS, check=NOT_CHECKED)])
        self.assert_serves()
        ticks = self.cpu_seconds()
        good = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=100, long=6)
        storm = load_once(self.lab, [(VIP4, 82), (VIP6, 82)], rate=20_000, seconds=3,
                          concurrency=500, timeout=3)
        report = good.stop()
        self.assert_no_failures(report)
        self.assertEqual(storm.ok, 0)
        pauses = self.fairlead.metric("fairlead_accept_pauses_total")
        self.assertGreater(pauses, 0)
        self.assertGreater(self.rejections("connect_failed", "refusing"), 100)
        self.figure(f"{storm.started} clients, {self.rejections('connect_failed', 'refusing'):.0f} "
                    f"refusals, {pauses:.0f} pauses, {self.cpu_seconds() - ticks:.2f} s of CPU "
                    f"time in 3 s; meanwhile {report.summary()}")
