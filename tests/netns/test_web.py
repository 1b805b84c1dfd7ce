"""The web page in a real browser, against a real daemon with real servers; and what it refuses."""

import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import unittest

from harness.case import LabCase
from harness.fairlead import Fairlead, vip
from harness.netns import SERVERS, VIP4
from harness.servers import PORTS
from harness.wait import wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
DRIVER = os.path.join(ROOT, "web/tests/browser.mjs")
ASSETS = os.path.join(ROOT, "pkg/web/assets")
SHOTS = os.environ.get("FAIRLEAD_SHOTS", "/tmp/fairlead-web-shots")
BALANCER = "10.1.0.1"
PASSWORD = "correct horse battery"
HOSTILE = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"


def reason_without_browser():
    if shutil.which("chromium") is None or shutil.which("node") is None:
        return "NO BROWSER: deploy/setup web"
    if not os.path.isdir(os.path.join(ROOT, "web/node_modules/playwright-core")):
        return "NO BROWSER DRIVER: web/build --tools"
    return None


class WebCase(LabCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fairlead = Fairlead(cls.lab, cls.objects())
        cls.state = os.path.join(cls.lab.directory, "browser-state.json")
        cls.code = re.search(r"code=(\S+)", cls.fairlead.log()).group(1)

    def browse(self, scenario, **given):
        given = {"url": f"https://{BALANCER}:9443/", "shots": os.path.abspath(SHOTS),
                 "state": self.state, "chromium": shutil.which("chromium"), **given}
        with self.lab.client.popen(["timeout", "120", "node", DRIVER, scenario, json.dumps(given)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL, text=True) as process:
            out, error = process.communicate()
        self.assertEqual(process.returncode, 0, f"{error}\n{self.fairlead.log()[-3000:]}")
        return json.loads(out)

    def request(self, method, path, body=None, headers=None, source="client", version=None):
        """(status, headers, body) over TLS from a namespace of the lab."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if version is not None:
            context.minimum_version = context.maximum_version = version
        connection = http.client.HTTPConnection(BALANCER, 9443)
        raw = self.lab[source].connect(BALANCER, 9443)
        connection.sock = context.wrap_socket(raw, server_hostname="lb1")
        fields = {"Content-Type": "application/json", **(headers or {})}
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, fields)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()


@unittest.skipIf(reason_without_browser(), reason_without_browser())
class PageTest(WebCase):
    """One day of an operator; the tests run in the order of their names."""

    @classmethod
    def objects(cls):
        return [vip("dispatcher", ports=PORTS, servers=SERVERS, timeouts={"drainSeconds": 600})]

    def test_1_first_visit_sets_a_password_with_the_code_of_the_log(self):
        self.fairlead.wait_health(vip_name="dispatcher")
        self.browse("firstVisit", code=self.code, password=PASSWORD)
        log = self.fairlead.log()
        self.assertIn("first password set", log)
        self.assertNotIn(PASSWORD, log)
        users = os.path.join(self.fairlead.state, "web/users.json")
        self.assertEqual(os.stat(users).st_mode & 0o777, 0o600)
        with open(users) as file:
            self.assertNotIn(PASSWORD, file.read())

    def test_2_a_killed_server_is_down_with_its_reason(self):
        seen = self.browse("look", server="srv2", word="Up", title="3-all-up",
                           headline="Every VIP serves clients.")
        self.assertIn("TCP connect in", seen["reason"])
        self.nginx["srv2"].stop()
        try:
            seen = self.browse("look", server="srv2", word="DOWN", title="3-one-down",
                               headline="1 of 3 real servers is down")
            self.assertIn("connect refused by 10.2.0.12:80", seen["reason"])
            self.assertRegex(seen["since"], r"^\d+s$")
            self.assertEqual(seen["first"], "srv2")
        finally:
            self.nginx["srv2"].start()
        self.fairlead.wait_health(vip_name="dispatcher")

    def test_3_drain_by_click_lets_its_client_finish(self):
        held = {}
        while "srv1" not in held:  # one connection a server
            connection = self.lab.client.connect(VIP4, 80)
            connection.sendall(b"GET /who HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = connection.recv(4096).decode()
            held.setdefault(re.search(r"X-Server: (\S+)", answer).group(1), connection)
        seen = self.browse("drainAndBack", server="srv1")
        self.assertRegex(seen["draining"], r"^\d+ left, deadline \d\d:\d\d:\d\d \(in 9m ")
        status = self.fairlead.server_status("srv1", "dispatcher")
        self.assertEqual(status["state"], "Drain")
        self.assertIn("Online -> Drain by user admin of the web page (10.1.0.2:", self.fairlead.log())
        # The connected one stays; new ones go elsewhere.
        held["srv1"].sendall(b"GET /who HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn("X-Server: srv1", held["srv1"].recv(4096).decode())
        for _ in range(12):
            connection = self.lab.client.connect(VIP4, 80)
            connection.sendall(b"GET /who HTTP/1.0\r\n\r\n")
            self.assertNotIn("X-Server: srv1", connection.recv(4096).decode())
            connection.close()
        for connection in held.values():
            connection.close()
        self.fairlead.cli("online", "srv1")

    def test_4_halt_asks_first(self):
        self.assertIn("no connection now", self.browse("halt", server="srv3")["text"])

    def test_5_a_forged_request_changes_nothing(self):
        seen = self.browse("forge", server="srv1", blocks=True)
        self.assertEqual((seen["withoutToken"], seen["wrongToken"], seen["asForm"]), (403, 403, 415))
        self.assertEqual(seen["cookie"], "")  # no script sees the session's
        self.assertIn("innerHTML", seen["blocked"])
        self.assertEqual(self.fairlead.server_status("srv1", "dispatcher")["state"], "Online")

    def test_6_hostile_text_is_shown_as_text(self):
        self.fairlead.put("hostile.yaml", vip(HOSTILE, ports="81"))
        wait_until(lambda: any("onerror" in line for line in self.fairlead.findings()), 10,
                   "the finding is there")
        seen = self.browse("hostile", text="onerror=window.hacked=1")
        self.assertEqual(seen, {"scripts": 1, "images": ["/icon.svg"], "hacked": False})
        self.fairlead.remove("hostile.yaml")

    def test_7_details_say_where_an_object_comes_from(self):
        seen = self.browse("details", vip="dispatcher", server="srv3")
        for text in ("main.yaml:1:1", "WeightedLeastConnections", "every 500ms", "TCP 80,443,5014"):
            self.assertIn(text, seen["vip"])
        self.assertIn("Online, by the manifest", seen["server"])

    def test_8_it_fits_a_phone(self):
        self.assertEqual(self.browse("looks")["overflow"], 0)

    def test_8_nothing_is_inaccessible(self):
        self.nginx["srv2"].stop()  # every colour is on the page
        self.fairlead.wait_health("Down", ("srv2",), vip_name="dispatcher")
        try:
            for place, faults in self.browse("accessible").items():
                self.assertEqual(faults, [], place)
        finally:
            self.nginx["srv2"].start()

    def test_9_a_viewer_sees_and_changes_nothing(self):
        self.assertEqual(self.browse("viewer")["buttons"], 0)


@unittest.skipIf(reason_without_browser(), reason_without_browser())
class LargeTest(WebCase):
    """500 VIPs with ten real servers each: no address of theirs is anywhere, and none is checked."""

    VIPS = 500
    SERVERS = 10

    @classmethod
    def objects(cls):
        made = []
        for i in range(cls.VIPS):
            servers = [{"name": f"print-{i}-{j}", "address": f"10.{64 + j}.{i // 250}.{i % 250 + 1}"}
                       for j in range(cls.SERVERS)]
            made.append({"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "VIP",
                         "metadata": {"name": f"site-{i}"},
                         "spec": {"addresses": [f"10.9.{i // 250}.{i % 250 + 1}"], "ports": "9100",
                                  "healthCheck": {"type": "None"},
                                  "realServers": {"list": servers}}})
        return made

    def test_thousands_of_rows_stay_smooth(self):
        self.browse("firstVisit", code=self.code, password=PASSWORD)
        seen = self.browse("large", rows=self.VIPS * (self.SERVERS + 1) // 2, filter="print-444-7")
        self.figure(f"{self.VIPS} VIPs, {self.VIPS * self.SERVERS} real servers: "
                    f"{seen['inDocument']} rows in the document, frames while scrolling "
                    f"{seen['frameMedian']:.0f} ms median, {seen['frameP95']:.0f} ms at 95 %; "
                    f"filtered in {seen['filtered']} ms")
        self.assertLess(seen["inDocument"], 80)


class ProtocolTest(WebCase):
    """What needs no browser."""

    @classmethod
    def objects(cls):
        return [vip("web", servers=SERVERS)]

    def test_headers_and_files(self):
        for name in ("index.html", "app.js", "app.css", "icon.svg"):
            path = "/" if name == "index.html" else f"/{name}"
            status, headers, body = self.request("GET", path)
            with open(os.path.join(ASSETS, name)) as file:
                self.assertEqual((status, body), (200, file.read()), name)
            policy = headers["Content-Security-Policy"]
            self.assertIn("default-src 'none'; script-src 'self'", policy)
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")

    def test_tls(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(self.request("GET", "/", version=version)[0], 200)
        with self.assertRaises((ssl.SSLError, OSError)):
            self.request("GET", "/", version=ssl.TLSVersion.TLSv1_1)
        plain = self.lab.client.connect(BALANCER, 9443)
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertNotIn(b"HTTP/1.1 200", plain.recv(4096))
        plain.close()

    def test_nothing_without_signing_in(self):
        for path in ("/web/v1/overview", "/api/v1/status", "/api/v1/findings", "/metrics"):
            status, _, body = self.request("GET", path)
            self.assertEqual(status, 401, path)
            self.assertNotIn("srv1", body)
        status, _, _ = self.request("POST", "/api/v1/servers/state",
                                    {"server": "srv1", "state": "Halt"})
        self.assertEqual(status, 401)
        self.assertEqual(self.fairlead.server_status("srv1")["state"], "Online")

    def test_wrong_passwords_must_wait(self):
        wrong = {"user": "admin", "password": "wrong password"}
        statuses = [self.request("POST", "/web/v1/login", wrong)[0] for _ in range(5)]
        self.assertEqual(statuses, [403] * 5)
        status, headers, body = self.request("POST", "/web/v1/login", wrong)
        self.assertEqual(status, 429, body)
        self.assertGreaterEqual(int(headers["Retry-After"]), 1)
        # Another client is another matter.
        self.assertEqual(self.request("POST", "/web/v1/login", wrong, source="balancer")[0], 403)

    def test_silent_clients_hold_nobody_up_for_long(self):
        silent = [self.lab.client.connect(BALANCER, 9443) for _ in range(64)]
        try:
            self.assertEqual(self.fairlead.get("/readyz")[0], 200)
            self.assertEqual(self.request("GET", "/")[0], 200)
        finally:
            for connection in silent:
                connection.close()

    def test_a_taken_port_is_a_warning_unless_it_was_asked_for(self):
        taken = self.lab.balancer.listen(9444)
        asked = Fairlead(self.lab, [vip("web", servers=SERVERS)], start=False,
                         arguments=["--web", "0.0.0.0:9444"])
        asked.ADMIN = ("127.0.0.1", 9081)
        process = asked.start(ready=False)
        self.assertEqual(process.wait(20), 1)
        self.assertIn("web page: listen on 0.0.0.0:9444", asked.log())
        taken.close()
        # The first daemon has the default port.
        unasked = Fairlead(self.lab, [], start=False)
        unasked.ADMIN = ("127.0.0.1", 9081)
        unasked.start()
        self.assertIn("there is no web page", " ".join(unasked.status()["warnings"]))
        none = Fairlead(self.lab, [], start=False, arguments=["--web", "none"])
        none.ADMIN = ("127.0.0.1", 9082)
        none.start()
        self.assertEqual(none.status()["warnings"], [])

    def test_the_default_page_leaves_a_vip_its_port(self):
        portal = Fairlead(self.lab, [vip("portal", ports="9443", servers=SERVERS)], start=False)
        portal.ADMIN = ("127.0.0.1", 9083)
        portal.start()
        self.assertIn("port 9443 is VIP default/portal's", " ".join(portal.status()["warnings"]))


