#include "tests/netns/load/options.h"

#include <arpa/inet.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fairlead::netns {
namespace {

[[noreturn]] void Die(const std::string& message) {
  std::fprintf(stderr, "netns_load: %s\n", message.c_str());
  std::exit(2);
}

Address ToAddress(const char* text, int port) {
  Address address;
  auto* ipv4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) {
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(static_cast<uint16_t>(port));
    address.length = sizeof(*ipv4);
  } else if (::inet_pton(AF_INET6, text, &ipv6->sin6_addr) == 1) {
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(static_cast<uint16_t>(port));
    address.length = sizeof(*ipv6);
  } else {
    Die(std::string("not an address: ") + text);
  }
  address.text = std::string(text) + " " + std::to_string(port);
  return address;
}

}  // namespace

LoadOptions ParseOptions(int argc, char** argv) {
  LoadOptions options;
  int i = 1;
  const auto next = [&]() -> const char* {
    if (++i >= argc) Die(std::string("a value is missing after ") + argv[argc - 1]);
    return argv[i];
  };
  for (; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--target") {
      const char* text = next();
      const int port = std::atoi(next());
      options.targets.push_back(ToAddress(text, port));
      options.server_ports.push_back(port);
    } else if (flag == "--server-port") {
      if (options.server_ports.empty()) Die("--server-port comes after its --target");
      options.server_ports.back() = std::atoi(next());
    } else if (flag == "--source") {
      options.sources.push_back(ToAddress(next(), 0));
    } else if (flag == "--rate") {
      options.rate = std::atof(next());
    } else if (flag == "--seconds") {
      options.seconds = std::atof(next());
    } else if (flag == "--count") {
      options.count = std::strtoull(next(), nullptr, 10);
    } else if (flag == "--concurrency") {
      options.concurrency = std::strtoull(next(), nullptr, 10);
    } else if (flag == "--long") {
      options.long_count = std::strtoull(next(), nullptr, 10);
    } else if (flag == "--long-interval") {
      options.long_interval = std::atof(next());
    } else if (flag == "--timeout") {
      options.timeout = std::atof(next());
    } else if (flag == "--path") {
      options.path = next();
    } else if (flag == "--expect") {
      options.expected_file = next();
    } else {
      Die("unknown flag " + flag);
    }
  }
  if (options.targets.empty()) Die("--target ADDRESS PORT is missing");
  return options;
}

}  // namespace fairlead::netns
