"""A name server in the balancer's namespace, which is what programs there ask."""

import os
import shutil
import socket
import struct
import threading

A, AAAA = 1, 28
NAME_ERROR = 3


class NameServer:
    """Answers from `records`, {"name": ["10.0.0.1", ...]}, which may change at any time. `silent`:
    takes the questions and says nothing."""

    def __init__(self, lab, records):
        self.records = dict(records)
        self.silent = False
        self.asked = 0
        # ip-netns(8): files of this directory stand in for those of /etc in the namespace.
        self._directory = f"/etc/netns/{lab.balancer.name}"
        os.makedirs(self._directory, exist_ok=True)
        with open(f"{self._directory}/resolv.conf", "w") as file:
            file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self._socket = lab.balancer.socket(kind=socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        lab.on_close(self.close)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        shutil.rmtree(self._directory, ignore_errors=True)
        self._socket.close()

    def _serve(self):
        while True:
            try:
                question, client = self._socket.recvfrom(4096)
            except OSError:
                return
            self.asked += 1
            if not self.silent:
                self._socket.sendto(self._answer(question), client)

    def _answer(self, question):
        """RFC 1035 section 4.1: header, the question as it came, and the records."""
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        kind, = struct.unpack_from("!H", question, at + 1)
        asked = question[12:at + 5]
        known = self.records.get(".".join(labels).lower())
        family = {A: socket.AF_INET, AAAA: socket.AF_INET6}.get(kind)
        addresses = [address for address in known or ()
                     if (":" in address) == (family == socket.AF_INET6)]
        records = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(packed)) + packed
            for packed in (socket.inet_pton(family, address) for address in addresses))
        flags = 0x8580 | (NAME_ERROR if known is None else 0)
        return (question[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0) + asked +
                records)
