// TCP sockets for the benchmark's two ends. IPv4 only. Every failure here ends the program with a
// message: a benchmark that goes on after one would publish wrong numbers.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>

namespace fairlead::bench {

// Prints "what: reason (errno)" and exits with status 1.
[[noreturn]] void Fail(const std::string& what);

// "10.0.0.1:80" as a socket address.
sockaddr_in ParseEndpoint(const std::string& text);

int Listen(const sockaddr_in& address);

// Blocks until connected; the socket is non-blocking afterwards.
int ConnectNow(const sockaddr_in& address);

// Returns at once with a non-blocking socket whose connection is under way.
int StartConnect(const sockaddr_in& address);

int CreateEpoll();
void Watch(int epoll, int fd, uint32_t events, uint64_t data);

}  // namespace fairlead::bench
