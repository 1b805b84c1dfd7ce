"""Manifests of the repository: the CRDs, the corpus, and what both judges say of an object.

A corpus file holds YAML documents. The comment before each one says what it is for:

    # Refused: FIELD: why      (bad/ and only-*.yaml) the field that must be named
    # Row: NAME                (only-*.yaml) the row of the table in crds/README.md that explains it
    # Later: what              (good/ and bad/) `check` may refuse it as "not supported yet"
"""

import glob
import json
import os
import re
import subprocess

from .client import YAML

SOURCE = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
CORPUS = os.path.join(SOURCE, "tests", "kube", "corpus")
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "/apis/lb.fairlead.dev/v1alpha1"
PATHS = {"VIP": f"{GROUP}/namespaces/default/vips",
         "RealServer": f"{GROUP}/namespaces/default/realservers",
         "AddressPool": f"{GROUP}/addresspools"}
FAIRLEAD = os.environ.get("FAIRLEAD", "fairlead")


def crd_files():
    return sorted(glob.glob(os.path.join(SOURCE, "crds", "*.yaml")))


def install_crds(server):
    """Creates the CRDs and waits until their objects are served."""
    for path in crd_files():
        with open(path, encoding="utf-8") as file:
            server.client.expect(201, "POST", f"{CRDS}?fieldValidation=Strict", file.read(), YAML)
    for path in PATHS.values():
        server.wait_until(lambda: server.client.request("GET", path)[0] == 200, f"serving {path}")


class Document:
    """One object of the corpus, as text."""

    def __init__(self, file, line, text):
        self.place = f"{os.path.relpath(file, SOURCE)}:{line}"
        self.text = text
        self.kind = re.search(r"^kind: (\w+)$", text, re.M)[1]
        self.path = PATHS[self.kind]
        self.refused = self._note("Refused", r"([^:\s]+)")
        self.row = self._note("Row", r"(.*)$")
        self.later = self._note("Later", r"(.*)$")

    def _note(self, name, pattern):
        found = re.search(rf"^# {name}: {pattern}", self.text, re.M)
        return found and found[1]


def documents(pattern):
    """Those of the corpus files that match, in their order."""
    found = []
    for file in sorted(glob.glob(os.path.join(CORPUS, pattern))):
        line = 1
        with open(file, encoding="utf-8") as opened:
            for text in opened.read().split("---\n"):
                found.append(Document(file, line, text))
                line += text.count("\n") + 1
    return found


class Verdict:
    """What a judge says of an object: the fields that are refused, with the reasons."""

    def __init__(self, problems):
        self.problems = problems  # [(field, message)]

    @property
    def is_good(self):
        return not self.problems

    def names(self, field):
        """Whether a refusal is about this field, something in it, or what it is in ("spec" alone is
        too little). An answer without fields is looked at for the name."""
        leaf = field.rpartition(".")[2]
        return any(f'"{leaf}"' in message or field in message if not found else
                   _is_in(found, field) or ("." in found and _is_in(field, found))
                   for found, message in self.problems)

    def __str__(self):
        return "\n".join(f"    {field}: {message}" for field, message in self.problems) or "    good"


def _is_in(inner, outer):
    return inner == outer or inner.startswith((outer + ".", outer + "["))


def api_verdict(server, document):
    """Creates the object without keeping it (dryRun) and as strictly as kubectl does. Also returns
    what would be kept, None when it is refused."""
    code, answer = server.client.request(
        "POST", f"{document.path}?dryRun=All&fieldValidation=Strict", document.text.encode(), YAML)
    if code == 201:
        return Verdict([]), answer
    if not isinstance(answer, dict) or code not in (400, 422):
        raise AssertionError(f"{document.place}: {code}: {answer}")
    causes = answer.get("details", {}).get("causes") or []
    # "<nil>": of the object as a whole.
    return Verdict([(cause["field"].replace("<nil>", ""), cause["message"]) for cause in causes]
                   or [("", answer["message"])]), None


def check_verdict(folder, text):
    """`fairlead check` of one object."""
    path = os.path.join(folder, "object.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    done = subprocess.run([FAIRLEAD, "check", "--kubernetes", "--output", "json", path], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    if done.returncode not in (0, 1):
        raise AssertionError(f"{FAIRLEAD} check: {done.returncode}: {done.stdout}")
    report = json.loads(done.stdout)
    verdict = Verdict([(finding["field"], finding["message"]) for finding in report["findings"]
                       if finding["severity"] == "error"])
    if verdict.is_good != (done.returncode == 0):
        raise AssertionError(f"exit code {done.returncode} with {verdict}")
    return verdict
