"""What a TCP proxy must not get wrong: ends of streams, resets, addresses, ports, limits."""

import contextlib
import hashlib
import os
import random

import socket
import subprocess
import threading
import time

from harness.case import LabCase
from harness.fairlead import Fairlead, vip
from harness.load import load_once
from harness.netns import SERVERS, VIP4, VIP6, server_address
from harness.peers import (Peer, digest_at_end, echo, read_all, reset, reset_after_hello, who,
                           who_and_hold)
from harness.servers import PROXY_PORT
from harness.wait import wait_until

MEGABYTE = 1 << 20


class RelayTest(LabCase):
    servers = ("srv1",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lab = cls.lab
        Peer(lab, "srv1", 515, digest_at_end)
        Peer(lab, "srv1", 7, echo)
        Peer(lab, "srv1", 7001, reset_after_hello)
        for name in SERVERS:
            Peer(lab, name, 7002, who)
            Peer(lab, name, 7003, who_and_hold)
        cls.fairlead = Fairlead(lab)

    def serve(self, *objects):
        """Replaces the configuration."""
        self.fairlead.apply("main.yaml", *objects)
        for item in objects:
            if item["spec"]["healthCheck"].get("type") == "None":
                self.fairlead.wait_health(servers=(), vip_name=item["metadata"]["name"])

    def unchecked(self, name, ports, servers=("srv1",), **spec):
        return vip(name, ports=str(ports), servers=servers, check={"type": "None"}, **spec)

    def ask(self, address, port, timeout=10):
        """What a server says that ends by itself."""
        with self.lab.client.connect(address, port, timeout) as made:
            return read_all(made).decode()

    # Ends of streams.

    def test_half_close_lets_the_answer_through(self):
        self.serve(self.unchecked("lpd", 515))
        for address in (VIP4, VIP6):
            for size in (0, 1, 100_000, 8 * MEGABYTE):
                content = random.randbytes(size)
                with self.lab.client.connect(address, 515, 30) as made:
                    made.sendall(content)
                    made.shutdown(socket.SHUT_WR)
                    answer = read_all(made).decode()
                self.assertEqual(answer, f"{size} {hashlib.sha256(content).hexdigest()}\n")

    def test_netcat_in_the_manner_of_lpd(self):
        self.serve(self.unchecked("lpd", 515))
        content = os.urandom(MEGABYTE)
        done = self.lab.client.popen(["nc", "-N", VIP4, "515"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)
        answer, _ = done.communicate(content, timeout=30)
        self.assertEqual(answer.decode().split()[1], hashlib.sha256(content).hexdigest())

    def test_both_directions_at_once_keep_their_bytes(self):
        self.serve(self.unchecked("echo", 7))
        content = os.urandom(24 * MEGABYTE)

        def one(address, results):
            with self.lab.client.connect(address, 7, 60) as made:
                def send():
                    made.sendall(content)
                    made.shutdown(socket.SHUT_WR)
                sender = threading.Thread(target=send)
                sender.start()
                digest, size = hashlib.sha256(), 0
                while chunk := made.recv(1 << 18):
                    digest.update(chunk)
                    size += len(chunk)
                sender.join()
                results.append((size, digest.digest()))

        results = []
        threads = [threading.Thread(target=one, args=(address, results))
                   for address in (VIP4, VIP6, VIP4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
        self.assertEqual(results, [(len(content), hashlib.sha256(content).digest())] * 3)

    def test_small_messages_are_not_held_back(self):
        self.serve(self.unchecked("echo", 7))
        with self.lab.client.connect(VIP4, 7) as made:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            begin = time.monotonic()
            for number in range(200):
                message = random.randbytes(1 + number)
                made.sendall(message[:1])
                made.sendall(message[1:])
                got = b""
                while len(got) < len(message):
                    got += made.recv(4096)
                self.assertEqual(got, message)
            seconds = time.monotonic() - begin
        self.figure(f"200 exchanges in two pieces: {seconds * 1000:.0f} ms")
        # Nagle's algorithm against delayed acknowledgements would cost 40 ms each: 8 s.
        self.assertLess(seconds, 4)

    def test_a_server_that_speaks_first_is_heard_at_once(self):
        self.serve(self.unchecked("greeting", 7002))
        begin = time.monotonic()
        for i in range(40):
            self.assertTrue(self.ask((VIP4, VIP6)[i % 2], 7002).startswith("srv1"))
        seconds = time.monotonic() - begin
        # A delayed ACK of the handshake costs 200 ms each.
        self.assertLess(seconds, 40 * 0.1)
        self.figure(f"40 greetings, one after the other: {seconds * 1e3:.0f} ms")

    def test_a_reset_of_the_server_is_a_reset_for_the_client(self):
        self.serve(self.unchecked("reset", 7001))
        made = self.lab.client.connect(VIP4, 7001)
        self.assertEqual(made.recv(100), b"hello\n")
        made.sendall(b"x")
        with self.assertRaises(ConnectionResetError):
            made.recv(100)
        wait_until(lambda: self.fairlead.metric("fairlead_server_resets_total", vip="reset") == 1, 5,
                   "it is counted")

    def test_a_reset_of_the_client_reaches_the_server(self):
        peer = Peer(self.lab, "srv1", 7004, lambda peer, made, address: read_all(made))
        self.serve(self.unchecked("reset", 7004))
        made = self.lab.client.connect(VIP4, 7004)
        made.sendall(b"half a job")
        wait_until(lambda: peer.accepted == 1, 5, "the server accepted")
        reset(made)
        wait_until(lambda: any(isinstance(e, ConnectionResetError) for e in peer.errors), 5,
                   "the server sees the reset, so that it does not take half a job for a whole one")
        wait_until(lambda: self.fairlead.metric("fairlead_vip_client_resets_total", vip="reset")
                   == 1, 5, "it is counted")

    def test_an_idle_connection_ends_at_its_time(self):
        self.serve(self.unchecked("hold", 7003, timeouts={"idleSeconds": 1}))
        made = self.lab.client.connect(VIP4, 7003)
        made.recv(100)
        begin = time.monotonic()
        with self.assertRaises(ConnectionResetError):
            made.recv(100)
        self.assertGreater(time.monotonic() - begin, 0.8)
        self.assertEqual(self.fairlead.metric("fairlead_server_idle_timeouts_total", vip="hold"), 1)

    # Addresses and ports.

    def test_ports_are_translated(self):
        self.serve(self.unchecked("web", "8080", [{"name": "srv1", "port": 80}]))
        for address in (VIP4, VIP6):
            self.assert_no_failures(load_once(self.lab, [(address, 8080, 80)], count=20))

    def test_a_v6_vip_before_v4_servers_and_the_other_way_round(self):
        self.serve(self.unchecked("six-to-four", "80", addresses=[VIP6]),
                   self.unchecked("four-to-six", "80", addresses=[VIP4], servers=[
                       {"name": "srv1", "address": server_address("srv1", 6)}]))
        for address in (VIP4, VIP6):
            self.assert_no_failures(load_once(self.lab, [(address, 80)], count=20))

    def test_the_source_address_can_be_chosen(self):
        self.lab.add_address("10.2.0.77", device="back")
        self.serve(self.unchecked("auto", 7002))
        self.assertEqual(self.ask(VIP4, 7002).split()[1], "10.2.0.1")
        self.serve(self.unchecked("auto", 7002, source={"type": "Address", "address": "10.2.0.77"}))
        self.assertEqual(self.ask(VIP4, 7002).split()[1], "10.2.0.77")
        self.serve(self.unchecked("auto", 7002, addresses=[VIP4], source={"type": "VIP"}))
        self.assertEqual(self.ask(VIP4, 7002).split()[1], VIP4)
        # An address that this host does not have: refused with a reason, not with silence.
        self.serve(self.unchecked("auto", 7002, source={"type": "Address", "address": "10.2.0.78"}))
        with self.assertRaises(ConnectionResetError):
            self.ask(VIP4, 7002)
        self.assertGreater(self.fairlead.metric("fairlead_vip_rejections_total",
                                                reason="no_source_port"), 0)

    def test_proxy_protocol_reaches_nginx(self):
        for version in ("ProxyProtocolV1", "ProxyProtocolV2"):
            self.serve(self.unchecked("web", "8080", [{"name": "srv1", "port": PROXY_PORT}],
                                      clientAddress=version))
            for address, client in ((VIP4, "10.1.0.2"), (VIP6, "fd01::2")):
                with self.lab.client.connect(address, 8080) as made:
                    port = made.getsockname()[1]
                    made.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    body = read_all(made).decode().rsplit("\r\n", 1)[1]
                self.assertEqual(body, f"{client} {port} {address} 8080\n", version)

    def test_transparent_shows_the_client_to_the_server(self):
        # The way back leads through the balancer: what the servers send is delivered locally.
        for family, default in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
            self.lab.balancer.run("ip", family, "rule", "add", "iif", "back", "lookup", "100")
            self.lab.balancer.run("ip", family, "route", "add", "local", default, "dev", "lo",
                                  "table", "100")
        self.lab.balancer.sysctl("net.ipv4.ip_forward", 1)
        self.serve(
            self.unchecked("four", 7002, addresses=[VIP4], clientAddress="Transparent"),
            self.unchecked("six", 7002, addresses=[VIP6], clientAddress="Transparent", servers=[
                {"name": "srv1", "address": server_address("srv1", 6)}]))
        try:
            self.assertEqual(self.ask(VIP4, 7002).split()[1], "10.1.0.2")
            self.assertEqual(self.ask(VIP6, 7002).split()[1], "fd01::2")
        finally:
            for family in ("-4", "-6"):
                self.lab.balancer.run("ip", family, "rule", "del", "iif", "back", "lookup", "100")
            self.lab.balancer.sysctl("net.ipv4.ip_forward", 0)

    def test_transparent_without_a_way_back_is_told(self):
        # The servers' replies come here (their default route), and nothing takes them in.
        self.serve(vip("four", ports="7002", servers=("srv1",), addresses=[VIP4],
                       clientAddress="Transparent", timeouts={"connectSeconds": 0.5}))
        self.fairlead.wait_health(servers=["srv1"], vip_name="four")

        def problem():
            with contextlib.suppress(OSError):
                self.ask(VIP4, 7002)
            return self.fairlead.vip_status("four")["problem"]
        self.assertIn("route to the clients through this host",
                      wait_until(problem, 10, "it is told"))
        self.assertIn("replies do not come back to this host", self.fairlead.log())

    def test_a_vip_whose_address_comes_later(self):
        late = "10.1.0.150"
        self.serve(self.unchecked("late", 7002, addresses=[late]))
        entry = self.fairlead.vip_status("late")
        self.assertEqual(entry["addresses"], [{"address": late, "interface": "", "onHost": False}])
        self.assertIn(f"{late} is on no interface", self.fairlead.cli("status", "--output",
                                                                      "table")[1])
        self.lab.add_address(late)
        wait_until(lambda: self.ask(late, 7002).startswith("srv1"), 5, "it serves at once")
        wait_until(lambda: self.fairlead.vip_status("late")["addresses"][0]["onHost"], 15,
                   "the status has noticed")
        self.assertEqual(self.fairlead.vip_status("late")["addresses"][0]["interface"], "front")
        self.lab.remove_address(late)

    def test_a_refused_connect_goes_on_to_the_next_server(self):
        # srv2 has nothing on port 80 and no health check: each client that gets it is retried.
        self.serve(self.unchecked("web", 80, ("srv1", "srv2"), scheduler="WeightedRoundRobin"))
        report = load_once(self.lab, [(VIP4, 80)], rate=300, count=200)
        self.assert_no_failures(report)
        self.assertEqual(list(report.by_server), ["srv1"])
        self.assertGreater(self.fairlead.vip_status()["retriesTotal"], 50)

    # Nobody left, and limits.

    def nobody(self, **spec):
        return vip("nobody", ports="7002", servers=[], check={"type": "None"}, **spec)

    def test_fallback_reset(self):
        self.serve(self.nobody())
        for address in (VIP4, VIP6):
            with self.assertRaises(ConnectionRefusedError):
                self.lab.client.connect(address, 7002)

    def test_fallback_drop(self):
        self.serve(self.nobody(fallback={"action": "Drop"}))
        with self.assertRaises(TimeoutError):
            self.lab.client.connect(VIP4, 7002, timeout=1.5)
        # A server comes: the port opens for clients.
        self.serve(self.unchecked("nobody", 7002, fallback={"action": "Drop"}))
        self.assertTrue(self.ask(VIP4, 7002).startswith("srv1 "))
        self.serve(self.nobody(fallback={"action": "Drop"}))
        with self.assertRaises(TimeoutError):
            self.lab.client.connect(VIP4, 7002, timeout=1.5)

    def test_fallback_server(self):
        self.serve(self.nobody(fallback={"action": "Server", "address": server_address("srv3"),
                                         "port": 7002}))
        self.assertTrue(self.ask(VIP4, 7002).startswith("srv3 "))
        self.assertEqual(self.fairlead.vip_status("nobody")["fallbackTotal"], 1)
        self.serve(self.unchecked("nobody", 7002, fallback={
            "action": "Server", "address": server_address("srv3"), "port": 7002}))
        self.assertTrue(self.ask(VIP4, 7002).startswith("srv1 "))

    def test_a_full_server_lets_clients_queue(self):
        self.serve(self.unchecked("hold", 7003, [{"name": "srv1", "maxConnections": 2}],
                                  timeouts={"connectSeconds": 0.5}))
        first = [self.lab.client.connect(VIP4, 7003) for _ in range(2)]
        for made in first:
            self.assertTrue(made.recv(100).startswith(b"srv1"))
        waiting = [self.lab.client.connect(VIP4, 7003) for _ in range(3)]
        wait_until(lambda: self.fairlead.vip_status("hold")["queue"] == 3, 5, "three wait")
        self.assertEqual(self.fairlead.server_status("srv1", "hold")["connections"], 2)
        first[0].close()
        self.assertTrue(waiting[0].recv(100).startswith(b"srv1"), "first come, first served")
        # Connect time-out x 5 later the others are refused.
        for made in waiting[1:]:
            with self.assertRaises(ConnectionResetError):
                made.recv(100)
        self.assertEqual(self.fairlead.metric("fairlead_vip_rejections_total", vip="hold",
                                              reason="queue_timeout"), 2)
        self.assertEqual(self.fairlead.vip_status("hold")["queue"], 0)

    def test_nobody_in_the_queue_is_forgotten(self):
        # Two shards, one connection at a time: each end must wake whoever waits, wherever.
        self.serve(self.unchecked("one", 7002, [{"name": "srv1", "maxConnections": 1}]))
        waits = []

        def ask_again_and_again():
            for _ in range(50):
                begin = time.monotonic()
                self.assertTrue(self.ask(VIP4, 7002).startswith("srv1"))
                waits.append(time.monotonic() - begin)

        threads = [threading.Thread(target=ask_again_and_again) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(waits), 400)
        # Forgotten clients would wait until another one ends, or 10 s.
        self.assertLess(max(waits), 3)
        self.figure(f"400 connections, one at a time: the longest took {max(waits):.2f} s")

    def test_who_waits_is_told_when_no_server_is_left(self):
        self.serve(self.unchecked("hold", 7003, [{"name": "srv1", "maxConnections": 1}]))
        held = self.lab.client.connect(VIP4, 7003)
        self.assertTrue(held.recv(100))
        waiting = [self.lab.client.connect(VIP4, 7003) for _ in range(5)]
        wait_until(lambda: self.fairlead.vip_status("hold")["queue"] == 5, 5, "five wait")
        begin = time.monotonic()
        self.serve(self.unchecked("hold", 7003, [
            {"name": "srv1", "maxConnections": 1, "state": "Drain"}]))
        for made in waiting:
            with self.assertRaises(ConnectionResetError):
                made.recv(100)
        self.assertLess(time.monotonic() - begin, 3)
        self.assertEqual(self.fairlead.vip_status("hold")["queue"], 0)
        held.settimeout(0.3)
        with self.assertRaises(TimeoutError):  # what runs goes on
            held.recv(100)

    def test_a_raised_limit_serves_the_queue(self):
        self.serve(self.unchecked("hold", 7003, [{"name": "srv1", "maxConnections": 1}]))
        held = self.lab.client.connect(VIP4, 7003)
        held.recv(100)
        waiting = self.lab.client.connect(VIP4, 7003)
        wait_until(lambda: self.fairlead.vip_status("hold")["queue"] == 1, 5, "one waits")
        self.serve(self.unchecked("hold", 7003, [{"name": "srv1", "maxConnections": 2}]))
        self.assertTrue(waiting.recv(100).startswith(b"srv1"))

    def test_the_soft_limit_rises_with_the_load_of_the_vip(self):
        # max(2, 10 x connections / 20): 2 at low load, 10 at full load; who waits is load, too.
        self.serve(self.unchecked("hold", 7003, [
            {"name": "srv1", "minConnections": 2, "maxConnections": 10}], maxConnections=20,
                                  timeouts={"connectSeconds": 5}))
        held = []
        for clients, served in ((2, 2), (4, 2), (8, 4), (16, 8), (20, 10)):
            while len(held) < clients:
                held.append(self.lab.client.connect(VIP4, 7003))
            wait_until(lambda: (self.fairlead.server_status("srv1", "hold")["connections"],
                                self.fairlead.vip_status("hold")["queue"])
                       == (served, clients - served), 5,
                       lambda: f"{served} of {clients} are served: "
                       f"{self.fairlead.server_status('srv1', 'hold')['connections']}")
        # Nobody overtook, on whichever shard: the first ten have their greeting, the others come
        # in their order.
        for made in held:
            self.assertTrue(made.recv(100).startswith(b"srv1"))
            made.close()
        wait_until(lambda: self.fairlead.vip_status("hold")["connections"] == 0, 5, "all are gone")

    def test_the_limit_of_a_vip(self):
        self.serve(self.unchecked("hold", 7003, SERVERS, maxConnections=4))
        held = [self.lab.client.connect(VIP4, 7003) for _ in range(4)]
        for made in held:
            made.recv(100)
        with self.assertRaises(ConnectionResetError):
            self.lab.client.connect(VIP4, 7003).recv(100)
        self.assertEqual(self.fairlead.metric("fairlead_vip_rejections_total", vip="hold",
                                              reason="vip_limit"), 1)
        held.pop().close()
        wait_until(lambda: self.fairlead.vip_status("hold")["connections"] == 3, 5, "one left")
        self.assertTrue(self.lab.client.connect(VIP4, 7003).recv(100).startswith(b"srv"))

    def test_a_disabled_vip_closes_its_ports(self):
        self.serve(self.unchecked("hold", 7003))
        held = self.lab.client.connect(VIP4, 7003)
        held.recv(100)
        self.serve(self.unchecked("hold", 7003, state="Disabled"))
        with self.assertRaises(ConnectionRefusedError):
            self.lab.client.connect(VIP4, 7003)
        held.settimeout(0.5)
        with self.assertRaises(TimeoutError):  # what runs goes on
            held.recv(100)
        self.serve(self.unchecked("hold", 7003))
        self.assertTrue(self.lab.client.connect(VIP4, 7003).recv(100).startswith(b"srv1"))
