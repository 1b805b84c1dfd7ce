// The real server of the benchmark: answers requests, feeds downloads, verifies uploads.
#pragma once

#include <netinet/in.h>

namespace fairlead::bench {

// Serves until the process is killed. Prints "ready" once it listens. Whatever does not verify is
// reported on stderr, and its connection is reset; the driver counts any such line as a failed run.
[[noreturn]] void Serve(const sockaddr_in& address);

}  // namespace fairlead::bench
