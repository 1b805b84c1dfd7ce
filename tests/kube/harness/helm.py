"""The chart of deploy/helm, by the built helm."""

import os
import subprocess

import yaml

from .cache import program
from .manifests import SOURCE

CHART = os.path.join(SOURCE, "deploy", "helm", "fairlead")
NAMESPACE = "fairlead-system"


class Helm:
    """helm with a HOME of its own, and the kubeconfig of a server where it needs one."""

    def __init__(self, folder, kubeconfig=""):
        self._environment = {"HOME": folder, "PATH": "/usr/bin:/bin", "KUBECONFIG": kubeconfig}

    def run(self, *arguments, ok=True):
        """(whether it succeeded, its output with its messages). An AssertionError when it should have
        succeeded."""
        done = subprocess.run([program("helm"), *arguments], text=True, timeout=180, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=self._environment)
        if ok and done.returncode != 0:
            raise AssertionError(f"helm {' '.join(arguments)}:\n{done.stdout}")
        return done.returncode == 0, done.stdout

    def text(self, *values, api_versions=()):
        """The manifests of the chart with these values ("dr.enabled=true"), hooks included."""
        arguments = ["template", "fairlead", CHART, "--namespace", NAMESPACE]
        for value in values:
            arguments += ["--set-json" if "=[" in value or "={" in value else "--set", value]
        for version in api_versions:
            arguments += ["--api-versions", version]
        done = subprocess.run([program("helm"), *arguments], text=True, timeout=60, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self._environment)
        if done.returncode != 0:
            raise AssertionError(f"helm {' '.join(arguments)}:\n{done.stderr}")
        return done.stdout

    def objects(self, *values, **options):
        return [made for made in yaml.safe_load_all(self.text(*values, **options)) if made]


def pod_specs(objects):
    """[(KIND/NAME, spec of its pods)] of the objects that make pods."""
    found = []
    for made in objects:
        name = f"{made['kind']}/{made['metadata']['name']}"
        if made["kind"] == "Pod":
            found.append((name, made["spec"]))
        elif made["kind"] in ("Deployment", "DaemonSet", "StatefulSet", "Job"):
            found.append((name, made["spec"]["template"]["spec"]))
    return found
