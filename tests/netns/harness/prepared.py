"""A server that `fairlead prepare-realserver --os linux` prepares: its script, run in the server's
namespace with a copy of /etc and an empty /var/lib, so that nothing of this host is changed."""

import os
import subprocess
import tempfile

from .fairlead import BINARY

# What the script may write to.
FOLDERS = ("/etc/sysctl.d", "/etc/systemd/system", "/etc/netplan", "/etc/network/if-up.d",
           "/var/lib")


class PreparedServer:
    def __init__(self, lab, name):
        self.namespace = lab[name]
        self.folder = tempfile.mkdtemp(dir=lab.directory)
        os.chmod(self.folder, 0o755)
        subprocess.run(["cp", "-a", "/etc", self.folder], check=True)
        for path in FOLDERS:
            os.makedirs(self.folder + path, exist_ok=True)

    def run(self, command, *words):
        """Runs a shell command; no systemd runs there. The finished process."""
        mounts = "".join(f"mount --bind '{self.folder}{path}' {path} && "
                         for path in ("/etc", "/var/lib"))
        return subprocess.run(
            ["ip", "netns", "exec", self.namespace.name, "unshare", "--mount", "sh", "-c",
             f"mount -t tmpfs none /run; {mounts} {command}", "sh", *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def script(self, *arguments, words=(), code=0, wrapper=""):
        """Prints the script and runs it with the words as its arguments; what it said."""
        printed = subprocess.run([BINARY, "prepare-realserver", "--os", "linux", *arguments],
                                 stdout=subprocess.PIPE, check=True, text=True)
        path = os.path.join(self.folder, "script.sh")
        with open(path, "w") as file:
            file.write(printed.stdout)
        done = self.run(f'exec {wrapper} sh "$@"', path, *words)
        if done.returncode != code:
            raise AssertionError(f"exit code {done.returncode} instead of {code}\n{done.stdout}")
        return done.stdout

    def files(self):
        return sorted(os.path.join(folder, name) for path in FOLDERS
                      for folder, _, names in os.walk(self.folder + path) for name in names)
