"""Mode DR: a real server is used only if it serves the VIP itself, which is asked of its MAC."""

import time

from harness.case import LabCase
from harness.direct import VIP4, VIP6, DirectFairlead, DirectLab
from harness.fairlead import vip
from harness.load import load_once
from harness.netns import server_address
from harness.servers import Nginx
from harness.wait import wait_until

SERVERS = ("srv1", "srv2", "srv3")
OTHER4 = "10.2.0.101"


def server6(name):
    return {"name": name, "address": server_address(name, 6)}


class PathTest(LabCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = DirectLab()
        cls.addClassCleanup(cls.lab.close)
        cls.nginx = {name: Nginx(cls.lab, name, ports=(80,)) for name in SERVERS}

    def serve(self, servers=SERVERS, addresses=(VIP4,), wait=True, wrapper=(), **spec):
        self.fairlead = DirectFairlead(
            self.lab, [vip("web", addresses=addresses, servers=servers, mode="DR", **spec)],
            wrapper=wrapper)
        self.addCleanup(self.end)
        problem = self.fairlead.vip_status()["problem"]
        if "load the BPF program" in problem:
            self.skipTest(f"THIS HOST REFUSES BPF: {problem}")
        if wait:
            self.wait_states({self.name_of(server): "Up" for server in servers})

    def name_of(self, server):
        return server if isinstance(server, str) else server["name"]

    def end(self):
        self.fairlead.remove("main.yaml")
        wait_until(lambda: self.fairlead.pinned() == [], 5, "nothing is pinned any more")
        self.fairlead.stop()

    def states(self):
        return {s["name"]: s["health"]["state"] for s in self.fairlead.vip_status()["servers"]}

    def wait_states(self, wanted, seconds=15):
        wait_until(lambda: self.states() == wanted, seconds,
                   lambda: f"{wanted}: {self.fairlead.vip_status()['servers']}")

    def assert_says(self, name, *texts):
        """The verdict by status in all its forms, metrics and the event log."""
        server = self.fairlead.server_status(name)
        for text in texts:
            self.assertIn(text, server["health"]["reason"])
            self.assertIn(text, server["directPath"]["reason"])
        self.assertEqual(server["directPath"]["state"], "Down")
        for form in ("table", "wide"):
            _, table = self.fairlead.cli("status", "--output", form)
            row = next(line for line in table.splitlines() if f" {name} " in line)
            self.assertIn("DOWN", row)
            self.assertIn(texts[0], row)
        metrics = self.fairlead.get("/metrics")[1]
        self.assertIn(f'fairlead_server_direct_path_up{{namespace="default",vip="web",'
                      f'server="{name}"}} 0\n', metrics)
        events = [e for e in self.fairlead.status()["events"]
                  if e["message"] == "real server is down" and e["object"] == f"default/web {name}"]
        self.assertIn(texts[0], events[-1]["reason"])

    def without_vip(self, name, address=VIP4):
        self.lab.remove_address(address, name, "lo")
        self.addCleanup(self.lab.add_address, address, name, "lo")

    def test_servers_that_serve_the_vip_are_up_and_the_rest_of_the_host_is_untouched(self):
        rules = self.lab.balancer.run("sh", "-c", "ip rule; ip -6 rule; ip route show table all;"
                                      " cat /proc/sys/net/ipv4/conf/*/accept_local")
        self.serve((*SERVERS, *(
            {**server6(name), "name": f"{name}-6"} for name in SERVERS)), addresses=(VIP4, VIP6))
        for server in self.fairlead.vip_status()["servers"]:
            self.assertEqual(server["directPath"]["state"], "Up")
            self.assertIn("through direct routing", server["health"]["reason"])
            self.assertEqual(server["directPath"]["mac"], self.lab[server["name"][:4]].run(
                "cat", "/sys/class/net/eth0/address").strip())
        self.assertEqual(rules, self.lab.balancer.run(
            "sh", "-c", "ip rule; ip -6 rule; ip route show table all;"
            " cat /proc/sys/net/ipv4/conf/*/accept_local"))
        # Native XDP passes the answers on: packet sockets see them behind the program.
        self.assertEqual(self.fairlead.status()["plane"]["xdpInterfaces"][0]["mode"], "native")

    def test_checks_complete_no_accept_and_leave_no_half_open_connection(self):
        self.serve(("srv1",), check={"halfOpen": True})
        listener = self.lab["srv1"].listen(7070)
        self.addCleanup(listener.close)
        self.fairlead.apply("main.yaml", vip(
            "web", addresses=(VIP4,), servers=("srv1",), mode="DR",
            check={"halfOpen": True, "port": 7070, "intervalSeconds": 0.1}))
        time.sleep(2)
        probes = self.fairlead.server_status("srv1")["directPath"]["probes"]
        self.assertGreater(probes, 10)
        listener.settimeout(0.1)
        with self.assertRaises(TimeoutError):
            listener.accept()
        wait_until(lambda: "SYN-RECV" not in self.lab["srv1"].run("ss", "-tan"), 2,
                   "no connection is half open")

    def test_a_server_without_the_vip_is_down(self):
        self.serve()
        self.without_vip("srv2")
        self.wait_states({"srv1": "Up", "srv2": "Down", "srv3": "Up"})
        self.assert_says("srv2", f"no answer from {VIP4}:80", "missing", "prepare-realserver")
        report = load_once(self.lab, [(VIP4, 80)], rate=200, count=100)
        self.assert_no_failures(report)
        self.assertEqual(set(report.by_server), {"srv1", "srv3"})
        self.lab.add_address(VIP4, "srv2", "lo")
        try:
            self.wait_states({"srv1": "Up", "srv2": "Up", "srv3": "Up"})
        finally:
            self.lab.remove_address(VIP4, "srv2", "lo")

    def test_a_server_without_the_ipv6_vip_is_down(self):
        self.serve([server6(name) for name in SERVERS], addresses=(VIP6,))
        self.without_vip("srv2", VIP6)
        self.wait_states({"srv1": "Up", "srv2": "Down", "srv3": "Up"})
        self.assert_says("srv2", f"no answer from [{VIP6}]:80", "missing")

    def test_a_server_that_lacks_one_of_several_vips_is_down(self):
        for name in ("balancer", *SERVERS):
            device = "eth0" if name == "balancer" else "lo"
            self.lab.add_address(OTHER4, name, device)
            self.addCleanup(self.lab.remove_address, OTHER4, name, device)
        self.serve(addresses=(VIP4, OTHER4))
        self.lab.remove_address(OTHER4, "srv3", "lo")
        try:
            self.wait_states({"srv1": "Up", "srv2": "Up", "srv3": "Down"})
            self.assert_says("srv3", f"no answer from {OTHER4}:80")
        finally:
            self.lab.add_address(OTHER4, "srv3", "lo")

    def refuse(self, family, vip_address, expected):
        """The service does not listen on the VIP, though it does on the server's own address."""
        self.nginx["srv1"].stop()
        self.addCleanup(self.nginx["srv1"].start)
        address = server_address("srv1", family)
        own = self.lab["srv1"].listen(80, address if family == 6 else f"::ffff:{address}")
        self.addCleanup(own.close)
        servers = [{"name": name, "address": server_address(name, family)}
                   for name in ("srv1", "srv2")]
        self.serve(servers, (vip_address,), wait=False)
        self.wait_states({"srv1": "Down", "srv2": "Up"})
        self.assert_says("srv1", f"does not serve {expected}:80: connect refused", "loopback")

    def test_a_service_that_does_not_listen_on_the_vip_is_down(self):
        self.refuse(4, VIP4, VIP4)

    def test_a_service_that_does_not_listen_on_the_ipv6_vip_is_down(self):
        self.refuse(6, VIP6, f"[{VIP6}]")

    def forwards(self, address, family):
        """srv2 has no VIP and routes what comes for it to srv3, which answers in its place."""
        srv3 = server_address("srv3", family)
        self.without_vip("srv2", address)
        forwarding = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}[family]
        self.lab["srv2"].sysctl(forwarding, 1)
        self.addCleanup(self.lab["srv2"].sysctl, forwarding, 0)
        self.lab["srv2"].run("ip", "route", "add", address, "via", srv3)
        self.addCleanup(self.lab["srv2"].run, "ip", "route", "del", address)

    def test_a_neighbours_answer_does_not_count(self):
        self.serve()
        self.forwards(VIP4, 4)
        self.wait_states({"srv1": "Up", "srv2": "Down", "srv3": "Up"})
        mac = self.lab["srv3"].run("cat", "/sys/class/net/eth0/address").strip()
        self.assert_says("srv2", f"is answered by MAC {mac}, which is srv3", "ip_forward")

    def test_a_neighbours_ipv6_answer_does_not_count(self):
        self.serve([server6(name) for name in SERVERS], addresses=(VIP6,))
        self.forwards(VIP6, 6)
        self.wait_states({"srv1": "Up", "srv2": "Down", "srv3": "Up"})
        mac = self.lab["srv3"].run("cat", "/sys/class/net/eth0/address").strip()
        self.assert_says("srv2", f"is answered by MAC {mac}, which is srv3")

    def test_icmp_checks_ask_the_vip_too(self):
        for addresses, servers in (((VIP4,), SERVERS),
                                   ((VIP6,), [server6(name) for name in SERVERS])):
            with self.subTest(addresses):
                self.serve(servers, addresses, check={"type": "ICMP"})
                self.assertIn("ICMP echo through direct routing",
                              self.fairlead.server_status("srv1")["directPath"]["reason"])
                self.lab.remove_address(addresses[0], "srv1", "lo")
                try:
                    self.wait_states({"srv1": "Down", "srv2": "Up", "srv3": "Up"})
                finally:
                    self.lab.add_address(addresses[0], "srv1", "lo")
                self.doCleanups()

    def test_type_none_is_not_checked(self):
        self.without_vip("srv1")
        self.serve(("srv1",), check={"type": "None"})
        self.assertIsNone(self.fairlead.server_status("srv1")["directPath"])

    def test_a_udp_vip_is_checked_by_tcp(self):
        self.serve(protocol="UDP", ports="5353", check={"port": 80})
        self.without_vip("srv1")
        self.wait_states({"srv1": "Down", "srv2": "Up", "srv3": "Up"})

    def test_a_new_mac_is_followed(self):
        self.serve(("srv1",))
        mac = self.lab["srv1"].run("cat", "/sys/class/net/eth0/address").strip()
        self.addCleanup(self.lab.balancer.run, "ip", "neigh", "flush", "dev", "eth0")
        self.addCleanup(self.lab["srv1"].run, "ip", "link", "set", "eth0", "address", mac)
        new = "02:00:00:00:12:34"
        self.lab["srv1"].run("ip", "link", "set", "eth0", "address", new)
        self.lab.balancer.run("ip", "neigh", "flush", "dev", "eth0")
        wait_until(lambda: self.fairlead.server_status("srv1")["directPath"]["mac"] == new, 10,
                   "the new MAC is known")
        self.wait_states({"srv1": "Up"})

    def test_a_vlan_is_asked_by_its_own_interface(self):
        vlan4 = "10.7.0.100"
        try:
            self.lab.balancer.run("ip", "link", "add", "link", "eth0", "name", "try.7", "type",
                                  "vlan", "id", "7")
        except RuntimeError as error:
            self.skipTest(f"THIS KERNEL HAS NO VLANS: {error}")
        self.lab.balancer.run("ip", "link", "del", "try.7")
        for name, address in (("balancer", "10.7.0.1"), ("srv1", "10.7.0.11")):
            self.lab[name].run("ip", "link", "add", "link", "eth0", "name", "eth0.7", "type",
                               "vlan", "id", "7")
            self.addCleanup(self.lab[name].run, "ip", "link", "del", "eth0.7")
            self.lab[name].run("ip", "address", "add", f"{address}/24", "dev", "eth0.7")
            self.lab[name].run("ip", "link", "set", "eth0.7", "up")
        self.lab.add_address(vlan4, "balancer", "eth0.7")
        self.lab.add_address(vlan4, "srv1", "lo")
        self.addCleanup(self.lab.remove_address, vlan4, "srv1", "lo")
        self.serve([{"name": "srv1", "address": "10.7.0.11"}], addresses=(vlan4,))
        self.lab.remove_address(vlan4, "srv1", "lo")
        try:
            self.wait_states({"srv1": "Down"})
        finally:
            self.lab.add_address(vlan4, "srv1", "lo")

    def test_without_the_capability_the_plain_check_alone_counts(self):
        self.without_vip("srv1")
        self.serve(("srv1",), wrapper=("setpriv", "--bounding-set=-net_raw",
                                       "--inh-caps=-net_raw"))
        server = self.fairlead.server_status("srv1")
        self.assertEqual(server["health"]["state"], "Up")
        self.assertIn("CAP_NET_RAW", server["health"]["reason"])
        self.assertEqual(server["directPath"]["state"], "Unknown")
        self.assertIn("direct routing to a real server cannot be checked", self.fairlead.log())
