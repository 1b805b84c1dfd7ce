"""Real daemons behind a VIP with the guide's port list: every port answers, every byte is right."""

import hashlib
import os
import re
import subprocess

from harness.case import LabCase
from harness.fairlead import Fairlead, vip
from harness.load import load_once
from harness.netns import SERVERS, VIP4, VIP6
from harness.servers import PORT_LIST, PORTS, TLS_PORT, Cupsd, Sshd, make_certificate

MEGABYTE = 1 << 20


def url_host(address):
    return f"[{address}]" if ":" in address else address


def file_hash(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class PortsTest(LabCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fairlead = Fairlead(cls.lab, [
            vip("dispatcher", ports=PORTS, servers=SERVERS),
            vip("ssh", ports="22", servers=SERVERS,
                check={"type": "SendExpect", "sendExpect": {"expect": "SSH-2.0"}}),
            vip("ipp", ports="631", servers=SERVERS,
                check={"type": "HTTP", "http": {"path": "/", "expectedStatuses": "200-499"}}),
            vip("iperf", ports="5201", servers=SERVERS, persistence={"type": "SourceIP"},
                check={"type": "None"})])

    def curl(self, *arguments):
        return self.lab.client.run("curl", "-sS", "--fail", "--max-time", "100", *arguments)

    def test_every_port_of_the_list_answers(self):
        targets = [(address, port) for port in PORT_LIST if port != TLS_PORT
                   for address in (VIP4, VIP6)]
        report = load_once(self.lab, targets, rate=400, count=len(targets) * 12)
        self.assert_no_failures(report)
        self.assertEqual(sorted(report.by_server), list(SERVERS))
        certificate, _ = make_certificate(self.lab)
        for address in (VIP4, VIP6):
            for _ in range(3):
                answer = self.curl("--cacert", certificate, "--connect-to",
                                   f"vip:443:{url_host(address)}:443", "https://vip/who")
                self.assertRegex(answer, r"^srv[123] 443\n$")
        ports = {p["port"]: p["connectionsTotal"]
                 for p in self.fairlead.vip_status("dispatcher")["portCounters"]}
        for port in PORT_LIST:
            self.assertEqual(ports[port], 6 if port == TLS_PORT else 24, f"port {port}")
        self.figure(f"{len(PORT_LIST)} ports, IPv4 and IPv6: {report.summary()}")

    def test_large_downloads_keep_every_byte(self):
        source = os.path.join(self.lab.directory, "files", "large")
        with open(source, "wb") as file:
            file.write(os.urandom(48 * MEGABYTE))
        wanted = file_hash(source)
        fetches = []
        for i, (address, port) in enumerate(((VIP4, 80), (VIP6, 5014), (VIP4, 50001), (VIP6, 80))):
            target = os.path.join(self.lab.directory, f"download-{i}")
            fetches.append((target, self.lab.client.popen(
                ["curl", "-sS", "--fail", "--max-time", "100", "-o", target,
                 f"http://{url_host(address)}:{port}/files/large"])))
        for target, process in fetches:
            self.assertEqual(process.wait(110), 0)
            self.assertEqual(file_hash(target), wanted)
            os.unlink(target)
        self.figure(f"4 downloads of 48 MiB at once, hashes equal; "
                    f"{self.fairlead.metric('fairlead_splice_promotions_total'):.0f} spliced "
                    "directions")

    def test_large_uploads_keep_every_byte(self):
        for i, (address, port) in enumerate(((VIP4, 80), (VIP6, 5022))):
            source = os.path.join(self.lab.directory, f"upload-{i}")
            with open(source, "wb") as file:
                file.write(os.urandom(32 * MEGABYTE))
            head = self.curl("-i", "-H", "Expect:", "-T", source,
                             f"http://{url_host(address)}:{port}/put/{i}")
            server = re.search(r"X-Server: (\w+)", head, re.I).group(1)
            stored = os.path.join(self.nginx[server].directory, "put", str(i))
            self.assertEqual(file_hash(stored), file_hash(source))
            os.unlink(source)
            os.unlink(stored)

    def test_tls_download_keeps_every_byte(self):
        source = os.path.join(self.lab.directory, "files", "secret")
        target = os.path.join(self.lab.directory, "secret")
        with open(source, "wb") as file:
            file.write(os.urandom(8 * MEGABYTE))
        certificate, _ = make_certificate(self.lab)
        self.curl("--cacert", certificate, "--connect-to", f"vip:443:{VIP4}:443", "-o", target,
                  "https://vip/files/secret")
        self.assertEqual(file_hash(target), file_hash(source))

    def test_wrk_sees_no_errors(self):
        output = self.lab.client.run("wrk", "-t1", "-c50", "-d3s", f"http://{VIP4}/who")
        self.assertNotIn("Socket errors", output)
        self.assertNotIn("Non-2xx", output)
        self.figure(re.search(r"Requests/sec:\s+\S+", output).group(0))

    def test_iperf3_in_both_directions(self):
        servers = [self.lab[name].popen(["iperf3", "-s"], stdout=subprocess.DEVNULL)
                   for name in SERVERS]
        try:
            # Its control and data connections must reach one server: persistence.
            for direction in ([], ["-R"]):
                output = self.lab.client.run(
                    "sh", "-c", "for try in 1 2 3 4 5; do iperf3 -t 2 -P 2 " +
                    " ".join(direction) + f" -c {VIP4} && exit 0; sleep 0.2; done; exit 1")
                line = [line for line in output.splitlines()
                        if "SUM" in line and "receiver" in line][-1]
                self.figure(f"{' '.join(direction) or 'to the servers'}: {line.strip()}")
        finally:
            for server in servers:
                server.terminate()
                server.wait()

    def test_ssh_and_a_file_through_it(self):
        sshd = [Sshd(self.lab, name) for name in SERVERS]
        self.fairlead.wait_health(vip_name="ssh")
        source = os.path.join(self.lab.directory, "ssh-file")
        with open(source, "wb") as file:
            file.write(os.urandom(4 * MEGABYTE))
        ssh = ["ssh", "-i", sshd[0].client_key, "-o", "StrictHostKeyChecking=no", "-o",
               "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", f"root@{VIP4}"]
        seen = {self.lab.client.run(*ssh, "echo $SERVER").strip() for _ in range(6)}
        self.assertEqual(seen, set(SERVERS))
        with open(source, "rb") as file:
            self.assertEqual(self.lab.client.run(*ssh, "sha256sum", stdin=file).split()[0],
                             file_hash(source))
        for daemon in sshd:
            daemon.stop()
        self.fairlead.wait_health("Down", vip_name="ssh")
        self.assertIn("connection refused", self.fairlead.server_status("srv1", "ssh")["health"]
                      ["reason"].lower().replace("connect refused", "connection refused"))

    def test_cups_behind_an_http_check(self):
        daemons = [Cupsd(self.lab, name) for name in SERVERS]
        self.fairlead.wait_health(vip_name="ipp")
        for address in (VIP4, VIP6):
            head = self.lab.client.run("curl", "-sS", "-i", "--max-time", "20",
                                       f"http://{url_host(address)}:631/")
            self.assertIn("CUPS", head)
        reason = self.fairlead.server_status("srv1", "ipp")["health"]["reason"]
        self.figure(f"health of cupsd: {reason}")
        # HTTP/1.1 without Host is what cupsd refuses with 400: the check must not see it.
        self.assertNotIn("400", reason)
        for daemon in daemons:
            daemon.stop()
