"""What the chart asks of the daemon's metrics port: the dashboard's and the alerts' metrics, and `helm test`."""

import json
import os
import re
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

import yaml

from harness.helm import CHART, Helm, pod_specs
from harness.manifests import FAIRLEAD
from harness.process import Process, free_ports
from harness.promql import families, unknown_in

# A VIP of each mode, whose servers are down, one with a host name: every family has a sample.
CONFIGURATION = """
apiVersion: lb.fairlead.dev/v1alpha1
kind: VIP
metadata: {name: web}
spec:
  addresses: [127.0.0.1]
  ports: "%d"
  realServers: {list: [{name: a, address: 127.0.0.2, port: 1}, {name: b, address: localhost, port: 1}]}
---
apiVersion: lb.fairlead.dev/v1alpha1
kind: VIP
metadata: {name: direct}
spec: {addresses: [127.0.0.3], ports: "80", mode: DR, realServers: {list: [{name: a, address: 127.0.0.2}]}}
"""

class TelemetryTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="fairlead-telemetry-")
        cls.addClassCleanup(folder.cleanup)
        cls.helm = Helm(folder.name)
        admin, cls.port, vip = free_ports(3)
        path = os.path.join(folder.name, "vip.yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIGURATION % vip)
        cls.daemon = Process(
            [FAIRLEAD, "run", "--config", path, "--state-directory", folder.name, "--admin",
             f"127.0.0.1:{admin}", "--metrics", f"127.0.0.1:{cls.port}", "--mode-allowed", "snat",
             "--shutdown-grace", "0"], os.path.join(folder.name, "log"))
        cls.addClassCleanup(cls.daemon.stop)
        cls.daemon.wait_until(lambda: cls.get("/readyz")[0] == 200, 30, "ready")
        cls.daemon.wait_until(lambda: "fairlead_server_answers_arp{" in cls.get("/metrics")[1], 30,
                              "tracking both VIPs")
        cls.families = families(cls.get("/metrics")[1])

    @classmethod
    def get(cls, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{cls.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            return 0, ""

    def check(self, where, expression, *legends):
        """That every metric and label is one that the daemon has."""
        self.assertEqual(unknown_in(self.families, expression, *legends), [], f"{where}: {expression}")

    def test_checker_finds_what_is_not_there(self):
        for expression, legend in (("rate(fairlead_vip_conections_total[5m])", ""),
                                   ('fairlead_vip_served{vips="a"}', ""),
                                   ("sum by (server) (fairlead_vip_served)", ""),
                                   ("sum by (vip) (fairlead_server_up)", "{{server}}")):
            with self.assertRaises(AssertionError, msg=expression):
                self.check("here", expression, legend)

    def test_dashboard_asks_for_what_there_is(self):
        with open(os.path.join(CHART, "files", "dashboard.json"), encoding="utf-8") as file:
            dashboard = json.load(file)
        queries = 0
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                self.check(panel["title"], target["expr"], target["legendFormat"])
                queries += 1
        self.assertGreater(queries, 20)
        for variable in dashboard["templating"]["list"][1:]:
            asked, label = re.match(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
            self.check(variable["name"], asked, "{{%s}}" % label)

    def test_alerts_ask_for_what_there_is(self):
        [rule] = [made for made in self.helm.objects("metrics.prometheusRule.enabled=true")
                  if made["kind"] == "PrometheusRule"]
        # The other group is about what only a cluster has; see test_rights.py.
        [group] = [group for group in rule["spec"]["groups"] if group["name"] == "fairlead"]
        for alert in group["rules"]:
            self.check(alert["alert"], alert["expr"], *alert["annotations"].values())
            self.assertIn(alert["labels"]["severity"], ("warning", "critical"))
        self.assertGreater(len(group["rules"]), 10)

    def test_chart_carries_both(self):
        objects = self.helm.objects("metrics.dashboard.enabled=true", "metrics.serviceMonitor.enabled=true")
        [dashboard] = [made for made in objects if made["kind"] == "ConfigMap"]
        self.assertEqual(json.loads(dashboard["data"]["fairlead.json"])["title"], "Fairlead")
        self.assertEqual(dashboard["metadata"]["labels"]["grafana_dashboard"], "1")
        [monitor] = [made for made in objects if made["kind"] == "ServiceMonitor"]
        # Else Prometheus calls the VIP's namespace "exported_namespace", which no query knows.
        self.assertIs(monitor["spec"]["endpoints"][0]["honorLabels"], True)

    def test_probes_are_answered(self):
        for name, spec in pod_specs(self.helm.objects("dr.enabled=true")):
            for probe in ("livenessProbe", "readinessProbe"):
                if not name.startswith("Pod/"):
                    asked = spec["containers"][0][probe]["httpGet"]
                    self.assertEqual(self.get(asked["path"])[0], 200, f"{name} {probe}")

    def test_the_hook_of_helm_test_asks_every_part(self):
        [spec] = [spec for name, spec in pod_specs(self.helm.objects("dr.enabled=true"))
                  if name.startswith("Pod/")]
        command = spec["containers"][0]["command"]
        targets = command[4:]
        self.assertEqual(targets, [f"fairlead-{part}-metrics:9081" for part in ("snat", "dr", "operator")])
        script = [part.replace("second < 30", "second < 1") for part in command[:4]]

        def run(*asked):
            return subprocess.run([*script, *asked], stdout=subprocess.PIPE, text=True, timeout=60,
                                  check=False)
        good = f"127.0.0.1:{self.port}"
        done = run(good, good)
        self.assertEqual((done.returncode, done.stdout.count("200 OK")), (0, 2), done.stdout)
        [closed] = free_ports(1)
        done = run(good, f"127.0.0.1:{closed}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Connection refused", done.stdout)


if __name__ == "__main__":
    unittest.main()
