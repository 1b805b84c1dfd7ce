"""Debian packages of a suite, unpacked into a folder without being installed, and sources.

A private apt state with an empty list of installed packages makes apt download packages with all that
they need; the host stays as it is, and nobody has to be root. The mirror is the one that the host's
own apt is set up for.
"""

import glob
import os
import subprocess

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class SetupError(Exception):
    """What went wrong, for the user."""


def command(*argv, cwd=None, environment=None):
    """The output of a command. Raises SetupError with the end of it."""
    try:
        done = subprocess.run(argv, cwd=cwd, env={**os.environ, **(environment or {})}, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, errors="replace")
    except FileNotFoundError:
        raise SetupError(f"{argv[0]} is not installed; it is a part of: deploy/setup kube") from None
    if done.returncode != 0:
        end = "\n".join(done.stdout.splitlines()[-15:])
        raise SetupError(f"{' '.join(argv)} failed ({done.returncode}):\n{end}")
    return done.stdout


def _mirror():
    lines = command("apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages",
                    "Origin: Debian")
    for line in lines.splitlines():
        if line.rstrip("/").endswith("/debian"):
            return line
    raise SetupError("apt has no Debian mirror among its sources, or no package lists yet; run "
                     "apt-get update first")


class Suite:
    """A suite ("sid") with a folder of its own."""

    def __init__(self, name, folder):
        self.root = os.path.join(folder, "root")
        self._folder = folder
        for path in ("apt/lists/partial", "apt/archives/partial", "root"):
            os.makedirs(os.path.join(folder, path))
        with open(os.path.join(folder, "apt/status"), "w", encoding="ascii"):
            pass
        source = f"[signed-by={KEYRING}] {_mirror()} {name} main\n"
        with open(os.path.join(folder, "apt/sources.list"), "w", encoding="ascii") as file:
            file.write(f"deb {source}deb-src {source}")
        with open(os.path.join(folder, "apt/empty"), "w", encoding="ascii"):
            pass
        self._options = []
        # A suite that its mirror has stopped refreshing is good enough.
        for option in (f"Dir::State={folder}/apt", f"Dir::State::status={folder}/apt/status",
                       f"Dir::Cache={folder}/apt", f"Dir::Etc::sourcelist={folder}/apt/sources.list",
                       "Dir::Etc::sourceparts=/dev/null", "Dir::Etc::preferences=/dev/null",
                       "Dir::Etc::preferencesparts=/dev/null", "APT::Sandbox::User=",
                       "APT::Install-Recommends=false", "Acquire::Languages=none",
                       "Acquire::Check-Valid-Until=false"):
            self._options += ["-o", option]
        self._apt("apt-get", "update", "-qq", "--error-on=any")

    def _apt(self, program, *arguments, cwd=None):
        return command(program, *self._options, *arguments, cwd=cwd)

    def version(self, package):
        """The version that `fetch` would get, without the epoch."""
        for line in self._apt("apt-cache", "show", "--no-all-versions", package).splitlines():
            if line.startswith("Version:"):
                return line.split()[1].rpartition(":")[2]
        raise SetupError(f"no package {package}")

    def fetch(self, packages, unpack):
        """Downloads packages with all that they need, and unpacks those whose names start with one
        of `unpack`."""
        self._apt("apt-get", "install", "--yes", "-qq", "--download-only", *packages)
        for archive in glob.glob(os.path.join(self._folder, "apt/archives/*.deb")):
            if os.path.basename(archive).startswith(tuple(unpack)):
                command("dpkg-deb", "--extract", archive, self.root)
            os.unlink(archive)

    def source(self, package, folder):
        """Unpacks a source package as `folder`."""
        parent = os.path.join(self._folder, "source")
        os.makedirs(parent)
        self._apt("apt-get", "source", "-qq", "--download-only", package, cwd=parent)
        [description] = glob.glob(os.path.join(parent, "*.dsc"))
        command("dpkg-source", "--no-check", "-x", description, folder)
