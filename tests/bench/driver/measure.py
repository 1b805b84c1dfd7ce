"""Runs the slices: who, when, how long; keeps every raw result."""

import json
import os
import re
import time

from driver.lab import SERVER_PORT, BenchError, resident_kilobytes, wait_until
from driver.workloads import SYSCALL_TARGETS, timed

WARM_CONNECTIONS = 32  # made and closed before the memory is read for the first time


class Bench:
    """A running server and generator; results are plain dictionaries, ready for JSON."""

    def __init__(self, lab, generator, options, log):
        self.lab = lab
        self.generator = generator
        self.options = options
        self.log = log
        self.complaints_seen = 0
        self.server = lab.start("server", [generator, "serve", f"0.0.0.0:{SERVER_PORT}"],
                                lab.load_cpu, "server", stdout=-1)
        if self.server.stdout.readline() != "ready\n":
            raise BenchError(f"the server did not start: {lab.errors('server')}")

    def timed_rounds(self, workload, peers):
        """Interleaved slices A B C, C B A, ...; returns {peer name: [result of each round]}."""
        results = {peer.name: [] for peer in peers}
        for number in range(self.options.rounds):
            order = peers if number % 2 == 0 else list(reversed(peers))
            for peer in order:
                results[peer.name].append(self._timed_slice(workload, peer))
        return results

    def _timed_slice(self, workload, peer):
        result = self._client(workload, peer, int(1000 * self.options.seconds))
        if "failure" in result:
            return result
        amount = result["bytes"] / 1e9 if workload.per_byte else result["operations"]
        if amount == 0:
            return {"failure": "no operation was completed"}
        time_ns = result["process_ns"] if peer.is_process else result["cpu_busy_ns"]
        result["cpu_us_per_op"] = time_ns / 1000 / amount
        result["rate"] = amount * 1e9 / result["elapsed_ns"]
        return result

    def _client(self, workload, peer, duration_ms, *more, wrapper=()):
        words = [*wrapper, self.generator, workload.mode, peer.target,
                 "--connections", workload.connections, "--answer", workload.answer,
                 "--rate", workload.rate, "--warm-up-ms", int(1000 * self.options.warm_up), "--duration-ms", duration_ms,
                 "--cpu", self.lab.proxy_cpu, *more]
        for process_id in peer.process_ids():
            words += ["--pid", process_id]
        done = self.lab.run_on_load_cpu("client", *words)
        failure = " ".join(filter(None, [done.stderr.strip(), self._server_complaints()]))
        if done.returncode != 0 or failure:
            failure = failure or f"exit status {done.returncode}"
            self.log(f"{workload.name} {peer.name}: {failure}")
            return {"failure": failure}
        return json.loads(done.stdout)

    def _server_complaints(self):
        """What the server has reported since the last call."""
        if self.server.poll() is not None:
            raise BenchError(f"the server ended: {self.lab.errors('server')}")
        text = self.lab.errors("server")
        new, self.complaints_seen = text[self.complaints_seen:].strip(), len(text)
        return new

    def idle_memory(self, peer):
        """VmRSS of a fresh process before and after it holds many quiet connections."""
        peer.stop()
        peer.start()
        count = self.options.idle_connections
        client = self.lab.start("client", [self.generator, "idle", peer.target], self.lab.load_cpu,
                                "idle-client", stdin=-1, stdout=-1)
        try:
            self._open(client, WARM_CONNECTIONS)
            self._open(client, 0)
            time.sleep(0.5)
            before = resident_kilobytes(peer.process.pid)
            opened = self._open(client, count)
            time.sleep(0.5)
            after = resident_kilobytes(peer.process.pid)
            return {"connections": opened, "before_kb": before, "after_kb": after,
                    "kb_per_connection": (after - before) / opened}
        except BenchError as error:
            self.log(f"idle {peer.name}: {error}")
            return {"failure": str(error)}
        finally:
            self.lab.stop(client)

    def _open(self, client, count):
        client.stdin.write(f"{count}\n")
        client.stdin.flush()
        line = client.stdout.readline()
        if not line:
            raise BenchError(self.lab.errors("idle-client") or "the client ended")
        return int(line)

    def syscalls(self, peer):
        """System calls per operation; the breakdown comes from strace and only shows proportions."""
        results = {}
        for name in SYSCALL_TARGETS:
            workload = timed(name)
            mount = "mount -t tracefs none /sys/kernel/tracing 2>/dev/null; exec \"$@\""
            counted = self._client(workload, peer, int(1000 * self.options.seconds),
                                   "--count-syscalls", 1,
                                   wrapper=("unshare", "-m", "sh", "-c", mount, "sh"))
            breakdown = self._strace(workload, peer)
            if "failure" in counted and "calls" in breakdown:
                counted = {"syscalls": breakdown["calls"], "operations": breakdown["operations"],
                           "source": "strace, which slows the proxy down"}
            if "failure" not in counted:
                counted["per_operation"] = counted["syscalls"] / max(1, counted["operations"])
            results[name] = counted | {"strace": breakdown}
        return results

    def _strace(self, workload, peer):
        path = os.path.join(self.lab.work_directory, "strace.txt")
        words = ["strace", "-f", "-c", "-o", path]
        for process_id in peer.process_ids():
            words += ["-p", str(process_id)]
        try:
            tracer = self.lab.start("proxy", words, self.lab.load_cpu, "strace")
        except OSError as error:
            return {"failure": str(error)}
        if not wait_until(lambda: "attached" in self.lab.errors("strace"), 3):
            self.lab.stop(tracer)
            return {"failure": self.lab.errors("strace")}
        result = self._client(workload, peer, 500)
        tracer.send_signal(2)  # SIGINT: print the table
        tracer.wait(10)
        self.lab.stop(tracer)
        if "failure" in result:
            return result
        with open(path, encoding="ascii") as file:
            calls = parse_strace(file.read())
        return {"operations": result["operations"], "calls": sum(calls.values()), "by_name": calls}


def parse_strace(text):
    """{call: count} of `strace -c`; lines are: % seconds us/call calls [errors] name."""
    calls = {}
    for line in text.splitlines():
        match = re.fullmatch(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)\s*", line)
        if match and match.group(2) != "total":
            calls[match.group(2)] = int(match.group(1))
    return dict(sorted(calls.items(), key=lambda item: -item[1]))
