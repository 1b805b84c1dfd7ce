// Holds connections that have exchanged one request and then say nothing: for memory figures.
#pragma once

#include <netinet/in.h>

namespace fairlead::bench {

// Each number read from stdin opens that many more connections, answered by the total on stdout;
// 0 closes all. Returns at the end of stdin.
void RunIdleClient(const sockaddr_in& target);

}  // namespace fairlead::bench
