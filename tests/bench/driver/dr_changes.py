"""Connections broken by what an operator does, with the real daemon, real servers and real clients in
the lab of the end-to-end suite (tests/netns)."""

import os
import shutil
import signal
import sys
import time

from driver.host import ROOT
from driver.lab import BenchError

SWAPS = 20


def measure(bench, long, pause):
    """{"broken": N, ...}: `long` connections that ask again and again through all steps, and 200 new
    ones a second; `pause` seconds after each step."""
    if shutil.which("nginx") is None:
        raise BenchError("the real servers are missing; run deploy/setup test")
    os.environ |= {"FAIRLEAD": bench.path("fairlead"), "FAIRLEAD_LOAD": bench.path("netns_load"),
                   "FAIRLEAD_XDP_PASS": bench.path("netns_xdp_pass")}
    sys.path.insert(0, os.path.join(ROOT, "tests", "netns"))
    from harness.direct import VIP4, VIP6, DirectFairlead, DirectLab
    from harness.load import Load
    from harness.netns import SERVERS, remove_leftovers
    from harness.servers import Nginx
    from test_direct import dr_vip

    remove_leftovers()
    lab = DirectLab()
    try:
        for name in SERVERS:
            Nginx(lab, name, ports=(80,))
        fairlead = DirectFairlead(lab, [dr_vip(("srv1", "srv2"))])
        fairlead.wait_health(servers=("srv1", "srv2", "srv1-6", "srv2-6"))
        load = Load(lab, [(VIP4, 80), (VIP6, 80)], rate=200, long=long)
        time.sleep(pause)
        for step in _steps(fairlead, dr_vip):
            step()
            time.sleep(pause)
        report = load.stop()
    finally:
        lab.close()
    if report.long_answers < long:
        raise BenchError(f"the long connections did not run: {report.summary()}")
    return {"broken": report.failed + report.long_failed, "long": long, "short": report.ok,
            "answers": report.long_answers, "failures": report.failures}


def _steps(fairlead, dr_vip):
    def put(srv1_weight):
        fairlead.apply("main.yaml", dr_vip(({"name": "srv1", "weight": srv1_weight}, "srv2", "srv3")))

    def add():
        fairlead.apply("main.yaml", dr_vip())
        fairlead.wait_health(servers=("srv3", "srv3-6"))

    def swap():
        for number in range(SWAPS):
            put(10 + 10 * (number % 2))

    def set_state(state):
        for name in ("srv2", "srv2-6"):
            fairlead.cli(state, name)

    def restart(kill):
        fairlead.stop(kill=kill)
        time.sleep(1)  # nobody but the kernel
        fairlead.start()
        fairlead.wait_health(servers=("srv1", "srv2", "srv3"))

    return (add, lambda: put(10), lambda: set_state("drain"), lambda: restart(signal.SIGTERM),
            lambda: restart(signal.SIGKILL), lambda: set_state("online"), swap)
