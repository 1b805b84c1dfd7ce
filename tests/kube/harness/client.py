"""A plain client of a Kubernetes API server: requests, watches, kubectl."""

import http.client
import json
import ssl
import subprocess

from .cache import program

JSON = "application/json"
YAML = "application/yaml"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class Client:
    """Speaks to one server as one user: by a client certificate, or by a bearer token."""

    def __init__(self, port, ca, certificate=None, key=None, token=None):
        self._port = port
        self.context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            self.context.load_cert_chain(certificate, key)
        self._token = token

    def _open(self, method, path, body, content_type, seconds, accept=JSON):
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=seconds,
                                                 context=self.context)
        headers = {"Content-Type": content_type, "Accept": accept}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        connection.request(method, path, body, headers)
        return connection, connection.getresponse()

    def request(self, method, path, body=None, content_type=JSON, seconds=30, accept=JSON):
        """(HTTP status, answer): an object, or the text where it is no JSON."""
        connection, answer = self._open(method, path, body, content_type, seconds, accept)
        try:
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def expect(self, code, method, path, body=None, content_type=JSON):
        """The answer of a request that must end with this HTTP status."""
        status, answer = self.request(method, path, body, content_type)
        if status != code:
            raise AssertionError(f"{method} {path}: {status}, not {code}: {answer}")
        return answer

    def expect_all(self, code, requests, seconds=60):
        """Many requests, (method, path, object) each, on one connection."""
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=seconds,
                                                 context=self.context)
        try:
            for method, path, body in requests:
                connection.request(method, path, json.dumps(body), {"Content-Type": JSON})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != code:
                    raise AssertionError(f"{method} {path}: {answer.status}, not {code}: {text}")
        finally:
            connection.close()

    def watch(self, path, seconds=30):
        """Yields the events of a watch, one object each, until the caller has seen enough."""
        connection, answer = self._open("GET", path, None, JSON, seconds)
        try:
            if answer.status != 200:
                raise AssertionError(f"watch {path}: {answer.status}: {answer.read()}")
            while line := answer.readline():
                yield json.loads(line)
        finally:
            connection.close()


class Kubectl:
    """The built kubectl with the kubeconfig of one server."""

    def __init__(self, kubeconfig, folder, plugins=""):
        """`plugins`: a folder of programs named kubectl-NAME."""
        self.kubeconfig = kubeconfig
        self._environment = {"HOME": folder, "PATH": f"{plugins}:/usr/bin:/bin".lstrip(":"),
                             "KUBECONFIG": kubeconfig}

    def outcome(self, *arguments, text=""):
        """(exit code, output with its messages)."""
        done = subprocess.run([program("kubectl"), *arguments], input=text, text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              env=self._environment)
        return done.returncode, done.stdout

    def run(self, *arguments, text="", ok=True):
        """The output; an AssertionError when kubectl fails and that is not `ok`."""
        code, output = self.outcome(*arguments, text=text)
        if ok and code != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)}:\n{output}")
        return output
