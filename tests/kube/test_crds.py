"""The CRDs on a real API server: accepted as they are, and what clients and kubectl rely on."""

import unittest

from harness.client import APPLY_PATCH, MERGE_PATCH
from harness.manifests import GROUP, PATHS, install_crds
from harness.servers import CrdServer

VIP = {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "VIP", "metadata": {"name": "web"},
       "spec": {"addresses": ["10.0.0.1"], "ports": "80,443"}}
SERVER = {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "RealServer",
          "metadata": {"name": "srv1", "labels": {"lb.fairlead.dev/vip": "web"}},
          "spec": {"address": "10.0.0.2"}}
POOL = {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "AddressPool",
        "metadata": {"name": "office"}, "spec": {"ranges": ["10.0.0.1-10.0.0.9"]}}
SINCE = "2026-01-02T03:04:05Z"


def condition(kind, status, reason):
    return {"type": kind, "status": status, "reason": reason, "message": "", "observedGeneration": 1,
            "lastTransitionTime": SINCE}


class CrdTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.server = CrdServer()
        cls.addClassCleanup(cls.server.stop)
        cls.client = cls.server.client
        install_crds(cls.server)

    def create(self, made):
        path = PATHS[made["kind"]]
        created = self.client.expect(201, "POST", f"{path}?fieldValidation=Strict", made)
        self.addCleanup(self.client.request, "DELETE", f"{path}/{made['metadata']['name']}")
        return created, f"{path}/{made['metadata']['name']}"

    def table(self, path):
        """{column: (priority, value)} of the only object, as `kubectl get` shows it."""
        code, table = self.client.request("GET", path, accept="application/json;as=Table;"
                                                              "v=v1;g=meta.k8s.io")
        self.assertEqual((code, len(table["rows"])), (200, 1))
        return {column["name"]: (column["priority"], value) for column, value
                in zip(table["columnDefinitions"], table["rows"][0]["cells"])}

    def test_names(self):
        resources = {entry["name"]: entry for entry
                     in self.client.expect(200, "GET", GROUP)["resources"]}
        self.assertEqual(sorted(resources), sorted(
            name for plural in ("vips", "realservers", "addresspools")
            for name in (plural, f"{plural}/status")))
        for plural, scoped in (("vips", True), ("realservers", True), ("addresspools", False)):
            self.assertEqual(resources[plural]["namespaced"], scoped)
            self.assertEqual(resources[plural]["categories"], ["fairlead"])
        self.assertEqual(resources["realservers"]["shortNames"], ["rip"])

    def test_no_condition_of_a_crd_is_bad(self):
        crds = self.client.expect(200, "GET", CrdServer.READY)["items"]
        self.assertEqual(len(crds), 3)
        for crd in crds:
            states = {entry["type"]: entry["status"] for entry in crd["status"]["conditions"]}
            self.assertEqual(states, {"NamesAccepted": "True", "Established": "True"},
                             crd["metadata"]["name"])

    def test_a_watch_tells_every_change(self):
        start = self.client.expect(200, "GET", PATHS["VIP"])["metadata"]["resourceVersion"]
        _, path = self.create(VIP)
        self.client.expect(200, "PATCH", path, {"spec": {"ports": "80"}}, MERGE_PATCH)
        self.client.expect(200, "DELETE", path)
        events = self.client.watch(f"{PATHS['VIP']}?watch=true&resourceVersion={start}"
                                   "&allowWatchBookmarks=true")
        told = []
        for event in events:
            if event["type"] != "BOOKMARK":
                told.append((event["type"], event["object"]["spec"]["ports"]))
            if event["type"] == "DELETED":
                break
        self.assertEqual(told, [("ADDED", "80,443"), ("MODIFIED", "80"), ("DELETED", "80")])

    def test_an_update_is_judged_as_well(self):
        _, path = self.create(VIP)
        code, answer = self.client.request("PATCH", path, {"spec": {"ports": "443-80"}}, MERGE_PATCH)
        self.assertEqual(code, 422, answer)
        self.assertIn("reversed", answer["message"])

    def test_status_is_a_subresource(self):
        created, path = self.create(VIP)
        self.assertEqual(created["metadata"]["generation"], 1)
        status = {
            "observedGeneration": 1, "ports": "80,443", "scheduler": "WeightedLeastConnections",
            "summary": "1/2",
            "addresses": [{"address": "10.0.0.1", "node": "worker-1", "interface": "eth0"}],
            "servers": [{"name": "srv1", "address": "10.0.0.2", "state": "Online", "health": "Up",
                         "reason": "TCP connect in 0.2 ms", "since": SINCE},
                        {"name": "srv2", "address": "print1.example.com:8080", "state": "Drain",
                         "health": "Unknown", "reason": "", "since": SINCE}],
            "conditions": [condition("Accepted", "True", "Valid"),
                           condition("ResolvedRefs", "True", "Found"),
                           condition("Programmed", "True", "Applied"),
                           condition("Ready", "True", "Serving")]}
        applied = self.client.expect(
            200, "PATCH", f"{path}/status?fieldManager=fairlead&force=true&fieldValidation=Strict",
            {"apiVersion": VIP["apiVersion"], "kind": "VIP", "metadata": {"name": "web"},
             "spec": {"ports": "1"}, "status": status}, APPLY_PATCH)
        self.assertEqual(applied["status"], status)
        self.assertEqual(applied["spec"]["ports"], "80,443")
        self.assertEqual(applied["metadata"]["generation"], 1)
        self.assertEqual(
            {name: shown for name, (priority, shown) in self.table(path).items()
             if priority == 0 and name != "Age"},
            {"Name": "web", "Address": "10.0.0.1", "Ports": "80,443", "Mode": "SNAT",
             "Servers": "1/2", "Ready": "True"})
        self.assertEqual(
            {name: shown for name, (priority, shown) in self.table(path).items() if priority == 1},
            {"Node": "worker-1", "Scheduler": "WeightedLeastConnections", "Reason": "Serving"})
        for bad in ({"servers": [{"name": "a", "health": "Sick"}]},
                    {"servers": [{"name": f"s{n}"} for n in range(513)]},
                    {"conditions": [{"type": "Ready", "status": "Perhaps"}]}):
            code, answer = self.client.request("PATCH", f"{path}/status", {"status": bad}, MERGE_PATCH)
            self.assertEqual(code, 422, answer)

    def test_each_node_owns_its_entry_in_the_status(self):
        _, path = self.create(VIP)

        def apply(node, status):
            return self.client.expect(
                200, "PATCH",
                f"{path}/status?fieldManager=fairlead-node-{node}&force=true&fieldValidation=Strict",
                {"apiVersion": VIP["apiVersion"], "kind": "VIP", "metadata": {"name": "web"},
                 "status": status}, APPLY_PATCH)["status"]["nodes"]

        def entry(node):
            return {"node": node, "observedGeneration": 1, "programmed": True, "reason": "Applied",
                    "message": "", "engine": "io_uring", "serversReady": 1, "serversTotal": 2,
                    "addresses": [{"address": "10.0.0.1", "interface": "eth0"}],
                    "serversNotReady": [{"name": "srv2", "state": "Online", "health": "Down",
                                         "reason": "connect refused"}]}

        self.assertEqual(apply("a", {"nodes": [entry("a")]}), [entry("a")])
        self.assertEqual(apply("b", {"nodes": [entry("b")]}), [entry("a"), entry("b")])
        shorter = {"node": "a", "programmed": False}
        self.assertEqual(apply("a", {"nodes": [shorter]}), [shorter, entry("b")])
        self.assertEqual(apply("a", {}), [entry("b")])

    def test_columns_of_a_real_server(self):
        _, path = self.create(SERVER)
        self.client.expect(200, "PATCH", f"{path}/status", {"status": {
            "summary": "1/1", "conditions": [condition("Ready", "True", "Up")],
            "vips": [{"name": "web", "state": "Online", "health": "Up", "reason": "",
                      "since": SINCE}]}}, MERGE_PATCH)
        self.assertEqual(
            {name: shown for name, (_, shown) in self.table(path).items() if name != "Age"},
            {"Name": "srv1", "Address": "10.0.0.2", "Weight": 100, "State": "Online", "Up": "1/1",
             "Ready": "True", "Port": None, "Max": 0, "Reason": "Up"})

    def test_columns_of_an_address_pool(self):
        _, path = self.create(POOL)
        self.client.expect(200, "PATCH", f"{path}/status", {"status": {
            "summary": "1/9", "conditions": [condition("Accepted", "True", "Valid")]}}, MERGE_PATCH)
        self.assertEqual(
            {name: shown for name, (_, shown) in self.table(path).items() if name != "Age"},
            {"Name": "office", "Ranges": '["10.0.0.1-10.0.0.9"]', "Auto": True, "Used": "1/9",
             "Namespaces": "[]", "Accepted": "True"})

    def test_who_drains_a_server_does_not_own_the_rest(self):
        """What GitOps applies and what an operator sets have managers of their own."""
        applied = {key: SERVER[key] for key in ("apiVersion", "kind", "metadata", "spec")}
        path = f"{PATHS['RealServer']}/srv1"
        self.client.expect(201, "PATCH", f"{path}?fieldManager=gitops", applied, APPLY_PATCH)
        self.addCleanup(self.client.request, "DELETE", path)
        drain = {"apiVersion": SERVER["apiVersion"], "kind": "RealServer",
                 "metadata": {"name": "srv1"}, "spec": {"address": "10.0.0.2", "state": "Drain"}}
        self.client.expect(200, "PATCH", f"{path}?fieldManager=operator", drain, APPLY_PATCH)
        again = self.client.expect(200, "PATCH", f"{path}?fieldManager=gitops", applied, APPLY_PATCH)
        self.assertEqual(again["spec"]["state"], "Drain")


if __name__ == "__main__":
    unittest.main()
