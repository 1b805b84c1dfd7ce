"""The reflector's copy is the API server's state: from the start, through edits, expired versions,
restarts and restored backups, and after every kind of fault - and nothing is ever reported deleted
that was not."""

import json
import os
import time
import unittest

from harness.fault_proxy import Fault, FaultProxy
from harness.follower import Follower
from harness.manifests import PATHS, crd_files, install_crds
from harness.servers import CrdServer, KubeApiServer

SERVERS = PATHS["RealServer"]
MANY = 2000
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def real_server(name, weight=100):
    return {"apiVersion": "lb.fairlead.dev/v1alpha1", "kind": "RealServer",
            "metadata": {"name": name}, "spec": {"address": "10.0.0.1", "weight": weight}}


class World:
    """What both servers' tests share: the server, its objects, followers."""

    def make_server(self):
        raise NotImplementedError

    def setUp(self):
        self.server = self.make_server()
        self.addCleanup(self.server.stop)
        self.deleted = set()  # by the test, ever

    def follow(self, kubeconfig=None, plural="realservers"):
        follower = Follower(kubeconfig or self.server.kubeconfig, plural, self.server.folder)
        self.addCleanup(follower.stop)
        return follower

    def create(self, *names):
        self.server.client.expect_all(201, (("POST", SERVERS, real_server(name)) for name in names))

    def restart_server(self):
        """It serves the types of CRDs a moment after it is ready."""
        self.server.start_server()
        self.server.wait_until(lambda: self.server.client.request("GET", SERVERS)[0] == 200,
                               f"serving {SERVERS}")

    def through_a_proxy(self, **options):
        """(proxy, follower through it)"""
        proxy = FaultProxy(self.server, **options)
        self.addCleanup(proxy.stop)
        return proxy, self.follow(self.server.write_kubeconfig(f"proxy-{proxy.port}", {},
                                                                port=proxy.port))

    def edit(self, name, weight):
        stored = self.server.client.expect(200, "GET", f"{SERVERS}/{name}")
        stored["spec"]["weight"] = weight
        self.server.client.expect(200, "PUT", f"{SERVERS}/{name}", stored)

    def delete(self, *names):
        self.deleted |= {f"default/{name}" for name in names}
        self.server.client.expect_all(200, (("DELETE", f"{SERVERS}/{name}", {}) for name in names))

    def state(self):
        listed = self.server.client.expect(200, "GET", SERVERS)
        return {f"default/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
                for item in listed["items"]}

    def agree(self, follower, what, seconds=60):
        """The copy becomes the server's state, and lost nothing that was not deleted."""
        follower.wait_for_copy(self.state, what, seconds)
        self.assertLessEqual(follower.lost, self.deleted)


class Common(World):
    """Of both servers."""

    def test_thousands_of_objects_edits_and_deletes(self):
        names = [f"server-{number}" for number in range(MANY)]
        self.create(*names)
        follower = self.follow()
        self.agree(follower, "at the start")
        self.assertEqual(len(follower.copy), MANY)
        self.assertEqual(follower.replaces, 1)
        self.edit("server-5", 7)
        self.delete("server-6", "server-7")
        self.create("server-7", "new")
        self.agree(follower, "after edits")
        self.assertEqual(follower.lost, {"default/server-6", "default/server-7"})
        self.assertEqual(follower.replaces, 1)
        health = follower.health()
        self.assertEqual((health["failures"], health["problem"]), (0, ""))
        # The end does not wait for the watch, which would take minutes.
        self.assertLess(follower.stop(), 10)

    def test_a_restart_of_the_server_loses_nothing(self):
        self.create("a", "b")
        follower = self.follow()
        self.agree(follower, "at the start")
        self.server.kill_server()
        follower.wait_until(lambda _: follower.health()["problem"], "noticing")
        self.assertIn(str(self.server.port), follower.health()["problem"])
        self.assertEqual(sorted(follower.copy), ["default/a", "default/b"])
        self.restart_server()
        self.create("c")
        self.delete("a")
        self.agree(follower, "after the restart")
        follower.wait_followed()
        self.assertIn("API server is not followed", follower.log())
        self.assertIn("API server is followed again", follower.log())

    def test_what_happened_beyond_the_servers_memory_is_found_by_a_new_list(self):
        """The last version is compacted away while the client is cut off."""
        self.create("a", "b", "c")
        proxy, follower = self.through_a_proxy()
        self.agree(follower, "at the start")
        proxy.refuse()
        self.delete("b")
        for weight in range(200):
            self.edit("a", weight)
        self.server.compact()
        self.server.kill_server()
        self.restart_server()
        self.create("d")
        proxy.accept()
        self.agree(follower, "after the compaction")
        self.assertEqual(follower.lost, {"default/b"})
        self.assertEqual(follower.replaces, 2)

    def test_an_etcd_restored_from_a_backup_is_believed(self):
        """All resourceVersions go back, and a watch from a later one would be silent."""
        self.create("a", "b")
        saved = self.server.backup()
        self.server.wait_until(lambda: self.server.client.request("GET", SERVERS)[0] == 200, "back")
        self.create(*[f"later-{number}" for number in range(50)])
        follower = self.follow()
        self.agree(follower, "at the start")
        self.server.kill_server()
        self.server.restore(saved)
        self.deleted |= {f"default/later-{number}" for number in range(50)}
        self.restart_server()
        self.agree(follower, "after the restore")
        self.assertEqual(sorted(follower.copy), ["default/a", "default/b"])
        self.create("c")
        self.agree(follower, "as it goes on")


class CrdServerTest(Common, unittest.TestCase):

    def make_server(self):
        server = CrdServer()
        try:
            install_crds(server)
        except BaseException:
            server.stop()
            raise
        return server

    def test_the_first_list_is_a_stream_where_etcd_allows_it(self):
        answer = next(self.server.client.watch(
            f"{SERVERS}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
            "&allowWatchBookmarks=true&resourceVersion=0"))
        if "RequestWatchProgress" in answer["object"].get("message", ""):
            self.skipTest(f"this etcd is too old: {answer['object']['message']}")
        self.create("a", "b")
        proxy, follower = self.through_a_proxy()
        self.agree(follower, "at the start")
        follower.wait_followed()
        self.assertEqual(["sendInitialEvents" in target for target in proxy.requests],
                         [True, False])
        self.assertEqual((follower.replaces, follower.health()["failures"]), (1, 0))

    def test_bookmarks_come_and_the_next_watch_goes_on_from_there(self):
        self.create("a")
        proxy, follower = self.through_a_proxy(watch_seconds=8)
        self.agree(follower, "at the start")
        self.edit("a", 7)  # a server that was told nothing since its start has no bookmark to send
        self.agree(follower, "after an edit")
        events = follower.health()["events"]
        follower.wait_until(lambda _: follower.health()["events"] > events, "a bookmark")
        follower.wait_until(lambda _: "default/a" in follower.copy and proxy.watches()[-1] ==
                            follower.copy["default/a"], "a watch from there")
        self.assertEqual((follower.replaces, follower.health()["failures"]), (1, 0))


def make_kube_api_server():
    server = KubeApiServer()
    try:
        for path in crd_files():
            server.kubectl.run("create", "--validate=false", "-f", path)
        for path in PATHS.values():
            server.wait_until(lambda path=path: server.client.request("GET", path)[0] == 200,
                              f"serving {path}")
    except BaseException:
        server.stop()
        raise
    return server


class KubeApiServerTest(Common, unittest.TestCase):

    def make_server(self):
        return make_kube_api_server()


class UnharmedKubeApiServerTest(World, unittest.TestCase):
    """One server for all, as none of them hurts it."""

    @classmethod
    def setUpClass(cls):
        cls.server = make_kube_api_server()
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.deleted = set()

    def test_a_server_without_streaming_lists_is_listed(self):
        self.create("listed")
        proxy, follower = self.through_a_proxy()
        self.agree(follower, "at the start")
        follower.wait_followed()
        self.assertEqual(follower.health()["failures"], 0)
        self.assertEqual(["sendInitialEvents" in target for target in proxy.requests],
                         [True, False, False])
        self.assertIn("limit=500&resourceVersion=0", proxy.requests[1])

    def test_built_in_types_are_followed_too(self):
        follower = self.follow(plural="services")
        follower.wait_until(lambda _: "default/kubernetes" in follower.copy, "a Service")

    def test_a_token_follows_as_soon_as_it_may(self):
        """RBAC: without rights the follower says so; with them it needs no restart."""
        self.create("permitted")
        kubeconfig = self.server.write_kubeconfig("alice", {"token": self.server.token_of("alice")})
        follower = self.follow(kubeconfig)
        follower.wait_until(lambda _: follower.health()["problem"], "a refusal")
        self.assertRegex(follower.health()["problem"], r"403 Forbidden: .*alice.* cannot")
        self.assertFalse(follower.health()["synced"])
        self.server.client.expect(201, "POST", f"{RBAC}/clusterroles", {
            "metadata": {"name": "follow"},
            "rules": [{"apiGroups": ["lb.fairlead.dev"], "resources": ["realservers"],
                       "verbs": ["list", "watch"]}]})
        self.server.client.expect(201, "POST", f"{RBAC}/clusterrolebindings", {
            "metadata": {"name": "follow"}, "subjects": [{
                "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                        "name": "follow"}})
        self.agree(follower, "once it may")
        follower.wait_followed()

    def test_a_wrong_token_is_told(self):
        follower = self.follow(self.server.write_kubeconfig("nobody", {"token": "wrong"}))
        follower.wait_until(lambda _: "401" in follower.health()["problem"], "a refusal")


class Case:
    """A follower behind a bad proxy of its own; `faults` meet it, and it replaces its copy so often
    in all."""

    def __init__(self, test, what, *faults, replaces=1):
        self.test, self.what, self.faults, self.replaces = test, what, faults, replaces
        self.proxy, self.follower = test.through_a_proxy()

    def wait_followed(self):
        self.test.agree(self.follower, f"before {self.what}")
        self.follower.wait_followed()

    def check_recovered(self, seconds=90):
        self.test.agree(self.follower, f"after {self.what}", seconds)
        self.follower.wait_followed(seconds)
        self.test.assertEqual(self.proxy.pending_faults(), 0)
        self.test.assertEqual(self.follower.replaces, self.replaces)
        self.follower.stop()


class FaultTest(World, unittest.TestCase):
    """After each fault the copy is the server's state again, without a restart of anything. Changes
    happen while nothing passes, so that no watch can have told of them before."""

    make_server = CrdServerTest.make_server

    def setUp(self):
        super().setUp()
        self.round = 0
        self.create("keep-1", "keep-2", "edited", "new-0")

    def change(self):
        """One of each kind."""
        self.round += 1
        self.create(f"new-{self.round}")
        self.edit("edited", self.round)
        self.delete(f"new-{self.round - 1}")

    def recovers_from(self, hurt):
        """`hurt` gets the case, and changes objects."""
        with self.subTest(hurt.__name__):
            case = Case(self, hurt.__name__)
            case.wait_followed()
            hurt(case)
            case.check_recovered()

    def all_recover(self, *cases, seconds=90):
        """Their faults wait for them when they may connect again."""
        for case in cases:
            case.wait_followed()
        for case in cases:
            case.proxy.refuse()
        self.change()
        for case in cases:
            for fault in case.faults:
                case.proxy.inject(fault)
            case.proxy.accept()
        for case in cases:
            with self.subTest(case.what):
                case.check_recovered(seconds)

    def test_faults_of_the_network(self):
        def cut(case):
            case.proxy.cut()
            self.change()

        def refuse(case):
            follower = case.follower
            case.proxy.refuse()
            self.change()
            follower.wait_until(lambda _: "refused" in follower.health()["problem"], "noticing")
            age = follower.health()["age"]
            time.sleep(1)
            self.assertGreater(follower.health()["age"], age + 0.5)  # it knows that it grows old
            case.proxy.accept()

        def stall(case):
            case.proxy.stall()
            self.change()
            time.sleep(2)
            case.proxy.resume()

        def slow(case):
            case.proxy.slow(2000)
            case.proxy.cut()
            self.change()

        def flap(case):
            for _ in range(5):
                case.proxy.cut()
                self.change()
                time.sleep(0.3)

        for hurt in (cut, refuse, stall, slow, flap):
            self.recovers_from(hurt)

    def test_faults_of_the_server(self):
        status = json.dumps({"kind": "Status", "code": 410, "reason": "Expired",
                             "message": "too old"})
        line = json.dumps({"type": "ERROR", "object": json.loads(status)}) + "\n"
        half = '{"type":"MODIFIED","object":{"metadata":{"name":"keep-1",\n'
        portal = "<html>captive portal</html>\n"
        self.all_recover(
            Case(self, "410 as a status", Fault("watch", status=410, body=status), replaces=2),
            Case(self, "410 as an event", Fault("watch", status=200, body=line), replaces=2),
            Case(self, "500, three times", Fault(count=3, status=500, body="internal")),
            Case(self, "another server's page", Fault("watch", status=200, body=portal),
                 Fault("list", status=200, body=portal), replaces=2),
            Case(self, "an event that is cut off", Fault("watch", cut=60)),
            Case(self, "a line that is half an event", Fault("watch", status=200, body=half),
                 replaces=2),
            Case(self, "watches that end at once", Fault("watch", count=2, cut=0)),
            Case(self, "lists that are cut off", Fault("watch", status=200, body=line),
                 Fault("list", count=2, cut=300), replaces=2))

    def test_a_busy_server_is_left_alone_for_as_long_as_it_says(self):
        case = Case(self, "429", Fault("check", status=429, headers=["Retry-After: 5"]))
        begun = time.monotonic()
        self.all_recover(case)
        self.assertGreater(time.monotonic() - begun, 5)

    @unittest.skipUnless(os.environ.get("KUBE_SLOW"), "KUBE_SLOW=1 asks for it; it takes 3 minutes")
    def test_a_silent_watch_does_not_hide_changes_for_ever(self):
        """The server answers, and then nothing comes, no bookmark either: it is asked anew after
        150 s."""
        begun = time.monotonic()
        self.all_recover(Case(self, "a silent watch", Fault("watch", silent=True)), seconds=240)
        self.assertGreater(time.monotonic() - begun, 150)


if __name__ == "__main__":
    unittest.main()
