"""The workloads and the targets that Fairlead is held to.

Targets are against the better HAProxy configuration of each workload: `cpu` is HAProxy's CPU time per
operation divided by ours (at least), `rate` ours divided by HAProxy's (at least), `p99` ours divided
by HAProxy's (at most).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Workload:
    name: str
    text: str
    mode: str  # of bench_traffic
    connections: int
    answer: int = 64
    rate: int = 0  # requests per second in all; 0: the next one follows the last answer
    per_byte: bool = False  # the operation is a gigabyte instead of a request
    targets: dict = field(default_factory=dict)


TIMED = (
    Workload("rr64", "64 long connections, 64-byte request and answer", "requests", 64,
             targets={"cpu": 1.6, "p99": 0.75}),
    Workload("rr64-paced", "64 long connections, 30,000 requests a second: no proxy is saturated",
             "requests", 64, rate=30000),
    Workload("rr1000", "rr64 with 1000 connections", "requests", 1000,
             targets={"cpu": 2.0, "p99": 0.6}),
    Workload("rr64-16k", "64 long connections, 16 KB answers", "requests", 64, answer=16384,
             targets={"cpu": 1.8}),
    Workload("crr64", "64 at a time: connect, request, answer, close", "connects", 64,
             targets={"cpu": 1.6}),
    Workload("bulk8", "8 streams, server to client", "download", 8, per_byte=True,
             targets={"cpu": 1.3, "rate": 1.0}),
    Workload("bulk1", "1 stream, server to client", "download", 1, per_byte=True,
             targets={"cpu": 1.6, "rate": 1.3}),
    Workload("bulk8-up", "8 streams, client to server", "upload", 8, per_byte=True),
    Workload("bulk1-up", "1 stream, client to server", "upload", 1, per_byte=True),
)

IDLE = "idle"          # user memory per idle proxied connection
SYSCALLS = "syscalls"  # per request of rr64, per connection of crr64

NAMES = tuple(workload.name for workload in TIMED) + (IDLE, SYSCALLS)

IDLE_TARGET_KB = 0.45
SYSCALL_TARGETS = {"rr64": 0.1, "crr64": 2.0}


def timed(name):
    return next(workload for workload in TIMED if workload.name == name)
