"""The API server, by the CRDs, and `fairlead check` refuse the same objects for the same fields."""

import json
import re
import shutil
import sys
import tempfile
import unittest

from harness.manifests import (CRDS, SOURCE, api_verdict, check_verdict, documents,
                               install_crds)
from harness.servers import CrdServer

NOT_YET = "not supported yet in this version"


def rules_of(schema):
    """The rules of a schema, at every depth."""
    if isinstance(schema, list):
        return [rule for item in schema for rule in rules_of(item)]
    if not isinstance(schema, dict):
        return []
    return schema.get("x-kubernetes-validations", []) + rules_of(list(schema.values()))


class CorpusTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="fairlead-corpus-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.server = CrdServer()
        cls.addClassCleanup(cls.server.stop)
        install_crds(cls.server)

    def judge(self, pattern, judgement):
        """Calls `judgement` with each document, what the API server says and what check says."""
        found = documents(pattern)
        self.assertGreater(len(found), 0)
        print(f"    {pattern}: {len(found)} objects", file=sys.stderr, flush=True)
        for document in found:
            with self.subTest(document.place):
                api = api_verdict(self.server, document)[0]
                check = check_verdict(self.folder, document.text)
                judgement(document, api, check, f"\n{document.text}\n  API server:\n{api}\n"
                                                f"  fairlead check:\n{check}")

    def is_for_later(self, document, check):
        """`check` refuses something that this version does not do yet, and the document says that
        there is such a thing in it."""
        return (document.later is not None
                and any(NOT_YET in message for _, message in check.problems))

    def test_good_ones_pass_both(self):
        def judgement(document, api, check, told):
            self.assertIsNone(document.refused, told)
            self.assertTrue(api.is_good, told)
            self.assertTrue(check.is_good or self.is_for_later(document, check), told)
        self.judge("good/*.yaml", judgement)

    def test_bad_ones_pass_neither(self):
        def judgement(document, api, check, told):
            self.assertIsNotNone(document.refused, told)
            self.assertFalse(api.is_good or check.is_good, told)
            self.assertTrue(api.names(document.refused), told)
            self.assertTrue(check.names(document.refused) or self.is_for_later(document, check),
                            told)
        self.judge("bad/*.yaml", judgement)

    def test_what_only_the_api_refuses(self):
        def judgement(document, api, check, told):
            self.assertTrue(check.is_good, told)
            self.assertFalse(api.is_good, told)
            self.assertTrue(api.names(document.refused), told)
        self.judge("only-the-api-refuses.yaml", judgement)

    def test_what_only_check_refuses(self):
        def judgement(document, api, check, told):
            self.assertTrue(api.is_good, told)
            self.assertFalse(check.is_good, told)
            self.assertTrue(check.names(document.refused), told)
        self.judge("only-check-refuses.yaml", judgement)

    def test_every_rule_of_the_crds_refuses_something(self):
        rules = set()
        for crd in self.server.client.expect(200, "GET", CRDS)["items"]:
            for version in crd["spec"]["versions"]:
                rules |= {rule["message"] for rule in rules_of(version["schema"])}
        self.assertGreater(len(rules), 30)
        told = "\n".join(str(api_verdict(self.server, document)[0])
                         for pattern in ("bad/*.yaml", "only-the-api-refuses.yaml")
                         for document in documents(pattern))
        self.assertEqual([rule for rule in sorted(rules) if rule not in told], [])

    def test_the_differences_are_those_of_the_table(self):
        with open(f"{SOURCE}/crds/README.md", encoding="utf-8") as file:
            table = re.search(r"^## What differs from files\n(.*?)(?=^## |\Z)", file.read(),
                              re.M | re.S)[1]
        rows = re.findall(r"^\| ([^|]+?) +\|", table, re.M)[1:]  # without the head
        self.assertEqual(sorted(set(rows)), sorted({document.row for document
                                                    in documents("only-*.yaml")}))

    def test_what_the_api_server_keeps_is_good_too(self):
        # With every default filled in, and the metadata that a server adds.
        def judgement(document, _, check, told):
            if not check.is_good:
                return
            kept = json.dumps(api_verdict(self.server, document)[1])
            self.assertIn("creationTimestamp", kept)
            again = check_verdict(self.folder, kept)
            self.assertTrue(again.is_good, f"{told}\n  check of {kept}:\n{again}")
        self.judge("good/*.yaml", judgement)


if __name__ == "__main__":
    unittest.main()
