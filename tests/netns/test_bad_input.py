"""Bad configuration, end to end: a clear error in check, log and status; the rest keeps working."""

import json
import os
import shutil
import time

from harness.case import LabCase
from harness.fairlead import API, Fairlead, vip
from harness.load import Load, load_once
from harness.netns import SERVERS, VIP4, VIP6, server_address
from harness.wait import wait_until

GOOD = vip("web", servers=SERVERS)
OTHER = "10.1.0.101"


def text_vip(name="bad", **fields):
    """A VIP as YAML text with fields replaced by raw text; None leaves one out."""
    made = {"addresses": f"[{OTHER}]", "ports": '"81"', "realServers":
            f"{{list: [{{name: srv1, address: {server_address('srv1')}, port: 80}}]}}", **fields}
    lines = [f"apiVersion: {API}", "kind: VIP", f"metadata: {{name: {name}}}", "spec:"]
    lines += [f"  {field}: {text}" for field, text in made.items() if text is not None]
    return "\n".join(lines) + "\n"


def yaml_bomb():
    lines = ["a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    return "\n".join(lines) + "\n"


# name: (content, words that the finding must have)
CASES = {
    "bomb": (yaml_bomb(), ["alias"]),
    "deep": ("[" * 100_000, ["nest"]),
    "wrong-type": (text_vip(ports="{a: b}"), ["spec.ports"]),
    "number-for-list": (text_vip(addresses="7"), ["spec.addresses", "list"]),
    "text-for-number": (text_vip(maxConnections="many"), ["spec.maxConnections", "many"]),
    "unknown-field": (text_vip(prots='"80"'), ["prots", "ports"]),
    "unknown-preset": (text_vip(presets="[konika-minolta]"), ["konika-minolta", "konica-minolta"]),
    "port-zero": (text_vip(ports='"80,0"'), ["spec.ports", "0"]),
    "port-too-large": (text_vip(ports='"70000"'), ["70000", "65535"]),
    "reversed-range": (text_vip(ports='"90-80"'), ["90-80"]),
    "empty-item": (text_vip(ports='"80,,81"'), ["spec.ports"]),
    "bad-address": (text_vip(addresses="[10.1.0.400]"), ["10.1.0.400"]),
    "no-address": (text_vip(addresses=None), ["spec.addresses"]),
    "unknown-kind": (text_vip().replace("kind: VIP", "kind: VPI"), ["VPI", "kind"]),
    "unknown-version": (text_vip().replace("v1alpha1", "v9"), ["v9", "v1alpha1"]),
    "unknown-scheduler": (text_vip(scheduler="RoundRobin"), ["RoundRobin", "WeightedRoundRobin"]),
    "duplicate-key": (text_vip() + "  ports: \"82\"\n", ["ports", "twice"]),
    "conflicting-vip": (text_vip(addresses=f"[{VIP4}]", ports='"79-81"'),
                        ["port 80", VIP4, "default/web"]),
    "own-port": (text_vip(addresses="[127.0.0.1]", ports='"9080"'), ["9080", "Fairlead's own"]),
    "auto-udp": (text_vip(mode="Auto", protocol="UDP"), ["not supported yet", "Auto", "DR"]),
    "udp": (text_vip(protocol="UDP"), ["not supported yet", "UDP"]),
    "weight": (text_vip(realServers="{list: [{name: s, address: 10.2.0.11, weight: 70000}]}"),
               ["weight", "65535"]),
    "duplicate-server": (text_vip(realServers="{list: [{address: 10.2.0.11},"
                                  " {address: 10.2.0.11}]}"), ["10.2.0.11", "twice"]),
    "tab": (text_vip() + "\tports: 80\n", ["bad.yaml:"]),
    "syntax": ("{unclosed: [1, 2\n", ["bad.yaml:"]),
    "not-utf8": (text_vip().encode() + b"# \xff\xfe caf\xe9\n", ["UTF-8"]),
    "utf16": (text_vip().encode("utf-16"), ["UTF-8"]),
    "control": (text_vip().encode() + b"# \x00\x01\n", ["bad.yaml:"]),
    "binary": (bytes(range(256)) * 64, ["UTF-8"]),
    "empty": ("", ["empty"]),
    "ten-megabytes": ("# " + "x" * (10 << 20) + "\n", ["10"]),
    "half-written": (text_vip()[:90], ["bad.yaml:"]),
    "null-byte-name": (text_vip(name='"a\\0b"'), ["metadata.name"]),
    "long-name": (text_vip(name="n" * 300), ["metadata.name"]),
}


class BadInputTest(LabCase):
    servers = ("srv1", "srv2", "srv3")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.add_address(OTHER)
        cls.fairlead = Fairlead(cls.lab, [GOOD])
        cls.fairlead.wait_health()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.restore)

    def restore(self):
        for name in os.listdir(self.fairlead.config):
            if name != "main.yaml":
                path = os.path.join(self.fairlead.config, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        wait_until(lambda: not self.errors(), 10, "the errors are gone")

    def errors(self):
        return [line for line in self.fairlead.findings() if line.startswith("error")]

    def test_every_kind_of_bad_file(self):
        load = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=100, long=6)
        worst = 0
        for name, (content, words) in CASES.items():
            with self.subTest(name):
                raw = content if isinstance(content, bytes) else content.encode()
                self.restore()
                begin = time.monotonic()
                self.fairlead.put_bytes("bad.yaml", raw)
                errors = wait_until(self.errors, 10, f"{name}: a finding")
                worst = max(worst, time.monotonic() - begin)
                text = "\n".join(errors)
                for word in words:
                    self.assertIn(word, text, name)
                self.assertIn("bad.yaml", text)
                self.assertLess(len(text), 20_000, name)
                if name == "own-port":
                    continue  # `check` does not know where a daemon listens
                # The same words on the command line.
                code, output = self.fairlead.cli("check", self.fairlead.config, ok=False,
                                                 timeout=20)
                self.assertEqual(code, 1, output[:2000])
                for word in words:
                    self.assertIn(word, output, name)
                self.assertGreater(self.fairlead.metric("fairlead_config_rejected"), 0)
                self.assertEqual(self.fairlead.vip_status("web")["problem"], "")
        self.restore()
        self.assert_no_failures(load.stop())
        self.assertIn("bad.yaml", self.fairlead.log())
        self.figure(f"{len(CASES)} kinds, each told after at most {worst * 1000:.0f} ms; memory "
                    f"{self.fairlead.memory_kb()['rss'] // 1024} MiB")

    def test_a_bad_object_beside_good_ones_in_one_file(self):
        self.fairlead.put("more.yaml", text_vip("bad", ports='"0"'), text_vip("good"))
        wait_until(self.errors, 10, "a finding")
        wait_until(lambda: self.fairlead.vip_status("good"), 10, "the good one is served")
        self.assertIsNone(self.fairlead.vip_status("bad"))
        self.assert_no_failures(load_once(self.lab, [(OTHER, 81, 80)], count=10))

    def test_the_last_good_version_stays_in_force(self):
        self.fairlead.put("more.yaml", text_vip("late"))
        wait_until(lambda: self.fairlead.vip_status("late"), 10, "it is served")
        for broken in (text_vip("late", ports='"0"'), text_vip("late")[:110], ""):
            self.fairlead.put("more.yaml", broken)
            wait_until(self.errors, 10, "a finding")
            self.assert_no_failures(load_once(self.lab, [(OTHER, 81, 80)], count=10))
        code, output = self.fairlead.cli("status", "--output", "table")
        self.assertIn("last good version", output)
        self.fairlead.put("more.yaml", text_vip("late", ports='"82"'))
        wait_until(lambda: self.fairlead.vip_status("late")["ports"] == "82", 10, "the new version")
        self.assertEqual(self.errors(), [])

    def test_a_file_that_is_written_slowly(self):
        load = Load(self.lab, [(VIP4, 80)], rate=100)
        self.fairlead.put("more.yaml", text_vip("slow"))
        wait_until(lambda: self.fairlead.vip_status("slow"), 10, "it is served")
        path = os.path.join(self.fairlead.config, "more.yaml")
        for _ in range(3):
            text = text_vip("slow")
            with open(path, "w", buffering=1) as file:
                for piece in range(0, len(text), 40):
                    file.write(text[piece:piece + 40])
                    file.flush()
                    time.sleep(0.02)
        self.assert_no_failures(load_once(self.lab, [(OTHER, 81, 80)], count=10))
        self.assertIsNotNone(self.fairlead.vip_status("slow"))
        self.assert_no_failures(load.stop())

    def test_an_unreadable_file(self):
        # Root reads everything; a directory, a dangling link and a link in a circle it cannot.
        self.fairlead.put("more.yaml", text_vip("kept"))
        wait_until(lambda: self.fairlead.vip_status("kept"), 10, "it is served")
        path = os.path.join(self.fairlead.config, "more.yaml")
        for target in ("nowhere", "more.yaml"):
            os.unlink(path)
            os.symlink(target, path)
            wait_until(self.errors, 10, f"a finding about the link to {target}")
            self.assertIn("more.yaml", self.errors()[0])
            self.assert_no_failures(load_once(self.lab, [(OTHER, 81, 80)], count=5))
        os.unlink(path)
        os.mkdir(os.path.join(self.fairlead.config, "folder.yaml"))
        wait_until(lambda: "folder.yaml" in "".join(self.errors()), 10,
                   "a finding about the directory")
        self.assert_no_failures(load_once(self.lab, [(VIP4, 80)], count=5))

    def test_a_fifo_does_not_block(self):
        os.mkfifo(os.path.join(self.fairlead.config, "pipe.yaml"))
        wait_until(self.errors, 10, "a finding about the pipe")
        self.fairlead.put("more.yaml", text_vip("after"))
        wait_until(lambda: self.fairlead.vip_status("after"), 10, "edits go on")

    def test_a_deleted_directory_tears_nothing_down(self):
        load = Load(self.lab, [(VIP4, 80), (VIP6, 80)], rate=100, long=4)
        away = self.fairlead.config + ".away"
        os.rename(self.fairlead.config, away)
        wait_until(self.errors, 15, "a finding about the directory")
        self.figure("; ".join(self.errors()))
        time.sleep(1)
        self.assertEqual(self.fairlead.vip_status("web")["problem"], "")
        os.rename(away, self.fairlead.config)
        wait_until(lambda: not self.errors(), 15, "it is back")
        self.fairlead.put("more.yaml", text_vip("again"))
        wait_until(lambda: self.fairlead.vip_status("again"), 10, "edits are seen again")
        shutil.rmtree(self.fairlead.config)
        wait_until(self.errors, 15, "a finding about the directory")
        self.assert_no_failures(load.stop())
        os.mkdir(self.fairlead.config)
        self.fairlead.put("main.yaml", GOOD)
        wait_until(lambda: not self.errors(), 15, "it is back")
        self.assert_no_failures(load_once(self.lab, [(VIP4, 80)], count=5))

    def test_many_objects_with_one_conflict_each(self):
        objects = [vip(f"many-{n}", addresses=[OTHER], ports="90", servers=["srv1"])
                   for n in range(200)]
        self.fairlead.put("many.yaml", *objects)
        wait_until(lambda: len(self.errors()) == 199, 10, lambda: len(self.errors()))
        served = [v["name"] for v in self.fairlead.status()["vips"]]
        self.assertEqual(len([name for name in served if name.startswith("many-")]), 1)

    def test_duplicate_names(self):
        self.fairlead.put("a.yaml", text_vip("twin"))
        wait_until(lambda: self.fairlead.vip_status("twin"), 10, "it is served")
        self.fairlead.put("b.yaml", text_vip("twin", ports='"83"'))
        errors = wait_until(self.errors, 10, "a finding")
        self.assertIn("twin", errors[0])
        self.assertIn("a.yaml", errors[0])
        self.assertEqual(self.fairlead.vip_status("twin")["ports"], "81")

    def test_check_refuses_what_is_not_there(self):
        code, output = self.fairlead.cli("check", "/nowhere", ok=False)
        self.assertEqual(code, 1, output)
        self.assertIn("/nowhere", output)
        code, output = self.fairlead.cli("check", ok=False)
        self.assertEqual(code, 2, output)
        code, output = self.fairlead.cli("check", self.fairlead.config)
        self.assertEqual(code, 0, output)

    def test_run_refuses_bad_flags_and_paths(self):
        for arguments, word in ((["--config", "/nowhere"], "/nowhere"), ([], "--config"),
                                (["--config", "/tmp", "--shards", "0"], "shards"),
                                (["--config", "/tmp", "--io-engine", "warp"], "warp"),
                                (["--config", "/tmp", "--nonsense"], "nonsense")):
            code, output = self.fairlead.cli("run", *arguments, ok=False, timeout=20)
            self.assertIn(code, (1, 2), output)
            self.assertIn(word, output)

    def test_the_admin_api_survives_nonsense(self):
        with self.lab.balancer.connect("127.0.0.1", 9080) as made:
            made.sendall(os.urandom(4096))
        with self.lab.balancer.connect("127.0.0.1", 9080) as made:
            made.sendall(b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n")
        for path in ("/nowhere", "/api/v1/explain", "/api/v1/explain?client=x&vip=y",
                     "/api/v1/explain?client=10.0.0.1&vip=%00", "/../../etc/passwd"):
            code, body = self.fairlead.get(path)
            self.assertIn(code, (400, 404), path)
            self.assertIn("error", json.loads(body))
        self.assertEqual(self.fairlead.get("/healthz")[0], 200)
