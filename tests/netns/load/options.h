// The command line of netns_load.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <vector>

namespace fairlead::netns {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  std::string text;
};

struct LoadOptions {
  std::vector<Address> targets;   // --target ADDRESS PORT: taken in turn
  std::vector<int> server_ports;  // of each target: --server-port PORT after it (default the same)
  std::vector<Address> sources;   // --source ADDRESS: taken in turn; none = the kernel's choice
  double rate = 200;              // --rate: short connections a second; 0 = none
  double seconds = 0;             // --seconds: 0 = until SIGTERM
  uint64_t count = 0;             // --count: short connections in all; 0 = no limit
  size_t concurrency = 1000;      // --concurrency: short connections at a time
  size_t long_count = 0;          // --long: connections that stay, with a request every ...
  double long_interval = 0.2;     // --long-interval SECONDS
  double timeout = 10;            // --timeout SECONDS: of one connect or answer
  std::string path = "/who";      // --path
  std::string expected_file;      // --expect FILE: the body
};

// Exits with a message on a mistake.
LoadOptions ParseOptions(int argc, char** argv);

}  // namespace fairlead::netns
