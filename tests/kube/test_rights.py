"""The chart's roles, audited: both roles of the program run as its service accounts against a whole API server.

Nothing that they ask for is refused, and nothing that the chart grants is never asked for.
"""

import os
import socket
import threading
import unittest
import urllib.request

import yaml

from harness.client import MERGE_PATCH
from harness.helm import CHART, NAMESPACE, Helm
from harness.manifests import FAIRLEAD, PATHS
from harness.process import Process, free_ports
from harness.promql import families, unknown_in
from harness.servers import KubeApiServer

API = "lb.fairlead.dev/v1alpha1"
CORE = "/api/v1/namespaces/default"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
# Rights that no request of their own shows.
UNSEEN = {
    # Server-side apply of an object that does not exist is a patch in the audit log, and needs both.
    "operator": {("create", "lb.fairlead.dev", "vips")},
    "node": set(),
}


def granted_to(account, objects):
    """{(verb, group, resource)} of the roles that are bound to an account of the chart."""
    bound = {made["roleRef"]["name"] for made in objects
             if made["kind"] in ("RoleBinding", "ClusterRoleBinding")
             and made["subjects"][0]["name"] == f"fairlead-{account}"}
    return {(verb, group, resource) for made in objects
            if made["kind"] in ("Role", "ClusterRole") and made["metadata"]["name"] in bound
            for rule in made["rules"] for group in rule["apiGroups"]
            for resource in rule["resources"] for verb in rule["verbs"]}


class RightsTest(unittest.TestCase):

    def setUp(self):
        self.server = KubeApiServer(endpoint_slices=True)
        self.addCleanup(self.server.stop)
        self.client = self.server.client
        helm = Helm(self.server.folder, self.server.kubeconfig)
        helm.run("install", "fairlead", CHART, "--namespace", NAMESPACE, "--create-namespace",
                 "--disable-openapi-validation", "--server-side=false")
        self.objects = helm.objects()
        for path in PATHS.values():
            self.server.wait_until(lambda: self.client.request("GET", path)[0] == 200,
                                   f"serving {path}")
        self.running, self.ports = [], []
        self.vip_port, self.server_port = free_ports(2)
        self.print_server = self.listen(self.server_port)

    def listen(self, port):
        listener = socket.create_server(("127.0.0.1", port))
        self.addCleanup(listener.close)

        def accept():
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return
        threading.Thread(target=accept, daemon=True).start()
        return listener

    def start(self, account, *arguments):
        user = {"token": self.server.account_token(NAMESPACE, f"fairlead-{account}")}
        kubeconfig = self.server.write_kubeconfig(account, user, NAMESPACE)
        process = Process([FAIRLEAD, *arguments, "--kubeconfig", kubeconfig],
                          os.path.join(self.server.folder, f"{account}.log"))
        self.addCleanup(process.stop)
        self.running.append(process)
        return process

    def start_node(self):
        state = os.path.join(self.server.folder, "state")
        os.makedirs(state, exist_ok=True)
        [admin] = free_ports(1)
        self.ports.append(admin)
        return self.start("node", "run", "--node-name", "node-1", "--vip-modes", "SNAT", "--admin",
                          f"127.0.0.1:{admin}", "--state-directory", state, "--shutdown-grace", "0")

    def start_operator(self):
        [admin] = free_ports(1)
        self.ports.append(admin)
        return self.start("operator", "operator", "--identity", "operator-1", "--classless-services",
                          "--admin", f"127.0.0.1:{admin}")

    def condition(self, kind, name, condition):
        conditions = self.client.expect(200, "GET", f"{PATHS[kind]}/{name}").get("status", {}).get(
            "conditions", [])
        return {made["type"]: made["status"] for made in conditions}.get(condition)

    def create(self, kind, name, spec, **metadata):
        self.client.expect(201, "POST", PATHS[kind], {
            "apiVersion": API, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec})

    def wait(self, condition, what, seconds=60):
        try:
            self.server.wait_until(condition, what, seconds)
        except AssertionError:
            self.fail(f"not {what}:\n" + "\n".join(process.log_end() for process in self.running))

    def use(self):
        """Everything that the program does, once."""
        self.create("AddressPool", "office", {"ranges": ["127.0.0.100-127.0.0.120"]})
        port = str(self.vip_port)
        self.create("VIP", "web", {"addressPoolRef": {"name": "office"}, "ports": port,
                                   "healthCheck": {"intervalSeconds": 0.5, "port": self.server_port}})
        self.create("RealServer", "srv1", {"address": "127.0.0.1", "port": self.server_port},
                    labels={"lb.fairlead.dev/vip": "web"})
        self.wait(lambda: self.condition("VIP", "web", "Ready") == "True", "serving the VIP")
        self.wait(lambda: self.condition("RealServer", "srv1", "Ready") == "True", "using the server")
        # A transition, and with it an event: the server goes away.
        self.print_server.shutdown(socket.SHUT_RDWR)
        self.print_server.close()
        self.wait(lambda: self.condition("VIP", "web", "Ready") == "False", "seeing it down")
        self.client.expect(201, "POST", SLICES, {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "print", "labels": {"kubernetes.io/service-name": "print"}},
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
            "ports": [{"name": "", "protocol": "TCP", "port": self.server_port}]})
        self.client.expect(201, "POST", f"{CORE}/services", {
            "metadata": {"name": "print"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": self.vip_port}]}})
        self.wait(lambda: self.ingress_of("print"), "giving the Service an address")
        self.client.expect(200, "PATCH", f"{CORE}/services/print", {"spec": {"type": "ClusterIP"}},
                           MERGE_PATCH)
        self.wait(lambda: len(self.client.expect(200, "GET", PATHS["VIP"])["items"]) == 1,
                  "taking the Service's VIP away", 90)

    def ingress_of(self, name):
        service = self.client.expect(200, "GET", f"{CORE}/services/{name}")
        return service["status"]["loadBalancer"].get("ingress")

    def test_nothing_is_refused_and_nothing_is_granted_in_vain(self):
        operator, node = self.start_operator(), self.start_node()
        self.use()
        self.check_alerts()
        node.stop()
        operator.stop()
        self.start_operator()
        self.start_node()
        unused = {}

        def all_used():
            for account in ("node", "operator"):
                asked = self.server.requests_of(f"system:serviceaccount:{NAMESPACE}:fairlead-{account}")
                self.assertEqual([request for request in asked if request[3] == 403], [], account)
                used = {request[:3] for request in asked}
                unused[account] = granted_to(account, self.objects) - used - UNSEEN[account]
            return not any(unused.values())
        try:
            self.server.wait_until(all_used, "using every right")
        except AssertionError as error:
            self.fail(f"granted and never asked for: {unused}: {error}")

    def check_alerts(self):
        """Those about what only a cluster has name metrics and labels that are there."""
        known = {}
        for port in self.ports:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                known.update(families(answer.read().decode()))
        with open(os.path.join(CHART, "files", "alerts.yaml"), encoding="utf-8") as file:
            groups = {group["name"]: group["rules"] for group in yaml.safe_load(file)["groups"]}
        for alert in groups["fairlead-cluster"]:
            self.assertEqual(unknown_in(known, alert["expr"], *alert["annotations"].values()), [],
                             alert["alert"])

    def test_create_is_needed_for_what_no_request_shows(self):
        """That the exceptions are none: without them the Service gets no VIP."""
        self.server.kubectl.run(
            "patch", "clusterrole", f"fairlead-{NAMESPACE}-operator", "--type=json", "--patch",
            '[{"op": "replace", "path": "/rules/0/verbs", "value": ["list", "watch", "patch", "delete"]}]')
        self.start_operator()
        self.create("AddressPool", "office", {"ranges": ["127.0.0.100-127.0.0.120"]})
        self.client.expect(201, "POST", f"{CORE}/services", {
            "metadata": {"name": "print"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})
        account = f"system:serviceaccount:{NAMESPACE}:fairlead-operator"
        self.server.wait_until(lambda: ("patch", "lb.fairlead.dev", "vips", 403)
                               in self.server.requests_of(account), "refusing to create a VIP", 60)


if __name__ == "__main__":
    unittest.main()
