"""A real API server with its etcd, on free ports of loopback, in a folder of its own.

    server = CrdServer()              # CustomResourceDefinitions with CEL, 1.36; no /api/v1
    server = KubeApiServer()          # the whole kube-apiserver 1.20: RBAC, tokens, Services, Leases
    server.client.request(...)        # as the administrator
    server.kubectl.run("get", "vips")
    server.stop()
"""

import json
import os
import shutil
import tempfile
import time
import urllib.request

from .cache import program
from .client import Client, Kubectl
from .pki import Pki
from .process import Process, free_ports

START_SECONDS = 90  # a loaded machine; a few seconds else


def install_open_crd(server, group, plural, kind):
    """A namespaced type of Kubernetes itself, v1, that the server does not have: any shape."""
    server.client.expect(201, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
        "metadata": {"name": f"{plural}.{group}",
                     "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
        "spec": {"group": group, "scope": "Namespaced",
                 "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural,
                           "singular": kind.lower()},
                 "versions": [{"name": "v1", "served": True, "storage": True, "schema": {
                     "openAPIV3Schema": {"type": "object",
                                         "x-kubernetes-preserve-unknown-fields": True}}}]}})
    server.wait_until(lambda: server.client.request("GET", f"/apis/{group}/v1/{plural}")[0] == 200,
                      f"serving {plural}")


class ApiServer:
    """What both have in common. After a failed start nothing is left running."""

    PROGRAM = ""
    READY = "/readyz"  # answers 200 when the server serves

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="fairlead-kube-")
        self._processes = []
        self.etcd = None  # its URL
        try:
            self.pki = Pki(os.path.join(self.folder, "pki"))
            self._start_etcd()
            [self.port] = free_ports(1)
            self.kubeconfig = self.write_kubeconfig("admin", {
                "client-certificate": self.pki.path("admin.crt"),
                "client-key": self.pki.path("admin.key")})
            self.client = Client(self.port, self.pki.path("ca.crt"), self.pki.path("admin.crt"),
                                 self.pki.path("admin.key"))
            self.start_server()
        except BaseException:
            self.stop()
            raise

    def restart_server(self, seconds):
        """The API server ends, and starts again on the same port after so many seconds."""
        self.stop_server()
        time.sleep(seconds)
        self.start_server()

    def wait_until(self, condition, what, seconds=30):
        """Until `condition` is true; an AssertionError with the server's log otherwise."""
        self._server.wait_until(condition, seconds, what)

    def stop_server(self):
        """The API server alone; what it has kept stays in its etcd."""
        self._server.stop()
        self._processes.remove(self._server)

    def start_server(self):
        """Again, on the same port."""
        self._server = self._start(program(self.PROGRAM), *self._flags())
        self.wait_until(self._is_ready, "ready", START_SECONDS)

    def kill_server(self):
        """The API server crashes; etcd goes on."""
        self._processes.remove(self._server)
        self._server.kill()

    def compact(self):
        """etcd forgets all but the present."""
        status = self._ask_etcd("maintenance/status", {})
        self._ask_etcd("kv/compaction", {"revision": status["header"]["revision"], "physical": True})

    def backup(self):
        """etcd's data as they are now; a path for `restore`. The API server waits meanwhile."""
        self._stop_etcd()
        saved = os.path.join(self.folder, f"backup-{len(os.listdir(self.folder))}")
        shutil.copytree(self._etcd_data, saved)
        self._start_etcd()
        return saved

    def restore(self, saved):
        """etcd goes back to a backup, resourceVersions included. The API server is down."""
        self._stop_etcd()
        shutil.rmtree(self._etcd_data)
        shutil.copytree(saved, self._etcd_data)
        self._start_etcd()

    def _stop_etcd(self):
        self._processes.remove(self._etcd_process)
        self._etcd_process.stop()

    def _ask_etcd(self, call, body):
        """By etcd's gateway of JSON (etcd 3.4)."""
        request = urllib.request.Request(f"{self.etcd}/v3/{call}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def stop(self):
        for process in reversed(self._processes):
            process.stop()
        self._processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _flags(self):
        raise NotImplementedError

    def _start(self, *argv):
        name = os.path.basename(argv[0])
        process = Process(argv, os.path.join(self.folder, f"{name}.log"))
        self._processes.append(process)
        return process

    def _start_etcd(self):
        if self.etcd is None:
            client_port, peer_port = free_ports(2)
            self.etcd = f"http://127.0.0.1:{client_port}"
            self._etcd_peer = f"http://127.0.0.1:{peer_port}"
            self._etcd_data = os.path.join(self.folder, "etcd")
        # Nothing of it has to survive a power cut.
        self._etcd_process = self._start(
            program("etcd"), "--data-dir", self._etcd_data, "--unsafe-no-fsync",
            "--listen-client-urls", self.etcd, "--advertise-client-urls", self.etcd,
            "--listen-peer-urls", self._etcd_peer, "--initial-advertise-peer-urls", self._etcd_peer,
            "--initial-cluster", f"default={self._etcd_peer}")
        self._etcd_process.wait_until(self._etcd_is_healthy, START_SECONDS, "healthy")

    def _etcd_is_healthy(self):
        try:
            with urllib.request.urlopen(f"{self.etcd}/health", timeout=5) as answer:
                return json.load(answer).get("health") == "true"
        except OSError:
            return False

    def _is_ready(self):
        try:
            return self.client.request("GET", self.READY, seconds=5)[0] == 200
        except OSError:
            return False

    def write_kubeconfig(self, name, user, namespace="default", port=None):
        """The path of a kubeconfig for this server, or a proxy of it at `port`; `user` is its user
        entry."""
        path = os.path.join(self.folder, f"kubeconfig-{name}")
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name,
                                                      "namespace": namespace}}],
            "clusters": [{"name": "test", "cluster": {
                "server": f"https://127.0.0.1:{port or self.port}",
                "certificate-authority": self.pki.path("ca.crt")}}],
            "users": [{"name": name, "user": user}]}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        return path

    def _common_flags(self):
        return ["--etcd-servers", self.etcd, "--secure-port", str(self.port),
                "--bind-address", "127.0.0.1", "--client-ca-file", self.pki.path("ca.crt"),
                "--tls-cert-file", self.pki.path("serving.crt"),
                "--tls-private-key-file", self.pki.path("serving.key")]


class CrdServer(ApiServer):
    """k8s.io/apiextensions-apiserver: CRDs with structural schemas, CEL, status, watch, server-side
    apply. It has no /api/v1, hence no admission that asks for namespaces, and asks nobody for
    authorization."""

    PROGRAM = "crd-server"
    # Its /readyz waits for Services for ever, which this server does not have.
    READY = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

    def _flags(self):
        return [*self._common_flags(), "--kubeconfig", self.kubeconfig,
                "--authentication-kubeconfig", self.kubeconfig,
                "--authorization-kubeconfig", self.kubeconfig, "--authentication-skip-lookup",
                "--authorization-always-allow-paths=*", "--enable-priority-and-fairness=false",
                "--disable-admission-plugins=NamespaceLifecycle,MutatingAdmissionWebhook,"
                "ValidatingAdmissionWebhook,ValidatingAdmissionPolicy,MutatingAdmissionPolicy"]


class KubeApiServer(ApiServer):
    """The whole kube-apiserver: RBAC, service account tokens, Services, Leases, an audit log. Its
    `token_of(user)` is the bearer token of a user without any right.

    With `endpoint_slices` it has discovery.k8s.io/v1, of which it is too old to know more than the
    shape, in the place of its own v1beta1."""

    PROGRAM = "kube-apiserver"
    USERS = ("alice", "bob")

    def __init__(self, endpoint_slices=False):
        self._endpoint_slices = endpoint_slices
        super().__init__()
        self.kubectl = Kubectl(self.kubeconfig, self.folder)
        # It appears a moment after the server is ready.
        self.wait_until(lambda: self.client.request("GET", "/api/v1/namespaces/default")[0] == 200,
                        "serving the default namespace")
        if endpoint_slices:
            install_open_crd(self, "discovery.k8s.io", "endpointslices", "EndpointSlice")

    def token_of(self, user):
        return f"token-of-{user}"

    def account_token(self, namespace, name):
        """A token of a service account that exists."""
        made = self.client.expect(
            201, "POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
             "spec": {"expirationSeconds": 3600}})
        return made["status"]["token"]

    def requests_of(self, user):
        """What a user has asked for so far, by the audit log: (verb, group, resource/subresource,
        HTTP status), those of answers that have begun at least."""
        found = []
        with open(self._audit_log, encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n"):
                    break  # being written
                event = json.loads(line)
                asked = event.get("objectRef")
                if event["user"]["username"] != user or asked is None:
                    continue
                resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
                found.append((event["verb"], asked.get("apiGroup", ""), resource,
                              event["responseStatus"]["code"]))
        return found

    def client_with_token(self, token):
        return Client(self.port, self.pki.path("ca.crt"), token=token)

    def _flags(self):
        tokens = os.path.join(self.folder, "tokens.csv")
        with open(tokens, "w", encoding="ascii") as file:
            for number, user in enumerate(self.USERS):
                file.write(f"{self.token_of(user)},{user},{number}\n")
        self._audit_log = os.path.join(self.folder, "audit.log")
        policy = os.path.join(self.folder, "audit-policy.json")
        with open(policy, "w", encoding="ascii") as file:
            json.dump({"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
                       "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}]}, file)
        more = ["--runtime-config=discovery.k8s.io/v1beta1=false"] if self._endpoint_slices else []
        return [*self._common_flags(), *more, "--authorization-mode=RBAC", "--token-auth-file", tokens,
                "--audit-policy-file", policy, "--audit-log-path", self._audit_log,
                "--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--service-account-key-file", self.pki.path("sa.pub"),
                "--service-account-signing-key-file", self.pki.path("sa.key")]
