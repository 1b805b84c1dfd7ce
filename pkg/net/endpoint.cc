#include "pkg/net/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace fairlead::net {

absl::StatusOr<Endpoint> Endpoint::Parse(absl::string_view text) {
  const size_t colon = text.rfind(':');
  const auto invalid = [text] {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::CHexEscape(text.substr(0, 64)),
                     "\" is not ADDRESS:PORT (IPv6: [ADDRESS]:PORT)"));
  };
  if (colon == absl::string_view::npos) return invalid();
  absl::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const absl::StatusOr<IpAddress> address = IpAddress::Parse(host);
  uint32_t port = 0;
  const bool has_colon = host.find(':') != absl::string_view::npos;
  // SimpleAtoi takes signs and blanks too; a port is digits.
  const absl::string_view digits = text.substr(colon + 1);
  const bool is_number = std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) &&
                         absl::SimpleAtoi(digits, &port);
  if (!address.ok() || has_colon != bracketed || !is_number || port > 65535) {
    return invalid();
  }
  return Endpoint{*address, static_cast<uint16_t>(port)};
}

std::string Endpoint::ToString() const {
  return address.is_ipv4() ? absl::StrCat(address.ToString(), ":", port)
                           : absl::StrCat("[", address.ToString(), "]:", port);
}

SocketAddress::SocketAddress(const Endpoint& endpoint) : ipv6{} {
  const absl::Span<const uint8_t> bytes = endpoint.address.bytes();
  if (endpoint.address.is_ipv4()) {
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(endpoint.port);
    std::memcpy(&ipv4.sin_addr, bytes.data(), bytes.size());
    length = sizeof(ipv4);
  } else {
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(endpoint.port);
    std::memcpy(&ipv6.sin6_addr, bytes.data(), bytes.size());
    length = sizeof(ipv6);
  }
}

absl::StatusOr<Endpoint> SocketAddress::ToEndpoint() const {
  const auto from = [](const void* bytes, size_t size, uint16_t port) {
    return Endpoint{
        IpAddress::FromBytes(absl::MakeConstSpan(static_cast<const uint8_t*>(bytes), size)),
        ntohs(port)};
  };
  if (family() == AF_INET) return from(&ipv4.sin_addr, 4, ipv4.sin_port);
  if (family() == AF_INET6) return from(&ipv6.sin6_addr, 16, ipv6.sin6_port);
  return absl::InvalidArgumentError(absl::StrCat("address family ", family(), " is not IP"));
}

}  // namespace fairlead::net
