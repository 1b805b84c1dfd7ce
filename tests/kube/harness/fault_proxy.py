"""A bad network and a bad server between a client and a real API server.

    client --TLS--> FaultProxy --TLS, as the administrator--> server

    proxy.cut()              ends all connections, with RST
    proxy.refuse()           and new ones are refused, until accept()
    proxy.stall()            nothing passes, until resume()
    proxy.slow(1000)         bytes a second of each answer
    proxy.inject(Fault(...)) for the next requests that it is about
"""

import re
import select
import socket
import ssl
import struct
import threading
import time

from .process import free_ports

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close(2) sends RST


def is_watch(target):
    return "watch=true" in target and "sendInitialEvents" not in target


class Fault:
    """What happens to `count` requests `about` a "watch", a "list" (also one that streams), a
    "check" or "any": an answer of the proxy's own (`status` with `headers` and `body`; `silent`: a
    200 after which nothing comes), or the server's answer, `cut` after so many bytes of its
    body."""

    def __init__(self, about="any", count=1, status=None, headers=(), body="", silent=False,
                 cut=None):
        self.about, self.count = about, count
        self.status, self.headers, self.body = status, headers, body
        self.silent, self.cut = silent, cut

    def matches(self, target):
        kind = ("check" if "limit=1&" in target else "watch" if is_watch(target) else "list")
        return self.about in ("any", kind)


class FaultProxy:

    def __init__(self, server, watch_seconds=None):
        """`watch_seconds`: in the place of the timeoutSeconds that the client asks for."""
        self._watch_seconds = watch_seconds
        [self.port] = free_ports(1)
        self._upstream_port = server.port
        self._inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._inside.load_cert_chain(server.pki.path("serving.crt"), server.pki.path("serving.key"))
        self._outside = ssl.create_default_context(cafile=server.pki.path("ca.crt"))
        self._outside.load_cert_chain(server.pki.path("admin.crt"), server.pki.path("admin.key"))
        self._lock = threading.Lock()
        self._open = set()       # a duplicate of each socket: TLS takes the socket itself over
        self._faults = []
        self.requests = []       # targets, in their order
        self._flows = threading.Event()
        self._flows.set()
        self._bytes_per_second = 0  # as fast as they come
        self.accept()

    # What a test does to it.

    def accept(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._acceptor = threading.Thread(target=self._accept_all, args=(self._listener,),
                                          daemon=True)
        self._acceptor.start()

    def refuse(self):
        # A thread that waits in accept(2) keeps the port open unless it is woken.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()  # what it has accepted is cut, too
        self._listener.close()
        self._listener = None
        self.cut()

    def cut(self):
        with self._lock:
            for handle in self._open:
                try:
                    handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    handle.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the other side has gone

    def stall(self):
        self._flows.clear()

    def resume(self):
        self._flows.set()

    def slow(self, bytes_per_second):
        self._bytes_per_second = bytes_per_second

    def inject(self, fault):
        with self._lock:
            self._faults.append(fault)

    def pending_faults(self):
        with self._lock:
            return len(self._faults)

    def watches(self):
        """The resourceVersions that watches were asked for from."""
        return [re.search(r"resourceVersion=(\w*)", target)[1] for target in self.requests
                if is_watch(target)]

    def stop(self):
        self.resume()
        if self._listener is None:
            self.cut()
        else:
            self.refuse()

    # Its own.

    def _accept_all(self, listener):
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            handle = self._remember(raw)
            threading.Thread(target=self._serve, args=(raw, handle), daemon=True).start()

    def _serve(self, raw, handle):
        sockets, handles = [raw], [handle]
        try:
            self._flows.wait()
            client = self._inside.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
            sockets.append(client)
            client.do_handshake()
            head = self._read_head(client)
            target = head.split(b" ", 2)[1].decode()
            fault = self._fault_for(target)
            if fault is not None and (fault.status is not None or fault.silent):
                self._answer(client, fault)
                return
            raw = socket.create_connection(("127.0.0.1", self._upstream_port), timeout=10)
            sockets.append(raw)
            handles.append(self._remember(raw))
            upstream = self._outside.wrap_socket(raw, server_hostname="127.0.0.1")
            sockets.append(upstream)
            upstream.sendall(self._as_sent_on(head))
            self._relay(upstream, client, fault.cut if fault is not None else None)
        except (OSError, ValueError, IndexError):
            pass  # one side has gone, or was cut
        finally:
            with self._lock:
                self._open.difference_update(handles)
            for each in [*handles, *reversed(sockets)]:
                each.close()

    def _remember(self, raw):
        handle = raw.dup()
        with self._lock:
            self._open.add(handle)
        return handle

    def _fault_for(self, target):
        with self._lock:
            self.requests.append(target)
            for fault in self._faults:
                if fault.matches(target):
                    fault.count -= 1
                    if fault.count == 0:
                        self._faults.remove(fault)
                    return fault
        return None

    def _as_sent_on(self, head):
        if self._watch_seconds is not None:
            head = re.sub(rb"timeoutSeconds=\d+", b"timeoutSeconds=%d" % self._watch_seconds, head)
        return head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)

    @staticmethod
    def _read_head(client):
        head = b""
        while b"\r\n\r\n" not in head:
            got = client.recv(65536)
            if not got:
                raise OSError("the client has gone")
            head += got
        return head

    @staticmethod
    def _answer(client, fault):
        if fault.silent:
            client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.recv(1)  # until the client goes, or cut()
            return
        lines = [f"HTTP/1.1 {fault.status} Fault", f"Content-Length: {len(fault.body)}",
                 "Connection: close", *fault.headers, "", ""]
        client.sendall("\r\n".join(lines).encode() + fault.body.encode())

    def _relay(self, upstream, client, cut):
        seen = b""
        while True:
            if not upstream.pending():
                readable = select.select([upstream, client], [], [], 1)[0]
                if client in readable and not client.recv(65536):
                    return
                if upstream not in readable:
                    continue
            data = upstream.recv(16384)
            self._flows.wait()
            if not data:
                return
            if cut is not None:
                seen += data
                begin = seen.find(b"\r\n\r\n")
                beyond = len(seen) - (begin + 4 + cut)
                if begin >= 0 and beyond >= 0:
                    client.sendall(data[:len(data) - beyond])
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    return
            self._send(client, data)

    def _send(self, client, data):
        while data:
            rate = self._bytes_per_second
            piece = max(1, rate // 10) if rate else len(data)
            client.sendall(data[:piece])
            data = data[piece:]
            if rate:
                time.sleep(0.1)
