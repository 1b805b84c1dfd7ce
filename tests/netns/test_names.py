"""Real servers by host name: resolved, followed when the record changes, kept in an outage."""

import http.client

from harness.case import LabCase
from harness.dns import NameServer
from harness.fairlead import Fairlead, vip
from harness.netns import VIP4, server_address
from harness.wait import wait_until

NAME = "print1.example.test"
REFRESH = 40  # the resolver asks every 27 to 33 s


class NamesTest(LabCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.names = NameServer(cls.lab, {NAME: [server_address("srv1")]})
        cls.fairlead = Fairlead(cls.lab, [vip(addresses=[VIP4], servers=[
            {"name": "named", "address": NAME}])])

    def connection(self):
        made = http.client.HTTPConnection(VIP4, 80, timeout=5)
        made.sock = self.lab.client.connect(VIP4, 80)
        return made

    @staticmethod
    def ask(connection):
        connection.request("GET", "/who")
        return connection.getresponse().read().decode().split()[0]

    def test_a_name_is_resolved_followed_and_kept(self):
        self.fairlead.wait_health(servers=["named"])
        self.assertEqual(self.fairlead.server_status("named")["address"], server_address("srv1"))
        established = self.connection()
        self.assertEqual(self.ask(established), "srv1")
        self.assertIn(f"{NAME} = {server_address('srv1')}",
                      self.fairlead.cli("explain", "--client", "10.1.0.2", "--vip",
                                        f"{VIP4}:80")[1])

        # The record changes: new connections go there, the established one stays where it is.
        self.names.records[NAME] = [server_address("srv2")]
        wait_until(lambda: self.fairlead.server_status("named")["address"] ==
                   server_address("srv2"), REFRESH, "the new address is used")
        self.assertEqual(self.ask(self.connection()), "srv2")
        self.assertEqual(self.ask(established), "srv1")
        self.assertIn(f"{server_address('srv1')} -> {server_address('srv2')}", self.fairlead.log())

        # An outage: the last address stays, and the status says why it may be old.
        self.fairlead.wait_health(servers=["named"])
        self.names.silent = True
        wait_until(lambda: self.fairlead.server_status("named")["nameProblem"], REFRESH,
                   "the failure is told")
        self.assertEqual(self.ask(self.connection()), "srv2")
        self.assertIn("last known address", self.fairlead.cli("status", "--output", "table")[1])
        self.assertIn("real server's name does not resolve", self.fairlead.log())
        self.assertEqual(self.fairlead.metric("fairlead_server_name_resolves", server="named"), 0)

        # A server that is down may have moved: its name is asked for more often.
        self.names.silent = False
        self.nginx["srv2"].crash()
        self.fairlead.wait_health("Down", servers=["named"])
        self.names.records[NAME] = [server_address("srv3")]
        wait_until(lambda: self.fairlead.server_status("named")["address"] ==
                   server_address("srv3"), 10, "the new address is found soon")
        self.fairlead.wait_health(servers=["named"])
        self.assertEqual(self.ask(self.connection()), "srv3")

        # A name that never resolved is no server, and the reason is told.
        self.fairlead.apply("main.yaml", vip(addresses=[VIP4], servers=[
            {"name": "named", "address": NAME},
            {"name": "typo", "address": "prnt1.example.test"}]))
        wait_until(lambda: self.fairlead.server_status("typo")["nameProblem"], 10,
                   "the typo is told")
        self.assertIn("name does not resolve", self.fairlead.server_status("typo")["health"]["reason"])
        self.assertEqual(self.ask(self.connection()), "srv3")

    def test_stopping_does_not_wait_for_a_lookup(self):
        self.names.silent = True
        asked = self.names.asked
        self.fairlead.apply("main.yaml", vip(addresses=[VIP4], servers=[
            {"name": "other", "address": "other.example.test"}]))
        wait_until(lambda: self.names.asked > asked, 10, "it is asked for")
        self.fairlead.stop(seconds=1)
        self.names.silent = False
        self.fairlead.start()
