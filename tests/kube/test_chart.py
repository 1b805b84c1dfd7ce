"""The Helm chart: what it renders, what API servers say of it, and how it is installed and removed."""

import os
import subprocess
import tempfile
import unittest

import yaml

from harness.client import APPLY_PATCH
from harness.helm import CHART, NAMESPACE, Helm, pod_specs
from harness.manifests import CRDS, FAIRLEAD, GROUP, PATHS, crd_files
from harness.pod_security import violations
from harness.servers import CrdServer, KubeApiServer

MONITORING = ("metrics.serviceMonitor.enabled=true", "metrics.prometheusRule.enabled=true",
              "metrics.dashboard.enabled=true")
# Values that switch everything on, in several ways.
EVERYTHING = (
    ("dr.enabled=true", "dr.lease=3s", "seccomp.localhostProfile=fairlead.json",
     "snat.priorityClassName=system-cluster-critical", "imagePullSecrets=[{\"name\": \"pull\"}]",
     "snat.tolerations=[{\"operator\": \"Exists\"}]", "snat.nodeSelector={\"pool\": \"edge\"}",
     "snat.podAnnotations={\"a\": \"b\"}", "snat.podLabels={\"team\": \"net\"}",
     "operator.affinity={\"nodeAffinity\": {}}", "snat.extraArgs=[\"--shards=4\"]"),
    ("snat.enabled=false", "dr.enabled=true", "operator.classlessServices=true", "rbac.aggregate=false",
     "image.digest=sha256:" + "0" * 64, "metrics.dashboard.enabled=true"),
    ("snat.hostNetwork=true", "snat.podDisruptionBudget=false"),
    ("operator.enabled=false", "snat.replicas=1", "snat.ipv6=true", "snat.preStopSeconds=0",
     "nameOverride=lb", "snat.topologySpreadConstraints=[]"))
# Of mode DR, and no more: the hosts' network and bpffs, its own directory, uid 0 with these capabilities.
OF_DIRECT_ROUTING = ["capability BPF", "capability NET_ADMIN", "capability NET_RAW", "capability PERFMON",
                     "hostNetwork", "runAsNonRoot", "runAsUser 0", "volume hostPath"]
REFUSED = (("snat.replica=3", "replica"), ("dr.enabled=yes", "enabled"), ("colour=red", "colour"),
           ("snat.replicas=-1", "replicas"), ("image.pullPolicy=Sometimes", "pullPolicy"),
           ("metrics.port=80", "port"), ("log.level=chatty", "level"),
           ("metrics.serviceMonitor.intervall=1s", "intervall"),
           ("snat.extraArgs=[\"shards=4\"]", "extraArgs"))


class RenderedChartTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="fairlead-chart-")
        cls.addClassCleanup(folder.cleanup)
        cls.helm = Helm(folder.name)

    def test_lint_has_nothing_to_say(self):
        for values in ((), *EVERYTHING):
            arguments = [part for value in values if "=[" not in value and "={" not in value
                         for part in ("--set", value)]
            self.helm.run("lint", "--strict", CHART, *arguments)

    def test_values_that_are_unknown_or_wrong_are_refused_by_name(self):
        for value, named in REFUSED:
            with self.subTest(value), self.assertRaisesRegex(AssertionError, named):
                self.helm.text(value)
        with self.assertRaisesRegex(AssertionError, "nothing to install"):
            self.helm.text("snat.enabled=false", "operator.enabled=false")
        with self.assertRaisesRegex(AssertionError, "snat.hostNetwork and dr.enabled"):
            self.helm.text("snat.hostNetwork=true", "dr.enabled=true")

    def test_schema_knows_every_value_and_no_other(self):
        with open(os.path.join(CHART, "values.yaml"), encoding="utf-8") as file:
            values = yaml.safe_load(file)
        with open(os.path.join(CHART, "values.schema.json"), encoding="utf-8") as file:
            schema = yaml.safe_load(file)
        self.assertEqual(schema["properties"].pop("global"), {"type": "object"})  # Helm's own

        def compare(path, value, part):
            if "properties" not in part:
                return
            self.assertIs(part["additionalProperties"], False, path)
            self.assertEqual(sorted(value), sorted(part["properties"]), path)
            for name, inner in part["properties"].items():
                compare(f"{path}.{name}", value[name], inner)
        compare("values", values, schema)

    def test_pods_are_restricted_but_those_of_direct_routing(self):
        for values in ((), *EVERYTHING):
            for name, spec in pod_specs(self.helm.objects(*values)):
                found = violations(spec)
                if "snat.hostNetwork=true" in values and "snat" in name:
                    self.assertEqual(found, ["hostNetwork", "runAsNonRoot", "runAsUser 0"])
                    continue
                if not name.startswith("DaemonSet/"):
                    self.assertEqual(found, [], name)
                    continue
                ring = ["capability IPC_LOCK"] if any("localhostProfile" in v for v in values) else []
                self.assertEqual(found, sorted(OF_DIRECT_ROUTING + ring), name)

    def test_checker_sees_what_restricted_forbids(self):
        """The checker itself: a pod without any setting, and one with the worst."""
        self.assertEqual(violations({"containers": [{}]}),
                         ["allowPrivilegeEscalation", "capabilities are not dropped", "runAsNonRoot",
                          "seccompProfile"])
        worst = {"hostPID": True, "volumes": [{"name": "a", "hostPath": {}}],
                 "securityContext": {"sysctls": [{"name": "kernel.msgmax"}]},
                 "initContainers": [{"securityContext": {"privileged": True},
                                     "ports": [{"hostPort": 80}]}]}
        found = violations(worst)
        for part in ("hostPID", "volume hostPath", "sysctl kernel.msgmax", "privileged", "hostPort 80"):
            self.assertIn(part, found)

    def test_without_snat_pods_the_daemonset_serves_every_mode(self):
        def modes(*values):
            return {name: argument for name, spec in pod_specs(self.helm.objects(*values))
                    for argument in spec["containers"][0].get("args", [])
                    if argument.startswith("--vip-modes")}
        self.assertEqual(modes("dr.enabled=true"),
                         {"Deployment/fairlead-snat": "--vip-modes=SNAT",
                          "DaemonSet/fairlead-dr": "--vip-modes=DR,Auto"})
        self.assertEqual(modes("dr.enabled=true", "snat.enabled=false"),
                         {"DaemonSet/fairlead-dr": "--vip-modes=DR,Auto,SNAT"})

    def test_services_disruption_budgets_and_policies_select_the_pods(self):
        objects = self.helm.objects("dr.enabled=true", "networkPolicy.enabled=true")
        pods = {made["metadata"]["name"]: made["spec"]["template"]["metadata"]["labels"]
                for made in objects if made["kind"] in ("Deployment", "DaemonSet")}
        selectors = []
        for made in objects:
            name, spec = made["metadata"]["name"], made.get("spec", {})
            if made["kind"] == "Service":
                selectors.append((name.removesuffix("-metrics"), spec["selector"]))
            elif made["kind"] in ("PodDisruptionBudget", "NetworkPolicy"):
                selector = spec.get("selector") or spec["podSelector"]
                selectors.append((name, selector["matchLabels"]))
            elif made["kind"] in ("Deployment", "DaemonSet"):
                selectors.append((name, spec["selector"]["matchLabels"]))
        self.assertEqual(len(selectors), 3 + 3 + 2 + 2)
        for name, selector in selectors:
            chosen = [pod for pod, labels in pods.items() if selector.items() <= labels.items()]
            self.assertEqual(chosen, [name])

    def test_clients_reach_every_port_but_that_of_the_metrics(self):
        [policy] = [made for made in self.helm.objects("networkPolicy.enabled=true",
                                                       "metrics.port=9999")
                    if made["kind"] == "NetworkPolicy" and "snat" in made["metadata"]["name"]]
        [metrics, clients] = policy["spec"]["ingress"]
        self.assertEqual(metrics["ports"], [{"protocol": "TCP", "port": "metrics"}])
        self.assertNotIn("from", clients)
        self.assertEqual([(port["port"], port["endPort"]) for port in clients["ports"]],
                         [(1, 9998), (10000, 65535)])

    def test_command_lines_are_good_to_the_program(self):
        """All that it finds missing is the service account of a pod."""
        for values in EVERYTHING:
            for name, spec in pod_specs(self.helm.objects(*values)):
                arguments = [argument.replace("$(POD_NAME)", "fairlead-snat-0")
                             for argument in spec["containers"][0].get("args", [])]
                if not arguments:
                    continue
                done = subprocess.run([FAIRLEAD, *arguments], stdout=subprocess.PIPE, env={},
                                      stderr=subprocess.STDOUT, text=True, check=False, timeout=20)
                self.assertEqual(done.returncode, 1, f"{name} {arguments}: {done.stdout}")
                self.assertIn("KUBERNETES_SERVICE_HOST", done.stdout)

    def test_drainers_may_patch_realservers_and_nothing_else(self):
        roles = {made["metadata"]["name"].rpartition("-")[2]: made for made in self.helm.objects()
                 if made["kind"] == "ClusterRole"}
        writes = [(rule["resources"], verb) for rule in roles["drain"]["rules"]
                  for verb in rule["verbs"] if verb not in ("get", "list", "watch")]
        self.assertEqual(writes, [(["realservers"], "patch")])
        self.assertNotIn("aggregate", str(roles["drain"]["metadata"]["labels"]))
        for role in roles.values():
            self.assertNotIn("*", str(role["rules"]))


class ChartCrdsTest(unittest.TestCase):
    """The CRDs of the chart on the server that knows CEL."""

    @classmethod
    def setUpClass(cls):
        cls.server = CrdServer()
        cls.addClassCleanup(cls.server.stop)
        cls.helm = Helm(cls.server.folder)

    def test_they_are_the_repositorys_and_are_kept(self):
        rendered = {made["metadata"]["name"]: made for made in self.helm.objects()
                    if made["kind"] == "CustomResourceDefinition"}
        self.assertEqual(len(rendered), len(crd_files()))
        for path in crd_files():
            with open(path, encoding="utf-8") as file:
                crd = yaml.safe_load(file)
            name = crd["metadata"]["name"]
            crd["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
            self.assertEqual(rendered[name], crd)
            self.server.client.expect(
                201, "PATCH", f"{CRDS}/{name}?fieldManager=helm&fieldValidation=Strict",
                rendered[name], APPLY_PATCH)
        for path in PATHS.values():
            self.server.wait_until(lambda path=path: self.server.client.request("GET", path)[0] == 200,
                                   f"serving {path}")
        code, answer = self.server.client.request(
            "POST", f"{GROUP}/namespaces/default/vips",
            {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "VIP", "metadata": {"name": "web"},
             "spec": {"addresses": ["10.0.0.1"], "ports": "90-80"}})
        self.assertEqual(code, 422, answer)
        self.assertIn("reversed", str(answer))

    def test_they_can_be_left_out(self):
        self.assertNotIn("CustomResourceDefinition", self.helm.text("crds.install=false"))


class InstalledChartTest(unittest.TestCase):
    """On a whole API server. It is so old that CRDs are not validated: it does not know CEL."""

    WHERE = ("--namespace", NAMESPACE)
    OLD = ("--disable-openapi-validation", "--server-side=false")

    def setUp(self):
        self.server = KubeApiServer()
        self.addCleanup(self.server.stop)
        self.helm = Helm(self.server.folder, self.server.kubeconfig)
        self.kubectl = self.server.kubectl

    def names(self, *kinds):
        return set(self.kubectl.run("get", ",".join(kinds), *self.WHERE, "--output", "name").split())

    def test_install_upgrade_uninstall(self):
        self.helm.run("install", "fairlead", CHART, *self.WHERE, "--create-namespace", *self.OLD)
        deployments = {"deployment.apps/fairlead-snat", "deployment.apps/fairlead-operator"}
        self.assertEqual(self.names("deployments", "daemonsets"), deployments)
        account = ("--as", f"system:serviceaccount:{NAMESPACE}:fairlead-node", "--all-namespaces")
        self.assertEqual(self.kubectl.run("auth", "can-i", "patch", "vips.lb.fairlead.dev",
                                          "--subresource=status", *account).strip(), "yes")
        self.assertEqual(self.kubectl.run("auth", "can-i", "delete", "vips.lb.fairlead.dev",
                                          *account, ok=False).strip(), "no")
        # An older release's CRD: the upgrade brings the new one.
        self.kubectl.run("patch", "crd", "realservers.lb.fairlead.dev", "--type=json", "--patch",
                         '[{"op": "remove", "path": "/spec/names/shortNames"}]')
        _, said = self.helm.run("upgrade", "fairlead", CHART, *self.WHERE, *self.OLD, "--set",
                                "dr.enabled=true,snat.replicas=3")
        self.assertIn("pod-security.kubernetes.io/enforce=privileged", said)
        self.assertEqual(self.names("deployments", "daemonsets"),
                         deployments | {"daemonset.apps/fairlead-dr"})
        self.assertIn('["rip"]', self.kubectl.run("get", "crd", "realservers.lb.fairlead.dev",
                                                  "--output", "jsonpath={.spec.names.shortNames}"))
        self.server.client.expect(201, "POST", f"{GROUP}/namespaces/default/realservers", {
            "apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "RealServer",
            "metadata": {"name": "srv1"}, "spec": {"address": "10.0.0.2"}})
        self.helm.run("uninstall", "fairlead", *self.WHERE)
        self.assertEqual(self.names("deployments", "daemonsets", "services", "roles"), set())
        # What users wrote outlives the release, and a new one adopts it.
        self.assertIn("srv1", self.kubectl.run("get", "realservers"))
        self.helm.run("install", "fairlead", CHART, *self.WHERE, *self.OLD)
        self.assertIn("srv1", self.kubectl.run("get", "realservers"))

    def test_server_side_apply_and_the_servers_own_schemas_accept_it(self):
        """Helm validates by the server's OpenAPI, where an unknown or misplaced field is an error."""
        for number, values in enumerate(((), *EVERYTHING)):
            arguments = []
            for value in (*values, "crds.install=false"):
                arguments += ["--set-json" if "=[" in value or "={" in value else "--set", value]
            self.helm.run("install", f"try{number}", CHART, "--namespace", f"try{number}",
                          "--create-namespace", *arguments)
        with self.assertRaisesRegex(AssertionError, "nodeSelectors"):  # it does validate
            self.helm.run("install", "bad", CHART, *self.WHERE, "--create-namespace", "--set-json",
                          'crds.install=false,operator.affinity={"nodeSelectors": {}}')


if __name__ == "__main__":
    unittest.main()
