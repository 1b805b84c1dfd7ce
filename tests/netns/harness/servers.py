"""Real servers: daemons of Debian in the namespaces of the lab."""

import os
import shutil
import signal
import subprocess

from .netns import command
from .wait import wait_until

# The port list of the guide's example (Konica Minolta).
PORTS = "80,443,5014-5019,5021,5022,50001,50003"
PORT_LIST = (80, 443, *range(5014, 5020), 5021, 5022, 50001, 50003)
TLS_PORT = 443
# Answers with what the PROXY header said.
PROXY_PORT = 8200

_NGINX = """
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 16000; }}
http {{
  access_log off;
  default_type text/plain;
  client_max_body_size 0;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  keepalive_requests 100000000;
  keepalive_timeout 1h;
  client_header_timeout 1h;
  client_body_timeout 1h;
  send_timeout 1h;
  lingering_close off;
  add_header X-Server {name};
  server {{
{listens}
    location = /who {{ return 200 "{name} $server_port\\n"; }}
    location = /peer {{ return 200 "$remote_addr $remote_port\\n"; }}
    location /put/ {{ root {directory}; dav_methods PUT; }}
    location /files/ {{ alias {files}/; }}
  }}
  server {{
    listen {proxy_port} proxy_protocol;
    listen [::]:{proxy_port} proxy_protocol ipv6only=on;
    location / {{
      return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port\\n";
    }}
  }}
}}
"""


class Daemon:
    """A daemon in the foreground, in a namespace, with its directory."""

    def __init__(self, lab, name, program):
        self.lab = lab
        self.name = name
        self.namespace = lab[name]
        self.directory = os.path.join(lab.directory, f"{program}-{name}")
        os.makedirs(self.directory, exist_ok=True)
        self.process = None
        lab.on_close(self.stop)

    def _start(self, argv, port):
        self.log = open(os.path.join(self.directory, "output"), "ab")
        self.process = self.namespace.popen(argv, stdin=subprocess.DEVNULL, stdout=self.log,
                                            stderr=self.log)
        wait_until(lambda: self.listens(port), 20, f"{argv[0]} of {self.name} listens on {port}")

    def listens(self, port):
        try:
            self.namespace.connect("127.0.0.1", port, timeout=2).close()
        except OSError:
            if self.process.poll() is not None:
                with open(os.path.join(self.directory, "output")) as file:
                    raise RuntimeError(f"{self.name} ended: {file.read()}")
            return False
        return True

    def stop(self, kill=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(kill)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.process = None


class Nginx(Daemon):
    """Answers on every port of the list, over TLS on 443: /who, /files/NAME, PUT /put/NAME."""

    def __init__(self, lab, name, ports=PORT_LIST):
        super().__init__(lab, name, "nginx")
        self.files = os.path.join(lab.directory, "files")
        os.makedirs(self.files, exist_ok=True)
        os.makedirs(os.path.join(self.directory, "put"), exist_ok=True)
        self._ports = ports
        self._write()
        self.start()

    def _write(self):
        lines = []
        for port in self._ports:
            tls = " ssl" if port == TLS_PORT else ""
            lines.append(f"    listen {port}{tls} backlog=4096;")
            lines.append(f"    listen [::]:{port}{tls} backlog=4096 ipv6only=on;")
        if TLS_PORT in self._ports:
            certificate, key = make_certificate(self.lab)
            lines.append(f"    ssl_certificate {certificate};")
            lines.append(f"    ssl_certificate_key {key};")
        with open(os.path.join(self.directory, "nginx.conf"), "w") as file:
            file.write(_NGINX.format(directory=self.directory, name=self.name, files=self.files,
                                     listens="\n".join(lines), proxy_port=PROXY_PORT,
                                     descriptors=20000))

    def start(self):
        self._start(["nginx", "-e", f"{self.directory}/error.log", "-c",
                     f"{self.directory}/nginx.conf"], self._ports[0])

    def crash(self):
        """Ends master and worker at once, as a crash does."""
        pids = [self.process.pid]
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            pids += [int(pid) for pid in file.read().split()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not any(_runs(pid) for pid in pids), 10, f"nginx of {self.name} is gone")
        self.log.close()
        self.process = None


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def make_certificate(lab):
    certificate = os.path.join(lab.directory, "certificate.pem")
    key = os.path.join(lab.directory, "key.pem")
    if not os.path.exists(certificate):
        command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-days", "2", "-subj", "/CN=vip", "-addext", "subjectAltName=DNS:vip",
                "-keyout", key, "-out", certificate)
    return certificate, key


_CUPSD = """
Listen 0.0.0.0:631
Listen [::]:631
ServerName {name}
ServerAlias *
DefaultAuthType None
WebInterface No
<Location />
  Order allow,deny
  Allow all
</Location>
"""
_CUPS_FILES = """
ServerRoot {directory}
ServerBin /usr/lib/cups
DataDir /usr/share/cups
RequestRoot {directory}/spool
TempDir {directory}/tmp
CacheDir {directory}/cache
StateDir {directory}/state
AccessLog {directory}/access_log
ErrorLog {directory}/error_log
PageLog {directory}/page_log
User lp
Group lp
SystemGroup lpadmin
FileDevice No
"""


class Cupsd(Daemon):
    """CUPS on port 631. It answers 400 to HTTP/1.1 without Host."""

    def __init__(self, lab, name):
        super().__init__(lab, name, "cupsd")
        for folder in ("spool", "tmp", "cache", "state", "ssl", "ppd"):
            os.makedirs(os.path.join(self.directory, folder), exist_ok=True)
        with open(os.path.join(self.directory, "cupsd.conf"), "w") as file:
            file.write(_CUPSD.format(name=name))
        with open(os.path.join(self.directory, "cups-files.conf"), "w") as file:
            file.write(_CUPS_FILES.format(directory=self.directory))
        self._start(["cupsd", "-f", "-c", f"{self.directory}/cupsd.conf", "-s",
                     f"{self.directory}/cups-files.conf"], 631)


class Sshd(Daemon):
    """OpenSSH on port 22, with a key for root."""

    def __init__(self, lab, name):
        super().__init__(lab, name, "sshd")
        self.client_key = os.path.join(lab.directory, "client-key")
        host_key = os.path.join(lab.directory, "host-key")
        for key in (self.client_key, host_key):
            if not os.path.exists(key):
                command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        authorized = os.path.join(self.directory, "authorized_keys")
        shutil.copy(self.client_key + ".pub", authorized)
        os.makedirs("/run/sshd", exist_ok=True)
        config = os.path.join(self.directory, "sshd_config")
        with open(config, "w") as file:
            file.write(f"HostKey {host_key}\nAuthorizedKeysFile {authorized}\nStrictModes no\n"
                       f"PermitRootLogin yes\nUsePAM no\nPidFile none\nSetEnv SERVER={name}\n"
                       "MaxStartups 200\n")
        self._start(["/usr/sbin/sshd", "-D", "-e", "-f", config], 22)
