"""Runs a configuration whose VIP is 127.0.0.1 in a network namespace of its own: `localhost_trial.py FILE PORT
ADDRESS...`. The addresses are the real servers', which answer with theirs; prints who answered 20 clients.

Started by `unshare --net`, in which everything may be listened on.
"""

import collections
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from harness.manifests import FAIRLEAD
from harness.process import Process


def serve(address, port):
    listener = socket.create_server((address, port), backlog=64)

    def answer():
        while True:
            client, _ = listener.accept()
            with client, contextlib.suppress(OSError):  # a health check is gone already
                client.sendall(address.encode())
    threading.Thread(target=answer, daemon=True).start()


def ask(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            return client.makefile().read()
    except OSError as error:
        return str(error)


def main(file, port, *addresses):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in addresses:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
        for listened in {int(port), 515}:
            serve(address, listened)
    with tempfile.TemporaryDirectory() as folder:
        daemon = Process([FAIRLEAD, "run", "--config", file, "--state-directory", folder,
                          "--shutdown-grace", "0"], os.path.join(folder, "log"))
        try:
            daemon.wait_until(lambda: ask(int(port)) in addresses, 30, "serving")
            print(dict(collections.Counter(ask(int(port)) for _ in range(20))))
        finally:
            daemon.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
