"""`fairlead operator` at real API servers: leaders, addresses of pools, status, Services."""

import time
import unittest

from harness.client import MERGE_PATCH
from harness.manifests import CRDS, PATHS, crd_files, install_crds
from harness.operator import LEASES, Daemon, Operator
from harness.servers import CrdServer, KubeApiServer

SERVICES = "/api/v1/namespaces/default/services"
LEASE = LEASES.format("default") + "/fairlead-operator"


def vip(name, **spec):
    return {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "VIP", "metadata": {"name": name},
            "spec": {"ports": "80", **spec}}


def of_pool(name, pool="office", **spec):
    return vip(name, addressPoolRef={"name": pool}, **spec)


def pool(name, *ranges, **spec):
    return {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "AddressPool",
            "metadata": {"name": name}, "spec": {"ranges": list(ranges), **spec}}


class OperatorTest(unittest.TestCase):
    """A server for all tests of a class; objects and operators are each test's own."""

    FLAGS = ()

    def setUp(self):
        self._operators = []
        self.addCleanup(self._clean_up)

    def _clean_up(self):
        for operator in self._operators:
            operator.stop()
        for path in (PATHS["VIP"], PATHS["RealServer"], PATHS["AddressPool"],
                     LEASES.format("default")):
            self.client.request("DELETE", path)

    def start(self, identity, *flags):
        operator = Operator(self.server, identity, *self.FLAGS, *flags)
        self._operators.append(operator)
        return operator

    def start_leader(self, identity="one"):
        operator = self.start(identity)
        operator.wait_until(operator.leads, "leading")
        return operator

    def create(self, *objects):
        for made in objects:
            self.client.expect(201, "POST", PATHS[made["kind"]], made)

    def status(self, kind, name):
        return self.client.expect(200, "GET", f"{PATHS[kind]}/{name}").get("status", {})

    def condition(self, kind, name, condition):
        """"True Serving", with the message after it; "" when it is not there yet."""
        for found in self.status(kind, name).get("conditions", []):
            if found["type"] == condition:
                return f"{found['status']} {found['reason']}: {found['message']}"
        return ""

    def addresses(self, name):
        return [place["address"] for place in self.status("VIP", name).get("addresses", [])]

    def wait_for(self, expected, actual, seconds=30):
        """Until actual() begins with (of texts) or is the expected value."""
        found = None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = actual()
            if found == expected or (isinstance(found, str) and expected and
                                     found.startswith(expected)):
                return
            time.sleep(0.1)
        logs = "\n".join(operator.process.log_end() for operator in self._operators)
        self.fail(f"{found!r}, not {expected!r}\n{logs}")


class PoolAndStatusTests:
    """Both servers."""

    def test_vips_get_addresses_of_their_pool_and_a_new_leader_takes_them_over(self):
        first = self.start_leader("first")
        self.create(pool("office", "10.0.0.1-10.0.0.3"), of_pool("a"), of_pool("b"))
        self.wait_for(["10.0.0.1"], lambda: self.addresses("a"))
        self.wait_for(["10.0.0.2"], lambda: self.addresses("b"))
        self.assertEqual(self.status("VIP", "b")["addressPool"], "office")
        self.wait_for("2/3", lambda: self.status("AddressPool", "office").get("summary", ""))
        first.stop()
        self.client.expect(200, "DELETE", f"{PATHS['VIP']}/a")
        self.start_leader("second")
        self.create(of_pool("c"))
        self.wait_for(["10.0.0.1"], lambda: self.addresses("c"))
        self.assertEqual(self.addresses("b"), ["10.0.0.2"])

    def test_an_exhausted_pool_is_a_condition_until_an_address_is_free(self):
        self.start_leader()
        self.create(pool("office", "10.0.0.1"), of_pool("a"))
        self.wait_for(["10.0.0.1"], lambda: self.addresses("a"))
        self.create(of_pool("b"), of_pool("c", "elsewhere"))
        self.wait_for("False PoolExhausted: AddressPool office has no address left",
                      lambda: self.condition("VIP", "b", "ResolvedRefs"))
        self.wait_for("False PoolNotFound", lambda: self.condition("VIP", "c", "ResolvedRefs"))
        self.wait_for("False Exhausted", lambda: self.condition("AddressPool", "office", "Ready"))
        self.client.expect(200, "DELETE", f"{PATHS['VIP']}/a")
        self.wait_for(["10.0.0.1"], lambda: self.addresses("b"))

    def test_the_later_of_two_in_conflict_is_told(self):
        self.start_leader()
        self.create(vip("z", addresses=["10.0.0.1"]))
        time.sleep(1.1)  # creation is known to the second
        self.create(vip("a", addresses=["10.0.0.1"]), vip("b", addresses=["10.0.0.1"], ports="81"))
        self.wait_for("True Accepted", lambda: self.condition("VIP", "z", "Accepted"))
        self.wait_for("True Accepted", lambda: self.condition("VIP", "b", "Accepted"))
        self.wait_for("False Conflict: spec.ports: port 80/TCP of 10.0.0.1 belongs to VIP default/z",
                      lambda: self.condition("VIP", "a", "Accepted"))

    def test_what_admission_lets_through_is_told(self):
        self.start_leader()
        self.create(vip("web", addresses=["10.0.0.1"], ports="1-100,101-65535"))
        self.wait_for("False Invalid: spec.ports", lambda: self.condition("VIP", "web", "Accepted"))

    def test_the_status_is_joined_from_what_daemons_say(self):
        operator = self.start_leader()
        self.create(vip("web", addresses=["10.0.0.1"]),
                    {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "RealServer",
                     "metadata": {"name": "srv1", "labels": {"lb.fairlead.dev/vip": "web"}},
                     "spec": {"address": "10.0.1.1"}})
        self.wait_for("False NoDaemon", lambda: self.condition("VIP", "web", "Programmed"))
        daemon = Daemon(self.client, "n1")
        daemon.renew()
        daemon.report("web", addresses=[{"address": "10.0.0.1", "interface": "eth0"}])
        self.wait_for("True Serving", lambda: self.condition("VIP", "web", "Ready"))
        status = self.status("VIP", "web")
        self.assertEqual(status["addresses"],
                         [{"address": "10.0.0.1", "node": "n1", "interface": "eth0"}])
        self.assertEqual((status["summary"], status["ports"], status["scheduler"]),
                         ("1/1", "80", "WeightedLeastConnections"))
        self.assertEqual(status["servers"][0]["health"], "Up")
        self.assertEqual(len(status["nodes"]), 1, "the daemon's entry stays its own")
        self.wait_for("True Serving", lambda: self.condition("RealServer", "srv1", "Ready"))
        since = status["conditions"][0]["lastTransitionTime"]
        daemon.report("web", ready=0, not_ready=[{"name": "srv1", "state": "Online",
                                                  "health": "Down", "reason": "connect refused"}])
        self.wait_for("False NoServers", lambda: self.condition("VIP", "web", "Ready"))
        self.wait_for("False Down", lambda: self.condition("RealServer", "srv1", "Ready"))
        self.assertEqual(self.status("VIP", "web")["conditions"][0]["lastTransitionTime"], since,
                         "Accepted did not flip")
        writes = operator.metric('fairlead_operator_writes_total{kind="status"}')
        daemon.renew()
        daemon.renew()
        time.sleep(2)
        self.assertEqual(operator.metric('fairlead_operator_writes_total{kind="status"}'), writes,
                         "a renewal is no reason to write")
        daemon.leave()
        self.wait_for("False NoDaemon", lambda: self.condition("VIP", "web", "Programmed"))

    def test_a_dead_daemons_word_counts_no_longer(self):
        self.start_leader()
        self.create(vip("web", addresses=["10.0.0.1"]))
        daemon = Daemon(self.client, "n1", seconds=3)
        daemon.renew()
        daemon.report("web")
        self.wait_for("True Serving", lambda: self.condition("VIP", "web", "Ready"))
        self.wait_for("False NotProgrammed", lambda: self.condition("VIP", "web", "Ready"))

    def test_an_outage_of_the_api_server_changes_nothing(self):
        operator = self.start_leader()
        self.create(pool("office", "10.0.0.1-10.0.0.3"), of_pool("a"))
        daemon = Daemon(self.client, "n1", seconds=8)
        daemon.renew()
        daemon.report("a")
        self.wait_for("True Serving", lambda: self.condition("VIP", "a", "Ready"))
        before = self.status("VIP", "a")
        with daemon.renewing():
            self.server.stop_server()
            operator.wait_until(lambda: not operator.leads(), "no leader by its own clock")
            operator.wait_until(
                lambda: operator.metric('fairlead_operator_copy_stale{resource="vips"}') == 1,
                "stale copy")
            self.assertTrue(operator.is_ready(), "a restart would not help")
            self.server.start_server()
            operator.wait_until(operator.leads, "leading again", 60)
            self.create(of_pool("b"))
            self.wait_for(["10.0.0.2"], lambda: self.addresses("b"))
            self.assertEqual(self.status("VIP", "a"), before)


class LeaderTests:
    """Needs Leases."""

    def holder(self):
        return self.client.expect(200, "GET", LEASE)["spec"]["holderIdentity"]

    def test_one_leads_and_the_next_takes_over_at_once_when_it_stops(self):
        first = self.start_leader("first")
        second = self.start("second")
        second.wait_until(second.is_ready, "ready as a standby")
        self.create(pool("office", "10.0.0.1-10.0.0.3"), of_pool("a"))
        self.wait_for(["10.0.0.1"], lambda: self.addresses("a"))
        self.assertEqual(self.holder(), "first")
        self.assertFalse(second.leads())
        self.assertEqual(second.metric("fairlead_operator_leader"), 0)
        first.stop()
        self.assertEqual(self.client.expect(200, "GET", LEASE)["spec"].get("leaseTransitions"), 0)
        second.wait_until(second.leads, "leading", 10)
        self.create(of_pool("b"))
        self.wait_for(["10.0.0.2"], lambda: self.addresses("b"))

    def test_the_next_takes_over_when_the_leader_is_killed(self):
        first = self.start_leader("first")
        second = self.start("second")
        second.wait_until(second.is_ready, "ready as a standby")
        first.kill()
        killed = time.monotonic()
        second.wait_until(second.leads, "leading", 60)
        self.assertGreater(time.monotonic() - killed, 10, "the Lease had to expire first")
        self.assertEqual(self.holder(), "second")
        self.create(pool("office", "10.0.0.1"), of_pool("a"))
        self.wait_for(["10.0.0.1"], lambda: self.addresses("a"))


class FullServerTest(PoolAndStatusTests, LeaderTests, OperatorTest):
    """kube-apiserver 1.20: Services, Leases; loadBalancerClass came later, hence the flag."""

    FLAGS = ("--classless-services",)


    @classmethod
    def setUpClass(cls):
        cls.server = KubeApiServer()
        cls.addClassCleanup(cls.server.stop)
        cls.client = cls.server.client
        for path in crd_files():
            cls.server.kubectl.run("create", "--validate=false", "-f", path)
        for path in PATHS.values():
            cls.server.wait_until(lambda: cls.client.request("GET", path)[0] == 200,
                                  f"serving {path}")

    def create_service(self, name, *ports, **spec):
        self.client.expect(201, "POST", SERVICES, {
            "metadata": {"name": name},
            "spec": {"type": "LoadBalancer", "ports": list(ports), **spec}})
        self.addCleanup(self.client.request, "DELETE", f"{SERVICES}/{name}")

    def ingress(self, name):
        service = self.client.expect(200, "GET", f"{SERVICES}/{name}")
        return [place["ip"] for place in service["status"]["loadBalancer"].get("ingress", [])]

    def vip_names(self):
        return sorted(item["metadata"]["name"]
                      for item in self.client.expect(200, "GET", PATHS["VIP"])["items"])

    def test_a_service_becomes_a_vip_and_gets_its_address(self):
        self.start_leader()
        self.create(pool("office", "10.0.0.1-10.0.0.3"))
        self.create_service("print", {"port": 515, "protocol": "TCP"}, sessionAffinity="ClientIP")
        self.wait_for(["print"], self.vip_names)
        made = self.client.expect(200, "GET", f"{PATHS['VIP']}/print")
        self.assertEqual(made["spec"]["addresses"], ["10.0.0.1"])
        self.assertEqual(made["spec"]["realServers"], {"service": {"name": "print"}})
        self.assertEqual(made["spec"]["persistence"]["type"], "SourceIP")
        self.wait_for("True ResolvedRefs", lambda: self.condition("VIP", "print", "ResolvedRefs"))
        self.assertEqual(self.ingress("print"), [], "not before it is in force")
        daemon = Daemon(self.client, "n1")
        daemon.renew()
        daemon.report("print")
        self.wait_for(["10.0.0.1"], lambda: self.ingress("print"))
        self.client.expect(200, "PATCH", f"{SERVICES}/print",
                           {"spec": {"sessionAffinity": "None"}}, MERGE_PATCH)
        self.wait_for("None", lambda: self.client.expect(
            200, "GET", f"{PATHS['VIP']}/print")["spec"]["persistence"]["type"])
        self.client.expect(200, "DELETE", f"{SERVICES}/print")
        self.wait_for([], self.vip_names)

    def test_a_service_wishes_an_address_and_ports_have_vips_of_their_own(self):
        self.start_leader()
        self.create(pool("office", "10.0.0.1-10.0.0.9"))
        self.create_service("web", {"name": "http", "port": 80, "targetPort": 8080},
                            {"name": "lpd", "port": 515}, loadBalancerIP="10.0.0.7")
        self.wait_for(["web-80-tcp", "web-tcp"], self.vip_names)
        for name in self.vip_names():
            made = self.client.expect(200, "GET", f"{PATHS['VIP']}/{name}")
            self.assertEqual(made["spec"]["addresses"], ["10.0.0.7"])
            self.wait_for("True Accepted", lambda: self.condition("VIP", name, "Accepted"))

    def test_a_service_that_is_no_load_balancer_any_more_loses_vip_and_address(self):
        self.start_leader()
        self.create(pool("office", "10.0.0.1-10.0.0.9"))
        self.create_service("web", {"port": 80})
        self.wait_for(["web"], self.vip_names)
        daemon = Daemon(self.client, "n1")
        daemon.renew()
        daemon.report("web")
        self.wait_for(["10.0.0.1"], lambda: self.ingress("web"))
        self.client.expect(200, "PATCH", f"{SERVICES}/web",
                           {"spec": {"type": "ClusterIP", "ports": [{"port": 80, "nodePort": None}]}},
                           MERGE_PATCH)
        self.wait_for([], self.vip_names)
        self.wait_for([], lambda: self.ingress("web"))

    def test_a_service_without_an_address_has_an_event(self):
        self.start_leader()
        self.create_service("web", {"port": 80})
        def notes():
            events = self.client.expect(200, "GET",
                                        "/apis/events.k8s.io/v1/namespaces/default/events")["items"]
            return [event["note"] for event in events if event["regarding"]["name"] == "web" and
                    event["reason"] == "NoVip"][:1]
        self.wait_for(["there is no AddressPool with autoAssign for namespace default; create one, "
                       "or name a pool"], notes)

    def test_a_missing_service_is_told(self):
        self.start_leader()
        self.create(vip("web", addresses=["10.0.0.1"],
                        realServers={"service": {"name": "nowhere"}}))
        self.wait_for("False ServiceNotFound",
                      lambda: self.condition("VIP", "web", "ResolvedRefs"))


class CrdServerTest(PoolAndStatusTests, OperatorTest):
    """1.36 with CEL; Leases in their shape, and no Services at all: what does not need them goes
    on."""

    @classmethod
    def setUpClass(cls):
        cls.server = CrdServer()
        cls.addClassCleanup(cls.server.stop)
        cls.client = cls.server.client
        install_crds(cls.server)
        text, number = {"type": "string"}, {"type": "integer"}
        time_of = {"type": "string", "format": "date-time"}
        cls.client.expect(201, "POST", CRDS, {
            "metadata": {"name": "leases.coordination.k8s.io",
                         "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
            "spec": {"group": "coordination.k8s.io", "scope": "Namespaced",
                     "names": {"kind": "Lease", "listKind": "LeaseList", "plural": "leases",
                               "singular": "lease"},
                     "versions": [{"name": "v1", "served": True, "storage": True, "schema": {
                         "openAPIV3Schema": {"type": "object", "properties": {"spec": {
                             "type": "object", "properties": {
                                 "holderIdentity": text, "leaseDurationSeconds": number,
                                 "acquireTime": time_of, "renewTime": time_of,
                                 "leaseTransitions": number}}}}}}]}})
        path = LEASES.format("default")
        cls.server.wait_until(lambda: cls.client.request("GET", path)[0] == 200, "serving Leases")

    def test_a_fresh_cluster_tells_what_is_stale(self):
        operator = self.start_leader()
        self.assertEqual(operator.get("/healthz")[0], 200)
        self.assertIn('"services"', operator.get("/readyz")[1])
        self.assertEqual(operator.metric('fairlead_operator_copy_stale{resource="services"}'), 1)
        self.assertEqual(operator.metric('fairlead_operator_copy_stale{resource="vips"}'), 0)
        self.assertEqual(operator.get("/api/v1/status")[0], 404)


if __name__ == "__main__":
    unittest.main()
