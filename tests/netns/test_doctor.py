"""`fairlead doctor` on a host that is set up wrong: it says so, and its fixes fix it."""

import json
import os

from harness.case import LabCase
from harness.fairlead import Fairlead, vip
from harness.netns import VIP4, VIP6

MISSING = "10.1.0.123"


class DoctorTest(LabCase):
    servers = ("srv1",)

    def setUp(self):
        super().setUp()
        # Never started by itself: doctor needs no daemon.
        self.fairlead = Fairlead(self.lab, [vip(addresses=[VIP4, VIP6], ports="80,443",
                                                servers=["srv1"])], start=False)
        os.chmod(self.fairlead.directory, 0o755)

    def doctor(self, *arguments, code=0, wrapper=(), config=True):
        """{subject: [finding]}"""
        if config:
            arguments = ("--config", self.fairlead.config, *arguments)
        done, output = self.fairlead.cli("doctor", "--output", "json", *arguments, ok=False,
                                         wrapper=wrapper)
        self.assertEqual(done, code, output)
        report = json.loads(output)
        findings = {}
        for finding in report["findings"]:
            findings.setdefault(finding["subject"], []).append(finding)
        self.assertEqual(report["problems"], sum(f["state"] == "problem"
                                                 for f in report["findings"]))
        return findings

    def problem(self, findings, subject):
        return next(f for f in findings[subject] if f["state"] != "ok")

    def fix(self, finding):
        self.lab.balancer.run("sh", "-c", finding["fix"])

    def test_a_host_that_is_right(self):
        findings = self.doctor()
        seen = [f["seen"] for f in findings["VIP default/web"]]
        self.assertEqual(seen, [f"{VIP4} is on front", f"{VIP6} is on front", "2 ports: free"])
        self.assertIn("veth, MTU 1500, XDP native by its driver",
                      findings["interface front"][0]["seen"])
        self.assertIn("bridge", findings["interface back"][0]["seen"])
        self.assertEqual(findings["ports below 1024"][0]["state"], "ok")
        code, output = self.fairlead.cli("doctor")
        self.assertEqual(code, 0)
        self.assertIn("ok       kernel: Linux ", output)
        self.assertRegex(output, r"0 problems, \d+ warnings?\n$")

    def test_an_address_that_is_missing_is_told_and_the_fix_fixes_it(self):
        self.fairlead.put("more.yaml", vip("more", addresses=[MISSING], ports="81",
                                           servers=["srv1"]))
        told = self.problem(self.doctor(code=1), "VIP default/more")
        self.assertIn(f"{MISSING} is not on this host", told["seen"])
        self.fix(told)
        self.assertEqual(self.doctor()["VIP default/more"][0]["seen"], f"{MISSING} is on front")
        self.lab.remove_address(MISSING)
        self.lab.balancer.run("ip", "route", "add", "local", MISSING, "dev", "lo")
        self.assertEqual(self.doctor()["VIP default/more"][0]["seen"],
                         f"{MISSING} is routed to this host")
        self.lab.balancer.run("ip", "route", "del", "local", MISSING, "dev", "lo")

    def test_a_port_that_is_taken(self):
        taken = self.lab.balancer.listen(443)
        with taken:
            told = self.problem(self.doctor(code=1), "VIP default/web")
            self.assertIn("port 443 is taken by python3", told["seen"])
            self.assertIn(f"(pid {os.getpid()})", told["seen"])

    def test_the_running_daemon_is_no_problem(self):
        self.fairlead.start()
        self.fairlead.wait_health(servers=["srv1"])
        self.assertIn("2 ports: served by the running fairlead",
                      [f["seen"] for f in self.doctor()["VIP default/web"]])
        self.fairlead.stop()

    def test_rights_that_are_missing(self):
        nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                  "--inh-caps=-all")
        self.lab.balancer.sysctl("net.ipv4.ping_group_range", "1 0")
        findings = self.doctor(wrapper=nobody, config=False)
        for subject in ("clientAddress Transparent", "ICMP health checks"):
            self.assertEqual(self.problem(findings, subject)["state"], "warning")
        self.lab.balancer.sysctl("net.ipv4.ip_unprivileged_port_start", 1024)
        told = self.problem(self.doctor(wrapper=nobody, code=1), "ports below 1024")
        self.assertIn("no CAP_NET_BIND_SERVICE", told["seen"])
        self.lab.balancer.run("sysctl", "-w", "net.ipv4.ip_unprivileged_port_start=0")
        self.doctor(wrapper=nobody)
        self.lab.balancer.sysctl("net.ipv4.ip_unprivileged_port_start", 1024)

    def test_settings_of_the_network(self):
        self.lab.balancer.sysctl("net.ipv4.conf.front.rp_filter", 1)
        self.lab.balancer.sysctl("net.ipv4.ip_local_port_range", "40000 40999")
        self.lab.balancer.run("ip", "link", "add", "kube-ipvs0", "type", "bridge")
        findings = self.doctor(code=1)
        self.assertIn("without strictARP", self.problem(findings, "kube-proxy")["seen"])
        self.lab.balancer.run("ip", "link", "del", "kube-ipvs0")
        for subject in ("reverse path filter of front", "source ports"):
            self.fix(self.problem(findings, subject))
        findings = self.doctor()
        self.assertNotIn("reverse path filter of front", findings)
        self.assertEqual(findings["source ports"][0]["state"], "ok")

    def test_a_configuration_that_is_wrong(self):
        self.fairlead.put("bad.yaml", vip("bad", addresses=["10.1.0.300"]))
        findings = self.doctor(code=1)
        self.assertIn("10.1.0.300", findings["configuration"][0]["seen"])
        self.assertEqual(self.fairlead.cli("doctor", "--output", "yaml", ok=False)[0], 2)
