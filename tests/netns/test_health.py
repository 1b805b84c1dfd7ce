"""Health checks against real servers, and what the balancer makes of them."""


from harness.case import LabCase
from harness.fairlead import Fairlead, vip
from harness.load import load_once
from harness.netns import SERVERS, VIP4, VIP6, command
from harness.peers import Peer, read_all, who
from harness.servers import TLS_PORT
from harness.wait import wait_until

FAST = {"intervalSeconds": 0.2, "timeoutSeconds": 0.5, "unhealthyThreshold": 2,
        "healthyThreshold": 1}


def banner(text):
    def handle(peer, connection, address):
        connection.sendall(text)
        read_all(connection)
    return handle


def answer(text):
    """Answers each request with a text, and remembers the requests."""
    def handle(peer, connection, address):
        request = connection.recv(4096)
        peer.requests = getattr(peer, "requests", []) + [request]
        connection.sendall(text)
    return handle


class HealthTest(LabCase):
    def setUp(self):
        super().setUp()
        self.fairlead = Fairlead(self.lab, arguments=["--shutdown-grace", "1"])
        self.addCleanup(self.fairlead.stop)
        self.peers = []
        self.addCleanup(lambda: [peer.stop() for peer in self.peers])

    def peer(self, name, port, handle):
        self.peers.append(Peer(self.lab, name, port, handle))
        return self.peers[-1]

    def check(self, ports, servers, **check):
        self.fairlead.apply("main.yaml", vip(ports=str(ports), servers=servers,
                                             check={**FAST, **check}))

    def reason(self, name):
        return self.fairlead.server_status(name)["health"]["reason"]

    def test_send_and_expect(self):
        self.peer("srv1", 7301, banner(b"SSH-2.0-OpenSSH\r\n"))
        self.peer("srv2", 7301, banner(b"220 mail\r\n"))
        self.check(7301, SERVERS, type="SendExpect", sendExpect={"expect": "SSH-2.0"})
        self.fairlead.wait_health("Up", ["srv1"])
        self.fairlead.wait_health("Down", ["srv2", "srv3"])
        self.assertIn("220 mail", self.reason("srv2"))
        self.assertIn("refused", self.reason("srv3"))
        self.figure(f"{self.reason('srv2')} | {self.reason('srv3')}")

    def test_http_is_1_1_with_a_host(self):
        good = self.peer("srv1", 7302, answer(b"HTTP/1.1 204 No Content\r\n\r\n"))
        self.peer("srv2", 7302, answer(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
        self.peer("srv3", 7302, answer(b"nonsense\r\n\r\n"))
        self.check(7302, SERVERS, type="HTTP", http={"path": "/healthz?x=1", "host": "print.test"})
        self.fairlead.wait_health("Up", ["srv1"])
        self.fairlead.wait_health("Down", ["srv2", "srv3"])
        self.assertTrue(good.requests[0].startswith(b"GET /healthz?x=1 HTTP/1.1\r\n"),
                        good.requests[0])
        self.assertIn(b"\r\nHost: print.test\r\n", good.requests[0])
        self.assertIn("400", self.reason("srv2"))
        self.figure(f"{self.reason('srv2')} | {self.reason('srv3')}")

    def test_https(self):
        self.check(TLS_PORT, ("srv1",), type="HTTPS", http={"path": "/who"})
        self.fairlead.wait_health("Up", ["srv1"])
        self.check("80", ("srv1",), type="HTTPS", http={"path": "/who"}, timeoutSeconds=1)
        self.fairlead.wait_health("Down", ["srv1"])
        self.figure(f"TLS to a plain port: {self.reason('srv1')}")

    def test_icmp(self):
        self.check("80", SERVERS, type="ICMP")
        self.fairlead.wait_health("Up")
        command("ip", "-n", self.lab.balancer.name, "link", "set", "srv2", "down")
        try:
            self.fairlead.wait_health("Down", ["srv2"])
            self.figure(self.reason("srv2"))
        finally:
            command("ip", "-n", self.lab.balancer.name, "link", "set", "srv2", "up")
        self.fairlead.wait_health("Up")

    def test_a_half_open_check_is_no_connection_for_the_server(self):
        full = self.peer("srv1", 7303, who)
        half = self.peer("srv1", 7304, who)
        self.fairlead.apply(
            "main.yaml",
            vip("full", ports="7303", servers=["srv1"], check={**FAST, "type": "TCP"}),
            vip("half", ports="7304", servers=["srv1"],
                check={**FAST, "type": "TCP", "halfOpen": True}))
        for name in ("full", "half"):
            self.fairlead.wait_health("Up", ["srv1"], name)
        wait_until(lambda: all(self.fairlead.server_status("srv1", name)["health"]["probes"] >= 5
                               for name in ("full", "half")), 10, "5 probes each")
        self.assertGreaterEqual(full.accepted, 4)
        self.assertEqual(half.accepted, 0)
        self.figure(f"{full.accepted} connections accepted from full checks, {half.accepted} from "
                    "half-open ones")
        half.stop()
        self.fairlead.wait_health("Down", ["srv1"], "half")

    def test_each_port_on_its_own(self):
        peers = {(name, port): self.peer(name, port, who)
                 for name in ("srv1", "srv2") for port in (7305, 7306)}
        self.check("7305-7306", ("srv1", "srv2"), port="Each")
        self.fairlead.wait_health("Up", ["srv1", "srv2"])
        peers["srv1", 7306].stop()
        wait_until(lambda: self.fairlead.server_status("srv1")["health"].get("portsDown") == "7306",
                   10, "port 7306 of srv1 is down")
        seen = {7305: set(), 7306: set()}
        for port, servers in seen.items():
            for _ in range(10):
                with self.lab.client.connect(VIP4, port) as made:
                    servers.add(read_all(made).split()[0].decode())
        self.assertEqual(seen, {7305: {"srv1", "srv2"}, 7306: {"srv2"}})
        peers["srv2", 7306].stop()

        def refused():
            try:
                self.lab.client.connect(VIP4, 7306).close()
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:  # a server was still tried
                return False
            return False
        wait_until(refused, 10, "nobody listens on 7306 any more")
        with self.lab.client.connect(VIP4, 7305) as made:
            self.assertTrue(read_all(made).startswith(b"srv"))

    def test_all_servers_down_and_one_comes_back(self):
        self.check("7307", SERVERS)
        self.fairlead.wait_health("Down")
        for address in (VIP4, VIP6):
            with self.assertRaises(ConnectionRefusedError):
                self.lab.client.connect(address, 7307)
        self.assertIn("no real server", self.fairlead.cli("status", "--output", "table")[1].lower())
        self.peer("srv2", 7307, who)
        self.fairlead.wait_health("Up", ["srv2"])
        with self.lab.client.connect(VIP4, 7307) as made:
            self.assertTrue(read_all(made).startswith(b"srv2"))

    def test_slow_start_grows_with_time(self):
        self.fairlead.apply("main.yaml", vip(
            ports="80", servers=("srv1", "srv2"), check=FAST, slowStartSeconds=6,
            scheduler="WeightedRoundRobin"))
        self.fairlead.wait_health("Up", ["srv1", "srv2"])
        # Never at process start.
        report = load_once(self.lab, [(VIP4, 80)], rate=400, count=200)
        self.assertAlmostEqual(report.share("srv2"), 0.5, delta=0.03)
        self.nginx["srv2"].crash()
        self.fairlead.wait_health("Down", ["srv2"])
        self.nginx["srv2"].start()
        self.fairlead.wait_health("Up", ["srv2"])
        early = load_once(self.lab, [(VIP4, 80)], rate=300, seconds=1)
        weight = self.fairlead.server_status("srv2")["weightEffective"]
        self.assertLess(weight, 70)
        wait_until(lambda: self.fairlead.server_status("srv2")["weightEffective"] == 100, 15,
                   "the full weight")
        late = load_once(self.lab, [(VIP4, 80)], rate=400, count=400)
        self.assert_no_failures(early)
        self.assertLess(early.share("srv2"), 0.35)
        self.assertAlmostEqual(late.share("srv2"), 0.5, delta=0.03)
        self.figure(f"share of the server that came back: {early.share('srv2'):.2f} in the first "
                    f"second, {late.share('srv2'):.2f} later")
