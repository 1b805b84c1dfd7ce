"""A node whose configuration is in a real API server: real servers in network namespaces, traffic
through it, edits, outages, and what it tells of itself."""

import os
import sys
import time
import unittest

import yaml

from harness.client import MERGE_PATCH
from harness.manifests import PATHS, SOURCE, install_crds
from harness.node_lab import (ClusterFairlead, Load, NodeLab, Relay, load_once, reason_to_skip,
                              wait_until)
from harness.servers import CrdServer, install_open_crd

API = "lb.fairlead.dev/v1alpha1"
VIP = "10.1.0.100"
SERVERS = {f"paragon-srv-{n}": f"10.2.0.1{n}" for n in (1, 2, 3)}
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"


def dispatcher():
    """The objects of the example, at the addresses of the lab."""
    with open(os.path.join(SOURCE, "deploy", "demo", "dispatcher.yaml"), encoding="utf-8") as file:
        text = file.read().replace("10.10.10.150", VIP).replace("10.10.10.15", "10.2.0.1")
    return list(yaml.safe_load_all(text))


def vip(name, ports, **spec):
    return {"apiVersion": API, "kind": "VIP", "metadata": {"name": name},
            "spec": {"addresses": [VIP], "ports": ports, "healthCheck": {"intervalSeconds": 0.5},
                     **spec}}


@unittest.skipIf(reason_to_skip(), reason_to_skip())
class NodeTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.server = CrdServer()
        cls.addClassCleanup(cls.server.stop)
        cls.client = cls.server.client
        install_crds(cls.server)
        for group, plural, kind in (("discovery.k8s.io", "endpointslices", "EndpointSlice"),
                                    ("coordination.k8s.io", "leases", "Lease"),
                                    ("events.k8s.io", "events", "Event")):
            install_open_crd(cls.server, group, plural, kind)
        cls.lab = NodeLab()
        cls.addClassCleanup(cls.lab.close)
        cls.relay = Relay(cls.lab.balancer, cls.server.port)
        cls.addClassCleanup(cls.relay.refuse)

    def setUp(self):
        self.fairlead = ClusterFairlead(self.lab, self.server.kubeconfig)
        self.addCleanup(self.fairlead.stop)

    # The API server.

    def create(self, made):
        path = f"{PATHS[made['kind']]}"
        self.client.expect(201, "POST", f"{path}?fieldValidation=Strict", made)
        self.addCleanup(self.client.request, "DELETE", f"{path}/{made['metadata']['name']}")

    def patch(self, kind, name, spec):
        self.client.expect(200, "PATCH", f"{PATHS[kind]}/{name}", {"spec": spec}, MERGE_PATCH)

    def entry(self, name, node="n1"):
        """What the node says of a VIP; None when it says nothing."""
        status = self.client.expect(200, "GET", f"{PATHS['VIP']}/{name}").get("status", {})
        return next((made for made in status.get("nodes", []) if made["node"] == node), None)

    def wait_entry(self, name, seconds=20, **fields):
        def reached():
            made = self.entry(name) or {}
            return all(made.get(field) == value for field, value in fields.items())
        wait_until(reached, seconds, lambda: f"{fields} in {self.entry(name)}\n"
                                             f"{self.fairlead.log()[-3000:]}")
        return self.entry(name)

    def figure(self, text):
        print(f"    {self._testMethodName}: {text}", file=sys.stderr, flush=True)

    # The daemon.

    def start_dispatcher(self):
        for made in dispatcher():
            self.create(made)
        self.fairlead.wait_health(servers=SERVERS, vip_name="dispatcher")

    def shares(self, count=300):
        report = load_once(self.lab, [(VIP, port) for port in (80, 5014, 5021, 50001)],
                           rate=400, count=count)
        self.assertEqual(report.failed, 0, report.summary())
        return {server: report.share(server) for server in ("srv1", "srv2", "srv3")}

    def server_field(self, server, field, vip_name="dispatcher"):
        made = self.fairlead.server_status(server, vip_name)
        return made and made[field]

    # Tests.

    def test_the_dispatcher_example(self):
        self.start_dispatcher()
        shares = self.shares()
        self.figure(f"shares {shares}")
        for server, share in (("srv1", 0.4), ("srv2", 0.4), ("srv3", 0.2)):
            self.assertAlmostEqual(shares[server], share, delta=0.06)
        # The cluster-wide drain, and a weight.
        self.patch("RealServer", "paragon-srv-2", {"state": "Drain"})
        self.patch("RealServer", "paragon-srv-3", {"weight": 100})
        wait_until(lambda: self.server_field("paragon-srv-2", "state") == "Drain"
                   and self.server_field("paragon-srv-3", "weight") == 100, 10, "the edits")
        shares = self.shares()
        self.figure(f"shares {shares}")
        self.assertEqual(shares["srv2"], 0)
        self.assertAlmostEqual(shares["srv3"], 0.5, delta=0.06)
        made = self.wait_entry("dispatcher", reason="Applied", serversReady=2)
        self.assertEqual((made["programmed"], made["observedGeneration"], made["serversTotal"]),
                         (True, 1, 3))
        self.assertEqual(made["addresses"], [{"address": VIP, "interface": "front"}])
        [drained] = made["serversNotReady"]
        self.assertEqual((drained["name"], drained["state"], drained["health"]),
                         ("paragon-srv-2", "Drain", "Up"))
        self.assertIn(made["engine"], ("io_uring", "epoll"))

    def test_a_bad_version_leaves_the_last_good_one_and_says_why(self):
        self.start_dispatcher()
        self.wait_entry("dispatcher", reason="Applied", serversReady=3)
        # No admission can know it: another VIP has the port.
        self.create(vip("other", "80"))
        made = self.wait_entry("other", reason="Rejected", programmed=False)
        self.assertIn("belongs to VIP default/dispatcher already", made["message"])
        self.create(vip("third", "8080"))
        self.wait_entry("third", reason="Applied")
        self.patch("VIP", "third", {"ports": "8080,443"})
        made = self.wait_entry("third", reason="LastGoodVersion", programmed=False)
        self.assertEqual(made["observedGeneration"], 2)
        self.assertIn("port 443", made["message"])
        self.assertGreater(self.shares(60)["srv1"], 0)
        self.patch("VIP", "third", {"ports": "8080,8443"})
        self.wait_entry("third", reason="Applied", programmed=True, observedGeneration=3)

    def test_an_edit_is_in_force_at_once(self):
        self.start_dispatcher()
        taken = []
        for n in range(100):
            weight = 101 + n
            start = time.monotonic()
            self.patch("RealServer", "paragon-srv-1", {"weight": weight})
            wait_until(lambda: self.server_field("paragon-srv-1", "weight") == weight, 10,
                       f"weight {weight}", interval=0.002)
            taken.append((time.monotonic() - start) * 1000)
        taken.sort()
        self.figure(f"request to effect, 100 edits: p50 {taken[49]:.0f} ms, p99 {taken[98]:.0f} ms")
        self.assertLess(taken[98], 2000)

    def test_no_outage_of_the_api_server_is_felt(self):
        self.start_dispatcher()
        self.wait_entry("dispatcher", reason="Applied", serversReady=3)
        load = Load(self.lab, [(VIP, 80)], rate=100, long=20)

        def is_stale():
            return self.fairlead.metric("fairlead_config_source_stale") == 1

        self.relay.refuse()
        wait_until(is_stale, 20, "the outage is told")
        self.assertIn("the configuration is not followed", "\n".join(self.fairlead.status()["warnings"]))
        self.patch("RealServer", "paragon-srv-3", {"weight": 77})
        time.sleep(1)
        self.assertEqual(self.server_field("paragon-srv-3", "weight"), 50)
        self.relay.restore()
        wait_until(lambda: self.server_field("paragon-srv-3", "weight") == 77, 60, "the edit")
        wait_until(lambda: not is_stale(), 10, "the end of the outage is told")

        # Everything hangs.
        self.relay.stall()
        time.sleep(3)
        self.relay.restore()
        self.patch("RealServer", "paragon-srv-3", {"weight": 78})
        wait_until(lambda: self.server_field("paragon-srv-3", "weight") == 78, 60, "the edit")

        self.server.restart_server(seconds=2)
        # It is ready some time before it serves the types of CRDs.
        self.server.wait_until(
            lambda: self.client.request("GET", PATHS["RealServer"])[0] == 200, "serving RealServers")
        self.patch("RealServer", "paragon-srv-3", {"weight": 79})
        wait_until(lambda: self.server_field("paragon-srv-3", "weight") == 79, 90, "the edit")
        report = load.stop()
        self.figure(report.summary())
        self.assertEqual((report.failed, report.long_failed), (0, 0), report.failures[:5])
        self.assertGreater(report.ok, 100)

    def test_a_restart_without_the_api_server_serves_what_was_known(self):
        self.start_dispatcher()
        # Kept within seconds, and at the end.
        self.fairlead.stop()
        self.relay.refuse()
        self.addCleanup(self.relay.restore)
        start = time.monotonic()
        self.fairlead.start(ready=False)
        wait_until(lambda: self._try_shares() is not None, 30, "clients are served")
        self.figure(f"served {time.monotonic() - start:.1f} s after the start")
        self.assertIn("the configuration is not followed",
                      "\n".join(self.fairlead.status()["warnings"]))
        self.assertEqual(self.fairlead.metric("fairlead_config_source_stale"), 1)
        self.client.expect(200, "DELETE", f"{PATHS['RealServer']}/paragon-srv-3")
        self.relay.restore()
        wait_until(lambda: self.server_field("paragon-srv-3", "weight") is None, 60,
                   "what was deleted meanwhile goes")

    def _try_shares(self):
        try:
            return self.shares(20)
        except AssertionError:
            time.sleep(0.2)
            return None

    def test_endpoints_of_a_service(self):
        def endpoints(*states):
            return [{"addresses": [f"10.2.0.1{n}"], "conditions": conditions,
                     "targetRef": {"kind": "Pod", "name": f"pod-{n}"}}
                    for n, conditions in enumerate(states, 1)]
        made = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
                "addressType": "IPv4", "ports": [{"name": "lpr", "port": 5014}],
                "endpoints": endpoints({"ready": True}, {}, {"ready": False})}
        self.client.expect(201, "POST", SLICES, made)
        self.addCleanup(self.client.request, "DELETE", f"{SLICES}/web-1")
        self.create(vip("pods", "9000", realServers={"service": {"name": "web"}}))
        self.fairlead.wait_health(servers=("pod-1", "pod-2"), vip_name="pods")
        report = load_once(self.lab, [(VIP, 9000, 5014)], rate=200, count=100)
        self.assertEqual(report.failed, 0, report.summary())
        self.assertEqual(sorted(report.by_server), ["srv1", "srv2"])
        # pod-1 terminates, pod-3 has become ready.
        self.client.expect(200, "PATCH", f"{SLICES}/web-1", {"endpoints": endpoints(
            {"ready": False, "serving": True, "terminating": True}, {"ready": True},
            {"ready": True})}, MERGE_PATCH)
        self.fairlead.wait_health(servers=("pod-3",), vip_name="pods")
        wait_until(lambda: self.server_field("pod-1", "state", "pods") == "Drain", 10, "the drain")
        report = load_once(self.lab, [(VIP, 9000, 5014)], rate=200, count=100)
        self.assertEqual(report.failed, 0, report.summary())
        self.assertEqual(sorted(report.by_server), ["srv2", "srv3"])

    def test_what_a_node_tells_of_itself(self):
        self.start_dispatcher()
        self.wait_entry("dispatcher", reason="Applied", serversReady=3)
        lease = self.client.expect(200, "GET", f"{LEASES}/fairlead-node-n1")
        self.assertEqual(lease["metadata"]["labels"], {"lb.fairlead.dev/role": "node"})
        self.assertEqual(lease["spec"]["leaseDurationSeconds"], 40)
        # Somebody removes the entry: it comes back.
        self.client.expect(200, "PATCH", f"{PATHS['VIP']}/dispatcher/status",
                           {"status": {"nodes": []}}, MERGE_PATCH)
        self.wait_entry("dispatcher", seconds=30, reason="Applied")
        # A server fails: the entry and an event say so.
        self.lab.nginx["srv3"].crash()
        self.addCleanup(self.lab.nginx["srv3"].start)
        made = self.wait_entry("dispatcher", serversReady=2)
        self.assertIn("refused", made["serversNotReady"][0]["reason"])

        def news():
            return [event for event in self.client.expect(200, "GET", EVENTS)["items"]
                    if event["reason"] == "RealServerIsDown"]
        wait_until(news, 10, "an event")
        event = news()[0]
        self.assertEqual((event["type"], event["regarding"]["name"], event["related"]["name"]),
                         ("Warning", "dispatcher", "paragon-srv-3"))
        # A process that takes over goes on with the entry.
        self.fairlead.start(takeover=True)
        old = self.fairlead.processes[0]
        self.assertEqual(old.wait(30), 0)
        self.wait_entry("dispatcher", reason="Applied", serversReady=2)
        # One that ends takes it away, and says that the node is gone.
        self.fairlead.stop()
        self.assertIsNone(self.entry("dispatcher"))
        self.assertEqual(self.client.request("GET", f"{LEASES}/fairlead-node-n1")[0], 404)

    def test_modes_of_other_daemons_are_left_to_them(self):
        self.fairlead.stop()
        self.fairlead.arguments += ["--vip-modes", "DR,Auto"]
        self.fairlead.start()
        self.create(vip("web", "8081"))
        wait_until(lambda: self.fairlead.vip_status("web"), 10, "the VIP is mentioned")
        status = self.fairlead.vip_status("web")
        self.assertTrue(status["elsewhere"])
        self.assertIn("leave mode SNAT to others", status["problem"])
        time.sleep(2)
        self.assertIsNone(self.entry("web"))
        with self.assertRaises(OSError):
            self.lab.client.connect(VIP, 8081, timeout=2)


if __name__ == "__main__":
    unittest.main()
