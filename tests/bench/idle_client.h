// Holds connections that have exchanged one request and then say nothing: for memory figures.
#ifndef TESTS_BENCH_IDLE_CLIENT_H_
#define TESTS_BENCH_IDLE_CLIENT_H_

#include <netinet/in.h>

namespace fairlead::bench {

// Each number read from stdin opens that many more connections, answered by the total on stdout;
// 0 closes all. Returns at the end of stdin.
void RunIdleClient(const sockaddr_in& target);

}  // namespace fairlead::bench

#endif  // TESTS_BENCH_IDLE_CLIENT_H_
