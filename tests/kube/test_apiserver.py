"""The whole kube-apiserver does what Fairlead's Kubernetes side will ask of it."""

import json
import unittest

from harness.client import APPLY_PATCH, MERGE_PATCH
from harness.manifests import PATHS, crd_files
from harness.servers import KubeApiServer

CORE = "/api/v1/namespaces/default"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"


def rule(group, resources, verbs):
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


class ApiServerTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.server = KubeApiServer()
        cls.addClassCleanup(cls.server.stop)
        cls.client = cls.server.client
        for path in crd_files():
            # Of the rules it knows nothing, hence --validate=false.
            cls.server.kubectl.run("create", "--validate=false", "-f", path)
        for path in PATHS.values():
            cls.server.wait_until(lambda: cls.client.request("GET", path)[0] == 200,
                                  f"serving {path}")

    def allow(self, name, subject, *rules):
        self.client.expect(201, "POST", f"{RBAC}/roles", {"metadata": {"name": name},
                                                          "rules": list(rules)})
        self.client.expect(201, "POST", f"{RBAC}/rolebindings", {
            "metadata": {"name": name}, "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}})

    def test_a_token_without_rights_may_nothing_and_a_wrong_one_is_nobody(self):
        alice = self.server.client_with_token(self.server.token_of("alice"))
        self.assertEqual(alice.request("GET", PATHS["VIP"])[0], 403)
        self.assertEqual(self.server.client_with_token("wrong").request("GET", PATHS["VIP"])[0], 401)

    def test_an_operator_may_drain_and_no_more(self):
        """RealServer is an object of its own so that draining has rights of its own."""
        made = {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "RealServer",
                "metadata": {"name": "srv1"}, "spec": {"address": "10.0.0.2"}}
        self.client.expect(201, "POST", PATHS["RealServer"], made)
        user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob"}
        self.allow("drain", user, rule("lb.fairlead.dev", ["realservers"], ["get", "patch"]))
        bob = self.server.client_with_token(self.server.token_of("bob"))
        path = f"{PATHS['RealServer']}/srv1"
        drained = bob.expect(200, "PATCH", path, {"spec": {"state": "Drain"}}, MERGE_PATCH)
        self.assertEqual(drained["spec"], {"address": "10.0.0.2", "weight": 100, "state": "Drain",
                                           "minConnections": 0, "maxConnections": 0})
        self.assertEqual(bob.request("DELETE", path)[0], 403)
        self.assertEqual(bob.request("PATCH", f"{path}/status", {"status": {"summary": "1/1"}},
                                     MERGE_PATCH)[0], 403)
        self.assertEqual(bob.request("GET", PATHS["VIP"])[0], 403)

    def test_a_service_account_has_tokens(self):
        self.client.expect(201, "POST", f"{CORE}/serviceaccounts", {"metadata": {"name": "fairlead"}})
        self.allow("watch", {"kind": "ServiceAccount", "name": "fairlead", "namespace": "default"},
                   rule("lb.fairlead.dev", ["vips"], ["list", "watch"]))
        account = self.server.client_with_token(self.server.account_token("default", "fairlead"))
        self.assertEqual(account.expect(200, "GET", PATHS["VIP"])["kind"], "VIPList")
        self.assertEqual(account.request("GET", PATHS["RealServer"])[0], 403)
        next(account.watch(f"{PATHS['VIP']}?watch=true&timeoutSeconds=1"), None)
        # What it asked for, and was refused, stands in the audit log.
        self.assertEqual(
            self.server.requests_of("system:serviceaccount:default:fairlead")[:3],
            [("list", "lb.fairlead.dev", "vips", 200),
             ("list", "lb.fairlead.dev", "realservers", 403),
             ("watch", "lb.fairlead.dev", "vips", 200)])

    def test_a_service_gets_an_address_and_its_status_can_be_written(self):
        made = self.client.expect(201, "POST", f"{CORE}/services", {
            "metadata": {"name": "print"},
            "spec": {"type": "LoadBalancer", "selector": {"app": "print"}, "ports": [{"port": 80}]}})
        self.assertRegex(made["spec"]["clusterIP"], r"^10\.0\.0\.")
        self.assertGreater(made["spec"]["ports"][0]["nodePort"], 0)
        self.client.expect(200, "PATCH", f"{CORE}/services/print/status",
                           {"status": {"loadBalancer": {"ingress": [{"ip": "10.10.10.150"}]}}},
                           MERGE_PATCH)
        self.assertIn("10.10.10.150", self.server.kubectl.run("get", "service", "print"))

    def test_a_lease_has_one_winner(self):
        """Who read an older version loses, and MicroTime needs its six decimals."""
        spec = {"holderIdentity": "a", "leaseDurationSeconds": 15,
                "acquireTime": "2026-01-02T03:04:05.000000Z",
                "renewTime": "2026-01-02T03:04:05.000000Z"}
        lease = self.client.expect(201, "POST", LEASES, {"metadata": {"name": "vip"}, "spec": spec})
        for holder, code in (("b", 200), ("c", 409)):
            taken = {"metadata": lease["metadata"], "spec": {**spec, "holderIdentity": holder}}
            self.client.expect(code, "PUT", f"{LEASES}/vip", taken)
        self.assertEqual(self.client.expect(200, "GET", f"{LEASES}/vip")["spec"]["holderIdentity"], "b")
        self.client.expect(400, "POST", LEASES, {"metadata": {"name": "bad"}, "spec": {
            **spec, "renewTime": "2026-01-02T03:04:05Z"}})

    def test_a_watch_by_kubectl_and_server_side_apply(self):
        vip = {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "VIP", "metadata": {"name": "web"},
               "spec": {"addresses": ["10.0.0.1"], "ports": "80"}}
        start = self.client.expect(200, "GET", PATHS["VIP"])["metadata"]["resourceVersion"]
        self.server.kubectl.run("apply", "--validate=false", "-f", "-", text=json.dumps(vip))
        code, answer = self.client.request("PATCH", f"{PATHS['VIP']}/web?fieldManager=other",
                                           {**vip, "spec": {"ports": "443"}}, APPLY_PATCH)
        self.assertEqual(code, 409, answer)
        event = next(self.client.watch(f"{PATHS['VIP']}?watch=true&resourceVersion={start}"))
        self.assertEqual((event["type"], event["object"]["metadata"]["name"]), ("ADDED", "web"))
        self.assertIn("web", self.server.kubectl.run("get", "fairlead"))

    def test_kubectl_explains_every_field(self):
        def explained():  # the schemas are published a moment after the objects are served
            told = self.server.kubectl.run("explain", "vip.spec.healthCheck", "--output",
                                           "plaintext-openapiv2", ok=False)
            return "How real servers are checked" in told and "halfOpen" in told
        self.server.wait_until(explained, "explaining vip.spec.healthCheck")

    def test_short_name(self):
        self.assertIn("No resources", self.server.kubectl.run("get", "rip", "-n", "kube-system"))


class EndpointSlicesTest(unittest.TestCase):

    def test_they_can_be_had_in_v1(self):
        server = KubeApiServer(endpoint_slices=True)
        self.addCleanup(server.stop)
        path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        made = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": "web", "labels": {"kubernetes.io/service-name": "web"}},
                "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.2"]}], "ports": []}
        server.client.expect(201, "POST", path, made)
        self.assertEqual(server.client.expect(200, "GET", path)["items"][0]["endpoints"],
                         made["endpoints"])


if __name__ == "__main__":
    unittest.main()
