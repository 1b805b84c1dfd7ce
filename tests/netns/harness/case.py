"""The base of the test cases: one lab a class, and figures that are printed."""

import sys
import time
import unittest

from .netns import Lab
from .servers import Nginx


class LabCase(unittest.TestCase):
    """`servers`: which real servers run nginx."""

    servers = ("srv1", "srv2", "srv3")

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.nginx = {name: Nginx(cls.lab, name) for name in cls.servers}

    def setUp(self):
        self.started_at = time.monotonic()

    def figure(self, text):
        """A measured figure, for the log of the test."""
        print(f"    {self._testMethodName}: {text}", file=sys.stderr, flush=True)

    def assert_no_failures(self, report):
        self.assertEqual((report.failed, report.long_failed), (0, 0),
                         f"{report.summary()}\n{report.failures[:10]}")
        self.assertGreater(report.ok, 0)
