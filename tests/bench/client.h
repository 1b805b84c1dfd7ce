// The client of the benchmark: keeps a number of connections busy and measures the proxy meanwhile.
#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fairlead::bench {

enum class Mode {
  kRequests,  // long connections, each with at most one request under way
  kConnects,  // connect, request, answer, close, and again
  kDownload,  // the server sends without an end
  kUpload,    // the client sends without an end
};

struct ClientOptions {
  Mode mode = Mode::kRequests;
  sockaddr_in target{};
  uint32_t connections = 64;
  uint64_t answer_size = 64;
  uint64_t rate = 0;  // kRequests: how many a second in all; 0 = the next follows the last answer
  uint64_t warm_up_ms = 200;
  uint64_t duration_ms = 1000;
  std::vector<int> process_ids;  // of the proxy under test; may be empty
  size_t cpu = 1;                // the proxy's
  bool counts_syscalls = false;  // of the processes
};

// Runs one slice and prints its result as one line of JSON. Any failed connection or wrong byte
// ends the program with a message and status 1.
void RunClient(const ClientOptions& options);

}  // namespace fairlead::bench
