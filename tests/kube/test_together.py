"""The operator and a daemon at one API server: from a Service to bytes, and back to its status."""

import http.client
import http.server
import os
import shutil
import tempfile
import threading
import unittest

from harness.manifests import FAIRLEAD, PATHS, crd_files
from harness.operator import Operator
from harness.process import Process, free_ports
from harness.servers import KubeApiServer

CORE = "/api/v1/namespaces/default"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


class Pod(http.server.BaseHTTPRequestHandler):
    """Answers with the name of its server."""

    def do_GET(self):  # noqa: N802
        body = self.server.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class PodServer(http.server.ThreadingHTTPServer):
    """What it says of health checks, which connect and leave, is no news."""

    def handle_error(self, *_):
        pass


class TogetherTest(unittest.TestCase):
    """Everything on loopback: the VIPs' addresses are 127.1.0.0/24, those of pods 127.2.0.0/24."""

    @classmethod
    def setUpClass(cls):
        cls.server = KubeApiServer(endpoint_slices=True)
        cls.addClassCleanup(cls.server.stop)
        cls.client = cls.server.client
        for path in crd_files():
            cls.server.kubectl.run("create", "--validate=false", "-f", path)
        for path in PATHS.values():
            cls.server.wait_until(lambda: cls.client.request("GET", path)[0] == 200,
                                  f"serving {path}")

    def setUp(self):
        self.operator = Operator(self.server, "one", "--classless-services")
        self.addCleanup(self.operator.stop)
        folder = tempfile.mkdtemp(prefix="fairlead-together-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        [admin] = free_ports(1)
        self.daemon = Process(
            [FAIRLEAD, "run", "--kubeconfig", self.server.kubeconfig, "--node-name", "n1",
             "--mode-allowed", "snat", "--state-directory", folder, "--shards", "1",
             "--admin", f"127.0.0.1:{admin}", "--shutdown-grace", "0"],
            os.path.join(folder, "daemon.log"))
        self.addCleanup(self.daemon.stop)

    def start_pod(self, name, address, port):
        pod = PodServer((address, port), Pod)
        pod.name = name
        threading.Thread(target=pod.serve_forever, daemon=True).start()
        self.addCleanup(pod.server_close)
        self.addCleanup(pod.shutdown)

    def answer(self, address, port):
        """Who answers there; "" when nobody does."""
        connection = http.client.HTTPConnection(address, port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()

    def wait_for(self, expected, actual, what):
        found = [None]

        def reached():
            found[0] = actual()
            return found[0] == expected
        try:
            self.operator.wait_until(reached, what, 60)
        except AssertionError as failure:
            self.fail(f"{found[0]!r}, not {expected!r}\n{failure}\n{self.daemon.log_end()}")

    def ingress(self, name):
        service = self.client.expect(200, "GET", f"{CORE}/services/{name}")
        return [place["ip"] for place in service["status"]["loadBalancer"].get("ingress", [])]

    def ready(self, name):
        status = self.client.request("GET", f"{PATHS['VIP']}/{name}")[1].get("status", {})
        return {found["type"]: found["status"] for found in status.get("conditions", [])}.get("Ready")

    def test_a_service_is_served_at_an_address_of_the_pool(self):
        port, target = free_ports(2)
        self.start_pod("pod-a", "127.2.0.1", target)
        self.client.expect(201, "POST", PATHS["AddressPool"], {
            "apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "AddressPool",
            "metadata": {"name": "office"}, "spec": {"ranges": ["127.1.0.1-127.1.0.9"]}})
        self.client.expect(201, "POST", SLICES, {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
            "ports": [{"name": "", "port": target, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["127.2.0.1"], "conditions": {"ready": True},
                           "targetRef": {"kind": "Pod", "name": "pod-a"}}]})
        self.client.expect(201, "POST", f"{CORE}/services", {
            "metadata": {"name": "web"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": port, "targetPort": target}]}})
        self.wait_for(["127.1.0.1"], lambda: self.ingress("web"), "an address of the Service")
        self.wait_for("True", lambda: self.ready("web"), "ready")
        self.assertEqual(self.answer("127.1.0.1", port), "pod-a")
        status = self.client.expect(200, "GET", f"{PATHS['VIP']}/web")["status"]
        self.assertEqual(status["summary"], "1/1")
        self.assertEqual(status["addresses"][0]["node"], "n1")
        self.client.expect(200, "DELETE", f"{CORE}/services/web")
        self.wait_for(404, lambda: self.client.request("GET", f"{PATHS['VIP']}/web")[0], "no VIP")
        self.wait_for("", lambda: self.answer("127.1.0.1", port), "nobody at the address")

    def test_a_vip_gets_its_address_of_the_pool_and_keeps_it_without_an_operator(self):
        port, target = free_ports(2)
        self.start_pod("server-a", "127.2.0.2", target)
        self.client.expect(201, "POST", PATHS["AddressPool"], {
            "apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "AddressPool",
            "metadata": {"name": "lab"}, "spec": {"ranges": ["127.1.1.1"]}})
        self.client.expect(201, "POST", PATHS["VIP"], {
            "apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "VIP", "metadata": {"name": "pooled"},
            "spec": {"addressPoolRef": {"name": "lab"}, "ports": str(port), "realServers": {
                "list": [{"name": "a", "address": "127.2.0.2", "port": target}]}}})
        self.wait_for("server-a", lambda: self.answer("127.1.1.1", port), "served")
        self.wait_for("True", lambda: self.ready("pooled"), "ready")
        self.operator.kill()
        self.assertEqual(self.answer("127.1.1.1", port), "server-a")


if __name__ == "__main__":
    unittest.main()
