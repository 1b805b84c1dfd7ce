"""Fairlead and its peers: how each is configured, started and found.

Every proxy gets one thread, no logs, no checks, long timeouts and room for all connections. All run
at the same time, each on a port of its own; only the one under test has traffic.
"""

import os
import resource

from driver import lab as lab_module
from driver.lab import (BenchError, PACKET_ADDRESS, PROXY_ADDRESS, SERVER_ADDRESS, SERVER_PORT,
                        command, wait_until)


def connections_max():
    """Proxied connections that the file descriptors allow: two each, and some for the rest."""
    return min(65000, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200) // 2)


class Peer:
    """One proxy in one configuration. `family` groups the configurations of one program."""

    family = ""
    name = ""
    port = 0
    is_process = True
    address = PROXY_ADDRESS

    def __init__(self, lab, generator):
        self.lab = lab
        self.generator = generator
        self.process = None

    @property
    def target(self):
        return f"{self.address}:{self.port}"

    def version(self):
        raise NotImplementedError

    def command_line(self):
        raise NotImplementedError

    def start(self):
        self.process = self.lab.start("proxy", self.command_line(), self.lab.proxy_cpu, self.name,
                                      cwd=self.lab.work_directory)
        self.wait_ready()

    def wait_ready(self):
        answered = wait_until(lambda: self._ended() or self._answers(), 10)
        if self._ended() or not answered:
            state = "ended" if self._ended() else "does not answer"
            errors = self.lab.errors(self.name)[-400:] if self.process else ""
            raise BenchError(f"{self.name} {state}: {errors}")

    def stop(self):
        if self.process:
            self.lab.stop(self.process)
        self.process = None

    def process_ids(self):
        return lab_module.process_tree(self.process.pid) if self.process else []

    def _ended(self):
        return self.process is not None and self.process.poll() is not None

    def _answers(self):
        done = self.lab.run_on_load_cpu("client", self.generator, "idle", self.target, input="1\n")
        return done.returncode == 0 and done.stdout == "1\n"

    def _write(self, file_name, text):
        path = os.path.join(self.lab.work_directory, file_name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


class Fairlead(Peer):
    family = name = "fairlead"
    port = 7001

    def __init__(self, lab, generator, program):
        super().__init__(lab, generator)
        self.program = program

    def version(self):
        return command(self.program, "version", check=False).strip().replace("\n", ", ") or "unknown"

    def command_line(self):
        path = self._write("fairlead/vip.yaml", f"""apiVersion: lb.fairlead.dev/v1alpha1
kind: VIP
metadata: {{name: bench, namespace: default}}
spec:
  addresses: [{self.address}]
  ports: "{self.port}"
  protocol: TCP
  mode: SNAT
  healthCheck: {{type: None}}
  realServers:
    list:
      - {{name: server-1, address: {SERVER_ADDRESS}, port: {SERVER_PORT}, weight: 100}}
""")
        return [self.program, "run", "--config", os.path.dirname(path), "--shards", "1",
                "--admin", "127.0.0.1:9080"]


class HAProxy(Peer):
    family = "haproxy"

    def __init__(self, lab, generator, distribution, splice):
        super().__init__(lab, generator)
        self.distribution = distribution
        self.splice = splice
        self.name = "haproxy-splice" if splice else "haproxy-nosplice"
        self.port = 7002 if splice else 7003

    def version(self):
        return self.distribution.version("/usr/sbin/haproxy", "-v").split(" - ")[0]

    def command_line(self):
        splice = "option splice-auto" if self.splice else ""
        path = self._write(f"{self.name}.cfg", f"""global
  nbthread 1
  maxconn {connections_max()}
  {"" if self.splice else "nosplice"}
  {"tune.pipesize 1048576" if self.splice else "tune.bufsize 65536"}
  {"maxpipes 64" if self.splice else ""}
defaults
  mode tcp
  {splice}
  option tcp-smart-accept
  option tcp-smart-connect
  backlog 4096
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen bench
  bind {self.address}:{self.port} maxconn {connections_max()}
  maxconn {connections_max()}
  server server-1 {SERVER_ADDRESS}:{SERVER_PORT}
""")
        return self.distribution.words("/usr/sbin/haproxy") + ["-db", "-f", path]


class Nginx(Peer):
    family = name = "nginx"
    port = 7004

    def __init__(self, lab, generator, distribution):
        super().__init__(lab, generator)
        self.distribution = distribution

    def version(self):
        return self.distribution.version("/usr/sbin/nginx", "-v")

    def command_line(self):
        module = self.distribution.path("/usr/lib/nginx/modules/ngx_stream_module.so")
        path = self._write("nginx/nginx.conf", f"""load_module {module};
daemon off;
master_process off;
worker_processes 1;
user root;
pid {self.lab.work_directory}/nginx/nginx.pid;
error_log stderr crit;
events {{
  use epoll;
  worker_connections {2 * connections_max() + 16};
  multi_accept on;
  accept_mutex off;
}}
stream {{
  access_log off;
  server {{
    listen {self.address}:{self.port} backlog=4096;
    tcp_nodelay on;
    proxy_buffer_size 64k;
    proxy_connect_timeout 10s;
    proxy_timeout 1h;
    proxy_pass {SERVER_ADDRESS}:{SERVER_PORT};
  }}
}}
""")
        return self.distribution.words("/usr/sbin/nginx") + ["-e", "stderr", "-p",
                                                             os.path.dirname(path), "-c", path]


class Nftables(Peer):
    """Packets forwarded with both addresses translated: less than any proxy can cost.

    It has no process. Its time is all that its CPU spent, so the figure needs a quiet machine.
    """

    family = name = "nftables"
    port = 7005
    is_process = False
    address = PACKET_ADDRESS

    def version(self):
        return command("nft", "--version").strip()

    def start(self):
        rules = f"""table ip bench {{
  chain prerouting {{
    type nat hook prerouting priority -100;
    tcp dport {self.port} dnat to 10.71.4.2:{SERVER_PORT}
  }}
  chain postrouting {{ type nat hook postrouting priority 100; oifname "p4" masquerade; }}
}}
"""
        self.lab.run("packet", "nft", "-f", "-", input=rules)
        self.lab.steer_packets()
        self.wait_ready()


def create(families, lab, generator, fairlead_program, distribution):
    """The peers of the wanted families, in the order of the families."""
    makers = {
        "fairlead": lambda: [Fairlead(lab, generator, fairlead_program)],
        "haproxy": lambda: [HAProxy(lab, generator, distribution, True),
                            HAProxy(lab, generator, distribution, False)],
        "nginx": lambda: [Nginx(lab, generator, distribution)],
        "nftables": lambda: [Nftables(lab, generator)],
    }
    return [peer for family in families for peer in makers[family]()]
