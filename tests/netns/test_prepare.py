"""`fairlead prepare-realserver --os linux`, run for real: the server owns the VIP and is silent
about it, twice the same, and --revert puts everything back."""

import os
import shutil
import socket
import struct
import subprocess
import time
import unittest

from harness import direct
from harness.fairlead import vip
from harness.load import load_once
from harness.netns import SERVERS, Lab, server_address
from harness.prepared import PreparedServer
from harness.servers import Nginx
from harness.wait import wait_until

VIP4, OTHER4 = "10.2.0.200", "10.2.0.201"
VIP6 = "fd02::200"
NAME = "srv1"
SETTINGS = [f"/proc/sys/net/ipv4/conf/{where}/{key}" for where in ("all", "eth0", "lo")
            for key in ("arp_ignore", "arp_announce", "rp_filter")]
SETTINGS.append("/proc/sys/net/ipv6/conf/lo/accept_dad")
ETH_P_ARP, ETH_P_IPV6, ETH_P_ALL = 0x0806, 0x86DD, 0x0003


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def arp_request(mac, sender, target):
    return (b"\xff" * 6 + mac + struct.pack("!HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, 1)
            + mac + socket.inet_aton(sender) + b"\0" * 6 + socket.inet_aton(target))


def neighbour_solicitation(mac, sender, target):
    """RFC 4861 section 4.3, to the solicited-node multicast address."""
    source, wanted = (socket.inet_pton(socket.AF_INET6, text) for text in (sender, target))
    group = socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:0")[:13] + wanted[13:]
    body = struct.pack("!BBHI", 135, 0, 0, 0) + wanted + b"\x01\x01" + mac
    pseudo = source + group + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    header = struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + source + group
    return b"\x33\x33" + group[12:] + mac + struct.pack("!H", ETH_P_IPV6) + header + body


def is_answer(frame, target):
    """An ARP reply or a neighbour advertisement for the target."""
    kind = struct.unpack("!H", frame[12:14])[0]
    if ":" not in target:
        return (kind == ETH_P_ARP and frame[20:22] == b"\0\x02"
                and frame[28:32] == socket.inet_aton(target))
    return (kind == ETH_P_IPV6 and frame[20] == 58 and frame[54] == 136
            and frame[62:78] == socket.inet_pton(socket.AF_INET6, target))


@unittest.skipIf(shutil.which("systemctl") is None, "systemctl is missing (package systemd)")
class PrepareTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.server = cls.lab[NAME]
        cls.neighbour = cls.lab["srv2"]
        cls.mac = {name: bytes.fromhex(cls.lab[name].run(
            "cat", "/sys/class/net/eth0/address").strip().replace(":", ""))
            for name in (NAME, "srv2")}
        cls.listener = cls.server.listen(7777)

    def setUp(self):
        self.prepared = PreparedServer(self.lab, NAME)
        self.folder = self.prepared.folder
        self.script = self.prepared.script
        self.before = self.state()

    def tearDown(self):
        self.script("--revert")
        self.assertEqual(self.state(), self.before)

    def state(self):
        addresses = self.server.run("ip", "-o", "address", "show")
        values = self.server.run("sh", "-c", f"grep -H . {' '.join(SETTINGS)}")
        return addresses, values, self.prepared.files()

    def setting(self, name):
        return self.server.run("cat", f"/proc/sys/{name}").strip()

    def answers(self, target):
        """Whether the server answers an ARP request or a neighbour solicitation for the target."""
        link = self.neighbour.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW,
                                   socket.htons(ETH_P_ALL))
        with link:
            link.bind(("eth0", ETH_P_ALL))
            mac = self.mac["srv2"]
            ask = neighbour_solicitation if ":" in target else arp_request
            frame = ask(mac, server_address("srv2", 6 if ":" in target else 4), target)
            deadline = time.monotonic() + 1
            link.settimeout(0.1)
            link.send(frame)
            while time.monotonic() < deadline:
                try:
                    if is_answer(link.recv(2048), target):
                        return True
                except TimeoutError:
                    pass
        return False

    def assert_serves(self, address):
        """A TCP connection by a frame to the server's MAC, as direct routing sends it."""
        mac = ":".join(f"{byte:02x}" for byte in self.mac[NAME])
        self.neighbour.run("ip", "neigh", "replace", address, "lladdr", mac, "dev", "eth0",
                           "nud", "permanent")
        self.addCleanup(self.neighbour.run, "ip", "neigh", "delete", address, "dev", "eth0")
        with self.neighbour.connect(address, 7777, timeout=5) as connection:
            self.assertEqual(connection.getpeername()[0], address)
        accepted, _ = self.listener.accept()
        accepted.close()

    def test_the_vip_is_owned_in_silence(self):
        for address in (VIP4, VIP6):
            self.lab.add_address(address, NAME, "eth0")
            self.assertTrue(self.answers(address), "an address on the LAN interface is told")
            self.lab.remove_address(address, NAME, "eth0")
        self.lab.add_address(VIP4, NAME, "lo")
        self.assertTrue(self.answers(VIP4), "the ARP problem is there")
        self.lab.remove_address(VIP4, NAME, "lo")
        output = self.script("--vip", VIP4, "--vip", VIP6)
        self.assertIn("This server owns the VIPs", output)
        self.assertNotIn("PROBLEM", output)
        for where in ("all", "eth0"):
            self.assertEqual(self.setting(f"net/ipv4/conf/{where}/arp_ignore"), "1")
            self.assertEqual(self.setting(f"net/ipv4/conf/{where}/arp_announce"), "2")
        for family, address in ((4, VIP4), (6, VIP6)):
            self.assertFalse(self.answers(address), address)
            self.assertTrue(self.answers(server_address(NAME, family)))
            self.assert_serves(address)
        addresses = self.server.run("ip", "-o", "address", "show", "dev", "lo")
        self.assertIn(f" {VIP4}/32 ", addresses)
        self.assertRegex(addresses, f" {VIP6}/128 scope global nodad deprecated")
        self.assertNotIn("tentative", addresses)

    def test_a_second_run_changes_nothing(self):
        self.script("--vip", VIP4, "--vip", VIP6)
        once = self.state()
        output = self.script("--vip", VIP4, "--vip", VIP6)
        self.assertEqual(self.state(), once)
        self.assertNotRegex(output, r"(?m)^(set|wrote|removed|restored|left)")
        self.assertIn("ok", self.script("--vip", VIP4, words=["--check"]))

    def test_the_list_is_the_list(self):
        self.script("--vip", VIP4, "--vip", OTHER4)
        output = self.script("--vip", OTHER4)
        self.assertIn(f"removed  {VIP4}/32 from lo", output)
        self.assertIn(OTHER4, self.state()[0])

    def test_what_was_there_before_stays(self):
        self.server.sysctl("net.ipv4.conf.eth0.arp_ignore", 2)  # stricter: good enough
        self.lab.add_address(OTHER4, NAME, "lo")
        self.before = self.state()
        self.script("--vip", VIP4, "--vip", OTHER4)
        self.assertEqual(self.setting("net/ipv4/conf/eth0/arp_ignore"), "2")
        self.tearDown()
        self.addCleanup(self.server.sysctl, "net.ipv4.conf.eth0.arp_ignore", 0)
        self.addCleanup(self.lab.remove_address, OTHER4, NAME, "lo")

    def test_what_somebody_changed_since_stays(self):
        self.script("--vip", VIP4)
        self.server.sysctl("net.ipv4.conf.all.arp_announce", 1)
        self.addCleanup(self.server.sysctl, "net.ipv4.conf.all.arp_announce", 0)
        self.assertIn("left     net/ipv4/conf/all/arp_announce = 1", self.script("--revert"))
        self.before = (self.before[0], self.state()[1], self.before[2])

    def test_the_check_finds_what_is_wrong(self):
        self.script("--vip", VIP4)
        self.server.sysctl("net.ipv4.conf.all.arp_ignore", 0)
        self.server.sysctl("net.ipv4.conf.eth0.arp_ignore", 0)
        self.lab.add_address(VIP4, NAME, "eth0")
        output = self.script("--vip", VIP4, "--vip", OTHER4, words=["--check"], code=1)
        self.assertIn("PROBLEM  eth0 answers ARP for the VIP: arp_ignore is 0 in force", output)
        self.assertIn(f"PROBLEM  {VIP4} is on eth0 too", output)
        self.assertIn(f"PROBLEM  {OTHER4}/32 is not on lo", output)
        self.lab.remove_address(VIP4, NAME, "eth0")
        self.script("--vip", VIP4)

    def test_mistakes_are_told_and_change_nothing(self):
        nobody = "setpriv --reuid 65534 --clear-groups"
        self.assertIn("must run as root", self.script("--vip", VIP4, code=1, wrapper=nobody))
        self.assertIn("no interface eth9; this host has: eth0 lo",
                      self.script("--vip", VIP4, "--interface", "eth9", code=1))
        self.assertIn("unknown argument", self.script("--vip", VIP4, words=["-n"], code=1))
        self.assertIn("Nothing to undo", self.script("--revert"))
        self.assertIn("only undoes", self.script("--revert", words=["--check"], code=1))
        with open(f"{self.folder}/etc/systemd/system/fairlead-realserver.service", "w") as file:
            file.write("somebody else's\n")
        self.assertIn("move it away first", self.script("--vip", VIP4, code=1))
        os.unlink(file.name)
        self.assertEqual(self.state(), self.before)

    def test_the_systemd_unit_is_valid(self):
        self.script("--vip", VIP4, "--vip", VIP6)
        unit = f"{self.folder}/etc/systemd/system/fairlead-realserver.service"
        verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True,
                                  text=True)
        self.assertEqual((verified.returncode, verified.stderr), (0, ""))
        with open(unit) as file:
            commands = [line.split("=", 1)[1] for line in file if line.startswith("ExecStart=")]
        self.assert_restores(commands)
        self.assertTrue(os.path.lexists(f"{self.folder}/etc/systemd/system/"
                                        "multi-user.target.wants/fairlead-realserver.service"))

    def assert_restores(self, commands):
        """What runs at the start of the host puts back exactly what the script set."""
        before = self.server.run("ip", "-o", "address", "show", "dev", "lo")
        for address in (f"{VIP4}/32", f"{VIP6}/128"):
            self.server.run("ip", "address", "delete", address, "dev", "lo")
        for command in commands:
            self.assertEqual(self.prepared.run(command).returncode, 0, command)
        self.assertEqual(self.server.run("ip", "-o", "address", "show", "dev", "lo"), before)

    def test_ifupdown(self):
        self.script("--vip", VIP4, "--vip", VIP6, "--persist", "ifupdown")
        hook = "/etc/network/if-up.d/fairlead-realserver"
        self.assertTrue(os.access(self.folder + hook, os.X_OK))
        self.assert_restores([f"IFACE=eth0 {hook}", f"IFACE=lo {hook}", f"IFACE=lo {hook}"])
        # Another way of persistence takes the place of the first.
        self.script("--vip", VIP4, "--vip", VIP6, "--persist", "netplan")
        self.assertFalse(os.path.exists(self.folder + hook))

    def test_netplan(self):
        self.script("--vip", VIP4, "--vip", VIP6, "--persist", "netplan")
        path = f"{self.folder}/etc/netplan/90-fairlead-realserver.yaml"
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path) as file:
            self.assertEqual(file.read().split("\n", 1)[1], f"""network:
  version: 2
  ethernets:
    lo:
      match:
        name: lo
      addresses:
        - "{VIP4}/32"
        - "{VIP6}/128":
            lifetime: 0
""")

    def test_the_settings_survive_a_reboot(self):
        self.script("--vip", VIP4)
        path = "/etc/sysctl.d/90-fairlead-realserver.conf"
        for where in ("all", "eth0"):
            self.server.sysctl(f"net.ipv4.conf.{where}.arp_ignore", 0)
            self.server.sysctl(f"net.ipv4.conf.{where}.arp_announce", 0)
        done = self.prepared.run(f"sysctl -q -p {path}")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("eth0 answers ARP for its own addresses only",
                      self.script("--vip", VIP4, words=["--check"]))


@unittest.skipIf(shutil.which("systemctl") is None, "systemctl is missing (package systemd)")
class PreparedServersTest(unittest.TestCase):
    """Direct routing to servers that nobody but the script has prepared."""

    def test_clients_reach_every_prepared_server(self):
        lab = direct.DirectLab()
        self.addCleanup(lab.close)
        for name in SERVERS:
            for address in (direct.VIP4, direct.VIP6):
                lab.remove_address(address, name, "lo")
            for key in ("arp_ignore", "arp_announce"):
                lab[name].sysctl(f"net.ipv4.conf.all.{key}", 0)
            PreparedServer(lab, name).script("--vip", direct.VIP4, "--vip", direct.VIP6)
            Nginx(lab, name)
        inline = [{"name": f"{name}{suffix}", "address": server_address(name, family)}
                  for name in SERVERS for suffix, family in (("", 4), ("-6", 6))]
        fairlead = direct.DirectFairlead(lab, [vip(
            addresses=(direct.VIP4, direct.VIP6), servers=inline, mode="DR")])
        problem = fairlead.vip_status()["problem"]
        if "load the BPF program" in problem:
            self.skipTest(f"THIS HOST REFUSES BPF: {problem}")
        wait_until(lambda: all(s["health"]["state"] == "Up" and not s["problem"]
                               for s in fairlead.vip_status()["servers"]), 20,
                   lambda: f"all are up: {fairlead.vip_status()}")
        report = load_once(lab, ((direct.VIP4, 80), (direct.VIP6, 80)), rate=300, count=300)
        self.assertEqual(report.failed, 0, f"{report.summary()}\n{report.failures[:10]}")
        self.assertEqual(set(report.by_server), set(SERVERS))
        fairlead.remove("main.yaml")  # takes the program and its maps away
        wait_until(lambda: fairlead.pinned() == [], 5, "nothing is pinned any more")


if __name__ == "__main__":
    unittest.main()
