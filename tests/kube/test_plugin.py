"""`kubectl fairlead`: the built program as a plugin of the real kubectl, on a whole API server.

The status of the objects is written here as the operator writes it.
"""

import os
import threading
import unittest

from harness.client import MERGE_PATCH, Kubectl
from harness.manifests import FAIRLEAD, PATHS, crd_files
from harness.servers import KubeApiServer

API = "lb.fairlead.dev/v1alpha1"
ROLES = "/apis/rbac.authorization.k8s.io/v1"


def condition(kind, status, reason, message):
    return {"type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z"}


class PluginTest(unittest.TestCase):

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
        plugins = os.path.join(cls.server.folder, "plugins")
        os.makedirs(plugins)
        os.symlink(os.path.realpath(FAIRLEAD), os.path.join(plugins, "kubectl-fairlead"))
        cls.plugins = plugins
        cls.kubectl = Kubectl(cls.server.kubeconfig, cls.server.folder, plugins)

    def setUp(self):
        self.client.expect(201, "POST", PATHS["VIP"], {
            "apiVersion": API, "kind": "VIP", "metadata": {"name": "web"},
            "spec": {"addresses": ["10.0.0.1"], "ports": "80"}})
        self.client.expect(201, "POST", PATHS["RealServer"], {
            "apiVersion": API, "kind": "RealServer",
            "metadata": {"name": "srv1", "labels": {"lb.fairlead.dev/vip": "web"}},
            "spec": {"address": "10.0.0.2"}})

    def tearDown(self):
        for kind in ("VIP", "RealServer"):
            self.client.expect(200, "DELETE", PATHS[kind])

    def fairlead(self, *arguments, code=0):
        got, output = self.kubectl.outcome("fairlead", *arguments)
        self.assertEqual(got, code, output)
        return output

    def server_object(self):
        return self.client.expect(200, "GET", f"{PATHS['RealServer']}/srv1")

    def write_status(self, path, status):
        self.client.expect(200, "PATCH", f"{path}/status", {"status": status}, MERGE_PATCH)

    def report(self, state, health, reason="connect refused", server_generation=None):
        """What the operator writes when the VIP's daemons say this of the server."""
        takes = state == "Online" and health == "Up"
        ready = condition("Ready", "True" if takes else "False", "Serving" if takes else "NoServers",
                          "clients are served on a" if takes else f"no real server: {reason}")
        entry = {"state": state, "health": health, "reason": reason, "since": "2026-01-01T00:00:00Z"}
        self.write_status(f"{PATHS['VIP']}/web", {
            "observedGeneration": 1, "ports": "80", "summary": "1/1" if takes else "0/1",
            "servers": [{"name": "srv1", "address": "10.0.0.2", **entry}],
            "conditions": [condition("Accepted", "True", "Accepted", "valid"), ready]})
        self.write_status(f"{PATHS['RealServer']}/srv1", {
            "observedGeneration": server_generation or self.server_object()["metadata"]["generation"],
            "vips": [{"name": "web", **entry}],
            "conditions": [condition("Accepted", "True", "Accepted", "valid"), ready]})

    def test_status_shows_problems_with_their_reason(self):
        self.assertIn("no status yet", self.fairlead("status"))
        self.report("Online", "Down")
        output = self.fairlead("status", "-n", "default")
        self.assertIn("0 of 1 VIP ready; 1 of 1 real server takes no new clients.", output)
        self.assertRegex(output, r"NoServers +default/web +10\.0\.0\.1 +80 +SNAT +0/1")
        self.assertRegex(output, r"DOWN +srv1 +default/web +10\.0\.0\.2 +\S+ +connect refused")
        self.assertIn("There is no VIP", self.fairlead("status", "--namespace", "kube-system"))
        self.assertIn("default/web", self.fairlead("status", "-n", "kube-system", "-A"))

    def test_pages_of_a_long_list_are_all_read(self):
        for number in range(0, 1200):
            self.client.expect(201, "POST", PATHS["RealServer"], {
                "apiVersion": API, "kind": "RealServer", "metadata": {"name": f"many{number:04}"},
                "spec": {"address": "10.0.0.3"}})
        self.assertEqual(self.fairlead("status").count("many"), 1200)

    def test_drain_writes_the_state_as_its_own_manager(self):
        output = self.fairlead("drain", "srv1")
        self.assertEqual(output, "real server default/srv1: Online -> Drain\n")
        made = self.server_object()
        self.assertEqual(made["spec"]["state"], "Drain")
        self.assertEqual(made["spec"]["address"], "10.0.0.2")
        managers = {entry["manager"]: entry["fieldsV1"] for entry in made["metadata"]["managedFields"]}
        self.assertEqual(managers["kubectl-fairlead"], {"f:spec": {"f:state": {}}})
        self.fairlead("halt", "realserver/srv1")
        self.fairlead("online", "srv1")
        self.assertEqual(self.server_object()["spec"]["state"], "Online")

    def test_wait_ends_when_it_is_in_force(self):
        self.report("Online", "Up")
        done = []
        waiting = threading.Thread(target=lambda: done.append(
            self.kubectl.outcome("fairlead", "drain", "srv1", "--wait")))
        waiting.start()
        self.server.wait_until(lambda: self.server_object()["spec"]["state"] == "Drain", "draining")
        self.report("Online", "Up")   # the operator has seen it, no daemon has
        waiting.join(3)
        self.assertEqual(done, [])
        self.report("Drain", "Up")
        waiting.join(30)
        [(code, output)] = done
        self.assertEqual(code, 0, output)
        self.assertIn("Drain is in force in 0 of 1 VIP", output)
        self.assertIn("Drain is in force in 1 of 1 VIP", output)

    def test_wait_has_an_end(self):
        self.report("Online", "Up", server_generation=1)
        output = self.fairlead("drain", "srv1", "--wait", "--timeout", "1", code=1)
        self.assertIn("the operator has not looked at the change yet", output)
        self.assertIn("not in force within 1s", output)

    def test_explain(self):
        self.report("Online", "Down")
        output = self.fairlead("explain", "web", code=1)
        self.assertIn("VIP default/web is not ready: no real server: connect refused", output)
        self.assertRegex(output, r"Ready +False +\S+ +NoServers")
        self.assertIn("Real server default/srv1 is not ready", self.fairlead("explain", "srv1", code=1))
        self.report("Online", "Up")
        self.assertIn("VIP default/web is ready", self.fairlead("explain", "vip/web"))
        self.assertIn("neither a VIP nor a RealServer \"none\"", self.fairlead("explain", "none", code=1))

    def test_mistakes_are_named(self):
        output = self.fairlead("drain", "srv2", code=1)
        self.assertIn('there is no RealServer "srv2" in namespace default; did you mean "srv1"?', output)
        self.assertIn('unknown command "drian"; did you mean "drain"?',
                      self.fairlead("drian", "srv1", code=2))
        self.assertIn("Usage: kubectl fairlead drain REALSERVER", self.fairlead("drain", "--help"))
        self.assertIn("missing.yaml", self.fairlead("status", "--kubeconfig", "missing.yaml", code=1))

    def test_a_refusal_is_told_in_the_servers_words(self):
        kubeconfig = self.server.write_kubeconfig("bob", {"token": self.server.token_of("bob")})
        bob = Kubectl(kubeconfig, self.server.folder, self.plugins)
        code, output = bob.outcome("fairlead", "status")
        self.assertEqual(code, 1)
        self.assertRegex(output, "403 Forbidden: .*bob.* cannot list resource .*vips")
        # With the chart's role for that, he drains.
        self.client.expect(201, "POST", f"{ROLES}/clusterroles", {
            "metadata": {"name": "drain"}, "rules": [
                {"apiGroups": ["lb.fairlead.dev"], "resources": ["vips"], "verbs": ["get", "list", "watch"]},
                {"apiGroups": ["lb.fairlead.dev"], "resources": ["realservers"],
                 "verbs": ["get", "list", "watch", "patch"]}]})
        self.client.expect(201, "POST", f"{ROLES}/namespaces/default/rolebindings", {
            "metadata": {"name": "drain"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "drain"}})
        for arguments in (("status",), ("drain", "srv1"), ("online", "srv1")):
            self.assertEqual(bob.outcome("fairlead", *arguments)[0], 0)


if __name__ == "__main__":
    unittest.main()
