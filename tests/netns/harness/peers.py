"""Small servers written here, for what daemons cannot be asked for: to say nothing, to reset, to
answer only after the client's end of stream."""

import hashlib
import socket
import struct
import threading


def reset(connection):
    """Closes with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_all(connection):
    chunks = []
    while chunk := connection.recv(1 << 16):
        chunks.append(chunk)
    return b"".join(chunks)


class Peer:
    """A server in a namespace; `handle(peer, connection, address)` runs on a thread of its own per
    connection and closes it. It counts what it accepted."""

    def __init__(self, lab, name, port, handle, backlog=1024):
        self.name = name
        self.accepted = 0
        self.errors = []
        self._handle = handle
        self._listener = lab[name].listen(port, backlog=backlog)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        lab.on_close(self.stop)

    def _accept(self):
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(connection, address), daemon=True).start()

    def _serve(self, connection, address):
        try:
            self._handle(self, connection, address)
        except OSError as error:
            self.errors.append(error)
        finally:
            connection.close()

    def stop(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self._thread.join(5)


def who(peer, connection, address):
    """Says its name and the client's address, then ends."""
    connection.sendall(f"{peer.name} {address[0].removeprefix('::ffff:')} {address[1]}\n".encode())


def who_and_hold(peer, connection, address):
    """Says its name; holds the connection until the client ends it."""
    who(peer, connection, address)
    read_all(connection)


def digest_at_end(peer, connection, address):
    """LPD style: reads until the client's end of stream, then answers, then ends."""
    content = read_all(connection)
    connection.sendall(f"{len(content)} {hashlib.sha256(content).hexdigest()}\n".encode())


def echo(peer, connection, address):
    while chunk := connection.recv(1 << 16):
        connection.sendall(chunk)


def reset_after_hello(peer, connection, address):
    connection.sendall(b"hello\n")
    connection.recv(1)
    reset(connection)
