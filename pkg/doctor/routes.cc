#include "pkg/doctor/routes.h"

#include <string.h>

#include <array>
#include <bit>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace fairlead::doctor {
namespace {

// Keeps the longest prefix that holds the address.
struct Longest {
  const net::IpAddress& address;
  int length = -1;
  std::string interface;

  void Offer(const net::IpAddress& network, int prefix_length, absl::string_view name) {
    if (name == "lo" || prefix_length <= length) return;
    if (address.Masked(prefix_length) != network) return;
    length = prefix_length;
    interface = std::string(name);
  }
};

net::IpAddress FromWord(uint32_t word) {
  std::array<uint8_t, 4> bytes;
  ::memcpy(bytes.data(), &word, sizeof(word));
  return net::IpAddress::FromBytes(bytes);
}

// "eth0 0000010A 00000000 0001 0 0 0 00FFFFFF ...": interface, destination, and mask as the 8th
// word, both as numbers of this host's byte order (net/ipv4/fib_trie.c, fib_route_seq_show).
void OfferIpv4(const std::string& table, Longest& longest) {
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    uint32_t destination = 0;
    uint32_t mask = 0;
    if (words.size() < 8 || !absl::SimpleHexAtoi(words[1], &destination) ||
        !absl::SimpleHexAtoi(words[7], &mask)) {
      continue;
    }
    longest.Offer(FromWord(destination), std::popcount(mask), words[0]);
  }
}

// "fd010000000000000000000000000000 40 ... eth0": destination, its length, and the interface last
// (net/ipv6/route.c, rt6_info_route).
void OfferIpv6(const std::string& table, Longest& longest) {
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint32_t length = 0;
    if (words.size() < 10 || words[0].size() != 32 || !absl::SimpleHexAtoi(words[1], &length) ||
        length > 128) {
      continue;
    }
    std::array<uint8_t, 16> bytes{};
    bool valid = true;
    for (size_t i = 0; i < bytes.size(); ++i) {
      uint32_t byte = 0;
      valid &= absl::SimpleHexAtoi(words[0].substr(2 * i, 2), &byte);
      bytes[i] = static_cast<uint8_t>(byte);
    }
    if (valid) {
      longest.Offer(net::IpAddress::FromBytes(bytes), static_cast<int>(length), words.back());
    }
  }
}

}  // namespace

std::string InterfaceTowards(const HostTree& tree, const net::IpAddress& address) {
  Longest longest{address, -1, ""};
  if (address.is_ipv4()) {
    OfferIpv4(tree.Read("/proc/net/route"), longest);
  } else {
    OfferIpv6(tree.Read("/proc/net/ipv6_route"), longest);
  }
  return longest.interface;
}

}  // namespace fairlead::doctor
