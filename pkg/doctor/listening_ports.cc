#include "pkg/doctor/listening_ports.h"

#include <string.h>

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace fairlead::doctor {
namespace {

constexpr absl::string_view kListen = "0A";  // TCP_LISTEN, include/net/tcp_states.h

// "0100007F:0050" -> 127.0.0.1:80 on a little-endian host: each word of 32 bits is printed as a
// number of this host.
std::optional<net::Endpoint> ParseHexEndpoint(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  uint32_t port = 0;
  if (parts.size() != 2 || (parts[0].size() != 8 && parts[0].size() != 32) ||
      !absl::SimpleHexAtoi(parts[1], &port) || port > 65535) {
    return std::nullopt;
  }
  std::array<uint8_t, 16> bytes{};
  const size_t size = parts[0].size() / 2;
  for (size_t at = 0; at < size; at += 4) {
    uint32_t word = 0;
    if (!absl::SimpleHexAtoi(parts[0].substr(at * 2, 8), &word)) return std::nullopt;
    ::memcpy(bytes.data() + at, &word, sizeof(word));
  }
  return net::Endpoint{net::IpAddress::FromBytes(absl::MakeConstSpan(bytes.data(), size)),
                       static_cast<uint16_t>(port)};
}

// "  0: 0100007F:0050 00000000:0000 0A ... inode ...": the words that count are 1, 3 and 9.
void AddListeners(const std::string& table, bool is_ipv6, std::vector<Listener>& listeners) {
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() < 10 || words[3] != kListen) continue;
    const std::optional<net::Endpoint> endpoint = ParseHexEndpoint(words[1]);
    uint64_t inode = 0;
    if (!endpoint.has_value() || !absl::SimpleAtoi(words[9], &inode)) continue;
    listeners.push_back({*endpoint, is_ipv6, inode});
  }
}

bool IsNumber(const std::string& text) {
  return std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

}  // namespace

std::vector<Listener> ListeningPorts(const HostTree& tree) {
  std::vector<Listener> listeners;
  AddListeners(tree.Read("/proc/net/tcp"), false, listeners);
  AddListeners(tree.Read("/proc/net/tcp6"), true, listeners);
  return listeners;
}

std::string OwnerOf(const HostTree& tree, uint64_t inode) {
  const std::string wanted = absl::StrCat("socket:[", inode, "]");
  for (const std::string& pid : tree.List("/proc")) {
    if (!IsNumber(pid)) continue;
    const std::string folder = absl::StrCat("/proc/", pid);
    for (const std::string& fd : tree.List(folder + "/fd")) {
      if (tree.LinkTarget(absl::StrCat(folder, "/fd/", fd)) != wanted) continue;
      return absl::StrCat(absl::StripAsciiWhitespace(tree.Read(folder + "/comm")), " (pid ", pid,
                          ")");
    }
  }
  return "";
}

}  // namespace fairlead::doctor
