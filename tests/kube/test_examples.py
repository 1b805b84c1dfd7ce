"""deploy/examples: `fairlead check`, real API servers, and what can be run of them is run."""

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

from harness.helm import pod_specs
from harness.manifests import FAIRLEAD, PATHS, SOURCE, install_crds
from harness.pod_security import violations
from harness.servers import CrdServer, KubeApiServer

HERE = os.path.dirname(os.path.realpath(__file__))
EXAMPLES = os.path.join(SOURCE, "deploy", "examples")
OBJECTS = ("bare-metal.yaml", "cloud.yaml")
ISOLATED = ["unshare", "--user", "--map-root-user", "--net"]


def documents(name):
    with open(os.path.join(EXAMPLES, name), encoding="utf-8") as file:
        return [made for made in yaml.safe_load_all(file) if made]


def configuration_of(sidecar):
    [data] = [made["data"] for made in sidecar if made["kind"] == "ConfigMap"]
    return data["vip.yaml"]


class ExamplesTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="fairlead-examples-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, text):
        path = os.path.join(self.folder, "vip.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def check(self, path, *flags):
        done = subprocess.run([FAIRLEAD, "check", *flags, path], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("0 errors, 0 warnings", done.stdout)

    def test_objects_are_good_to_check_and_api_server(self):
        server = CrdServer()
        self.addCleanup(server.stop)
        install_crds(server)
        for name in OBJECTS:
            self.check(os.path.join(EXAMPLES, name), "--kubernetes")
            for made in documents(name):
                server.client.expect(
                    201, "POST", f"{PATHS[made['kind']]}?fieldValidation=Strict&dryRun=All", made)

    def test_sidecar_is_restricted_and_accepted(self):
        sidecar = documents("sidecar.yaml")
        self.check(self.write(configuration_of(sidecar)))
        [(name, spec)] = pod_specs(sidecar)
        self.assertEqual(violations(spec), [], name)
        # This server is older than native sidecars: as an ordinary container it validates the rest.
        [balancer] = spec.pop("initContainers")
        self.assertEqual(balancer.pop("restartPolicy"), "Always")
        spec["containers"].append(balancer)
        server = KubeApiServer()
        self.addCleanup(server.stop)
        for made in sidecar:
            server.kubectl.run("create", "--dry-run=server", "-f", "-", text=yaml.safe_dump(made))

    def test_sidecar_balances_on_localhost(self):
        if shutil.which("ip") is None or subprocess.run([*ISOLATED, "true"], check=False,
                                                        stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no network namespace of its own (ip and unshare --user --net)")
        sidecar = documents("sidecar.yaml")
        servers = [server["address"] for server in yaml.safe_load(configuration_of(sidecar))
                   ["spec"]["realServers"]["list"]]
        done = subprocess.run([*ISOLATED, sys.executable, "-B", os.path.join(HERE, "localhost_trial.py"),
                               self.write(configuration_of(sidecar)), "9100", *servers],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=90,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        answers = ast.literal_eval(done.stdout)
        self.assertEqual(sorted(answers), servers)  # every one of them, and nothing else
        self.assertEqual(sum(answers.values()), 20)


if __name__ == "__main__":
    unittest.main()
