"""1,000 live edits under load: no connection fails, and each is in force in less than 100 ms."""

import itertools
import time

from harness.case import LabCase
from harness.fairlead import ENGINE, Fairlead, inline, real_server, vip
from harness.load import Load
from harness.netns import SERVERS, VIP4, VIP6
from harness.pressure import cpu_pressure

EDITS = 1000 if ENGINE == "auto" else 200
PROMISED = 0.100
# The promise holds for a host that has CPU time left; on a starved one only this is asked for.
STARVED = 1.0


class Editor:
    """Edits one object at a time and tells when the status shows the edit in force."""

    def __init__(self, fairlead):
        self.fairlead = fairlead
        self.seconds = []

    def edit(self, write, shows):
        begin = time.monotonic()
        write()
        while not self._in_force(shows):
            if time.monotonic() - begin > 10:
                raise AssertionError(f"edit not in force after 10 s: {self.fairlead.findings()}")
            time.sleep(0.002)
        self.seconds.append(time.monotonic() - begin)

    def _in_force(self, shows):
        status = self.fairlead.status()
        if status["plane"]["appliedRevision"] < status["planRevision"]:
            return False
        return shows({vip["name"]: vip for vip in status["vips"]})

    def percentile(self, part):
        return sorted(self.seconds)[int(part * (len(self.seconds) - 1))]


def servers_of(vips, name="web"):
    return {server["name"]: server for server in vips[name]["servers"]}


class EditsTest(LabCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fairlead = Fairlead(cls.lab)
        cls.put_web("80,5014-5016")
        for name in SERVERS:
            cls.fairlead.put(f"{name}.yaml", real_server(name))
        cls.fairlead.wait_health()

    @classmethod
    def put_web(cls, ports):
        cls.fairlead.put("web.yaml", vip(ports=ports, timeouts={"drainSeconds": 600}))

    def edit_weight(self, number):
        name, weight = SERVERS[number % 3], 50 + number % 100
        self.editor.edit(lambda: self.fairlead.put(f"{name}.yaml", real_server(name, weight=weight)),
                         lambda vips: servers_of(vips)[name]["weight"] == weight)

    def edit_server_leaves_and_comes_back(self, number):
        name = SERVERS[number % 3]
        self.editor.edit(lambda: self.fairlead.remove(f"{name}.yaml"),
                         lambda vips: name not in servers_of(vips))
        # It comes back Unknown: it serves when it has answered its checks.
        self.editor.edit(lambda: self.fairlead.put(f"{name}.yaml", real_server(name)),
                         lambda vips: name in servers_of(vips))
        self.fairlead.wait_health()

    def edit_ports(self, number):
        for ports in ("80,5014-5017,5021", "80,5014-5016"):
            self.editor.edit(lambda: self.put_web(ports),
                             lambda vips: vips["web"]["ports"] == ports)

    def edit_other_vip(self, number):
        port = 5018 + number % 2
        other = vip("other", ports=str(port), servers=[inline(name) for name in SERVERS])
        self.editor.edit(lambda: self.fairlead.put("other.yaml", other),
                         lambda vips: "other" in vips)
        self.editor.edit(lambda: self.fairlead.remove("other.yaml"),
                         lambda vips: "other" not in vips)

    def edit_drain(self, number):
        name = SERVERS[number % 3]
        for state in ("Drain", "Online"):
            self.editor.edit(
                lambda: self.fairlead.put(f"{name}.yaml", real_server(name, state=state)),
                lambda vips: servers_of(vips)[name]["state"] == state)

    def test_a_thousand_edits_under_load(self):
        self.editor = Editor(self.fairlead)
        targets = [(address, port) for address in (VIP4, VIP6) for port in (80, 5014, 5016)]
        load = Load(self.lab, targets, rate=150, long=24, long_interval=0.5, timeout=20)
        # Servers that come and go take a health check each time: one edit in 25 or so.
        kinds = [self.edit_weight] * 4 + [self.edit_ports, self.edit_other_vip, self.edit_drain]
        begin = time.monotonic()
        with cpu_pressure() as pressure:
            for number in itertools.count():
                if len(self.editor.seconds) >= EDITS:
                    break
                if number % 40 == 7:
                    self.edit_server_leaves_and_comes_back(number)
                else:
                    kinds[number % len(kinds)](number)
        seconds = time.monotonic() - begin
        report = load.stop()
        p50, p99 = self.editor.percentile(0.5), self.editor.percentile(0.99)
        self.figure(f"{len(self.editor.seconds)} edits in {seconds:.0f} s, in force after p50 "
                    f"{p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, max "
                    f"{max(self.editor.seconds) * 1000:.0f} ms; CPU pressure "
                    f"{pressure.share * 100:.0f} %")
        self.figure(report.summary())
        self.assert_no_failures(report)
        self.assertEqual(self.fairlead.metric("fairlead_server_sessions_cut_total"), 0)
        self.assertLess(p50, PROMISED)
        self.assertLess(p99, STARVED if pressure.is_starved else PROMISED)
