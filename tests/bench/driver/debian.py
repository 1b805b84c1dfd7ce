"""Peers as Debian packages, newest suite first, unpacked into a folder without being installed.

A private apt state with an empty list of installed packages makes apt download a package with all its
libraries, down to libc. They are unpacked under CACHE/SUITE/root and started by that suite's own
dynamic linker, so the host stays as it is and the second run downloads nothing. The mirror is the
one that the host's own apt is set up for.
"""

import glob
import os
import shutil

from driver.lab import BenchError, command

SUITES = ("sid", "trixie", "bookworm")
PACKAGES = ("haproxy", "nginx", "libnginx-mod-stream")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Distribution:
    """An unpacked suite."""

    def __init__(self, suite, root):
        self.suite = suite
        self.root = root

    def words(self, program):
        """The command line that starts `program` of this suite."""
        if self.root == "/":
            return [program]
        linker = os.path.join(self.root, "usr/lib64/ld-linux-x86-64.so.2")
        if not os.path.exists(linker):
            linker = os.path.join(self.root, "lib64/ld-linux-x86-64.so.2")
        libraries = ":".join(os.path.join(self.root, folder) for folder in
                             ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))
        return [linker, "--library-path", libraries, self.path(program)]

    def path(self, path):
        return os.path.join(self.root, path.lstrip("/"))

    def version(self, program, flag):
        return command("sh", "-c", '"$@" 2>&1', "sh", *self.words(program), flag).split("\n")[0]


def fetch(cache, suites, log):
    """Returns the first of `suites` that can be had; else what is installed here."""
    for suite in suites:
        folder = os.path.join(cache, "debian", suite)
        distribution = Distribution(suite, os.path.join(folder, "root"))
        try:
            if not os.path.exists(os.path.join(folder, "complete")):
                log(f"downloading {', '.join(PACKAGES)} of {suite}")
                _download(folder, suite)
            _prove(distribution)
            return distribution
        except (BenchError, OSError) as error:
            log(f"{suite} is not to be had: {str(error).splitlines()[-1]}")
    installed = Distribution("installed", "/")
    _prove(installed)
    return installed


def _prove(distribution):
    distribution.version("/usr/sbin/haproxy", "-v")
    distribution.version("/usr/sbin/nginx", "-v")


def _mirror():
    lines = command("apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages")
    for line in lines.splitlines():
        if line.rstrip("/").endswith("/debian"):
            return line
    raise BenchError("no Debian mirror among apt's sources")


def _download(folder, suite):
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("state/lists/partial", "archives/partial", "root"):
        os.makedirs(os.path.join(folder, name))
    with open(os.path.join(folder, "status"), "w", encoding="ascii"):
        pass
    with open(os.path.join(folder, "sources.list"), "w", encoding="ascii") as file:
        file.write(f"deb [signed-by={KEYRING}] {_mirror()} {suite} main\n")
    apt = ["apt-get"]
    for option in (f"Dir::State={folder}/state", f"Dir::State::status={folder}/status",
                   f"Dir::Cache={folder}", f"Dir::Etc::sourcelist={folder}/sources.list",
                   "Dir::Etc::sourceparts=/dev/null", "APT::Sandbox::User=root",
                   "APT::Install-Recommends=false", "Acquire::Languages=none"):
        apt += ["-o", option]
    command(*apt, "update")
    command(*apt, "install", "--yes", "--download-only", *PACKAGES)
    for archive in sorted(glob.glob(os.path.join(folder, "archives/*.deb"))):
        command("dpkg-deb", "--extract", archive, os.path.join(folder, "root"))
    with open(os.path.join(folder, "complete"), "w", encoding="ascii"):
        pass
