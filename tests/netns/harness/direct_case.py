"""The base of the test cases of direct routing: one lab a class; a daemon a test, which takes its
maps away when it ends."""

from .case import LabCase
from .direct import DirectFairlead, DirectLab
from .netns import SERVERS
from .servers import Nginx
from .wait import wait_until


class DirectCase(LabCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = DirectLab()
        cls.addClassCleanup(cls.lab.close)
        cls.nginx = {name: Nginx(cls.lab, name, ports=(80, 5014)) for name in SERVERS}

    def serve(self, *objects, up, arguments=()):
        """A daemon with these objects, once so many real servers are up."""
        self.fairlead = DirectFairlead(self.lab, objects, arguments=arguments)
        self.addCleanup(self.end)
        problem = self.fairlead.vip_status()["problem"]
        if "load the BPF program" in problem:
            self.skipTest(f"THIS HOST REFUSES BPF: {problem}")
        self.wait_up(up)

    def end(self):
        if not self.fairlead.processes:
            self.fairlead.start()
        self.fairlead.wait_ready()
        self.fairlead.remove("main.yaml")  # an empty configuration takes everything away
        wait_until(lambda: self.fairlead.pinned() == [], 5, "nothing is pinned any more")
        self.fairlead.stop()

    def wait_up(self, count):
        def up():
            servers = self.fairlead.vip_status()["servers"]
            return sum(s["health"]["state"] == "Up" and not s["problem"] for s in servers) == count
        wait_until(up, 20, lambda: f"{count} servers are up: {self.fairlead.vip_status()}")
