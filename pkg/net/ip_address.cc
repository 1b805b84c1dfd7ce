#include "pkg/net/ip_address.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace fairlead::net {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

absl::StatusOr<IpAddress> IpAddress::Parse(absl::string_view text) {
  const std::string owned(text);
  std::array<uint8_t, 16> bytes{};
  // inet_pton(3) stops at the first NUL: a text with one is no address.
  if (owned.find('\0') == std::string::npos) {
    if (::inet_pton(AF_INET, owned.c_str(), bytes.data()) == 1) {
      return FromBytes(absl::MakeConstSpan(bytes.data(), 4));
    }
    if (::inet_pton(AF_INET6, owned.c_str(), bytes.data()) == 1) return FromBytes(bytes);
  }
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::CHexEscape(text.substr(0, 64)),
                                                 "\" is not an IPv4 or IPv6 address"));
}

IpAddress IpAddress::FromBytes(absl::Span<const uint8_t> bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) std::abort();
  IpAddress address;
  if (bytes.size() == 16 && std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin())) {
    bytes = bytes.subspan(12);
  }
  address.family_ = bytes.size() == 4 ? IpFamily::kIpv4 : IpFamily::kIpv6;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](uint8_t b) { return b == 0; });
}

bool IpAddress::is_loopback() const {
  if (is_ipv4()) return bytes_[0] == 127;
  return bytes_[15] == 1 &&
         std::all_of(bytes_.begin(), bytes_.begin() + 15, [](uint8_t b) { return b == 0; });
}

bool IpAddress::is_multicast() const {
  return is_ipv4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::is_link_local() const {
  if (is_ipv4()) return bytes_[0] == 169 && bytes_[1] == 254;
  return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

IpAddress IpAddress::Masked(int length) const {
  IpAddress masked = *this;
  const int width = static_cast<int>(bytes().size());
  for (int i = 0; i < width; ++i) {
    const int bits_kept = std::clamp(length - 8 * i, 0, 8);
    masked.bytes_[i] &= static_cast<uint8_t>(0xff00 >> bits_kept);
  }
  return masked;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  const char* ok = ::inet_ntop(is_ipv4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof(text));
  return ok == nullptr ? "invalid" : ok;
}

}  // namespace fairlead::net
