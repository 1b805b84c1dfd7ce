"""A certificate authority of a test and what it signs, by openssl. Files of one folder."""

import os
import subprocess


def _openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(arguments)}:\n{done.stdout}")


class Pki:
    """ca, serving (the server's), admin (group system:masters) and the service accounts' key."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self._certify("ca", "/CN=fairlead-test-ca", None, "basicConstraints=critical,CA:TRUE",
                      "keyUsage=critical,keyCertSign,cRLSign")
        self._certify("serving", "/CN=kube-apiserver", "ca", "extendedKeyUsage=serverAuth",
                      "subjectAltName=DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,"
                      "IP:10.0.0.1")
        self._certify("admin", "/O=system:masters/CN=admin", "ca", "extendedKeyUsage=clientAuth")
        _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out",
                 self.path("sa.key"))
        _openssl("pkey", "-in", self.path("sa.key"), "-pubout", "-out", self.path("sa.pub"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def _certify(self, name, subject, issuer, *extensions):
        arguments = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                     "-nodes", "-days", "2", "-subj", subject, "-keyout", self.path(f"{name}.key"),
                     "-out", self.path(f"{name}.crt")]
        if issuer is not None:
            arguments += ["-CA", self.path(f"{issuer}.crt"), "-CAkey", self.path(f"{issuer}.key")]
        for extension in extensions:
            arguments += ["-addext", extension]
        _openssl(*arguments)
