#!/usr/bin/env python3
"""The real servers and the client of docker/test_direct.

  test_direct_peer.py serve NAME           answers every line with "NAME CLIENT-ADDRESS", on port 80
  test_direct_peer.py ask ADDRESS COUNT    new connections; one answer per line
  test_direct_peer.py hold ADDRESS COUNT   that many connections, asked in turn until a line comes on
                                           standard input; fails when one of them is lost
"""

import select
import socket
import socketserver
import sys


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            for _ in self.rfile:
                self.wfile.write(f"{sys.argv[2]} {self.client_address[0]}\n".encode())
        except ConnectionResetError:
            pass  # a health check ends by a reset


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def connect(address):
    made = socket.create_connection((address, 80), timeout=10)
    return made, made.makefile("r")


def ask(connection):
    made, lines = connection
    made.sendall(b"who\n")
    answer = lines.readline().strip()
    if not answer:
        raise ConnectionError("the connection has ended")
    return answer


def hold(address, count):
    connections = [connect(address) for _ in range(count)]
    first = [ask(connection) for connection in connections]
    print("holding", flush=True)
    answers = 0
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        connection = answers % count
        if ask(connections[connection]) != first[connection]:
            raise ConnectionError("another server answers on the same connection")
        answers += 1
    print(answers)


def main():
    what, subject = sys.argv[1:3]
    if what == "serve":
        Server(("", 80), Answer).serve_forever()
    elif what == "ask":
        for _ in range(int(sys.argv[3])):
            connection = connect(subject)
            print(ask(connection))
            connection[0].close()
    else:
        hold(subject, int(sys.argv[3]))


main()
