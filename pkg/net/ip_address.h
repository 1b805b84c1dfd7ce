// IpAddress, IpPrefix: inert values, IPv4 and IPv6, bytes in network order.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace fairlead::net {

enum class IpFamily : uint8_t { kIpv4 = 4, kIpv6 = 6 };

class IpAddress {
 public:
  // 0.0.0.0.
  IpAddress() = default;

  // Accepts dotted decimal (RFC 6943 §3.1.1 strict form) and RFC 4291 §2.2 text, without zone,
  // brackets or prefix. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) becomes the IPv4 address, so
  // that one host has one value. Error: InvalidArgument naming the text.
  static absl::StatusOr<IpAddress> Parse(absl::string_view text);
  // `bytes` holds 4 or 16 bytes in network order (CHECKed).
  static IpAddress FromBytes(absl::Span<const uint8_t> bytes);

  IpFamily family() const { return family_; }
  bool is_ipv4() const { return family_ == IpFamily::kIpv4; }
  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_multicast() const;
  // IPv6 fe80::/10 (RFC 4291 §2.5.6) or IPv4 169.254/16 (RFC 3927).
  bool is_link_local() const;
  // 4 or 16 bytes, network order; valid as long as this object.
  absl::Span<const uint8_t> bytes() const {
    return absl::MakeConstSpan(bytes_.data(), is_ipv4() ? 4 : 16);
  }
  // This address with every bit after the first `length` cleared; `length` beyond the family's
  // width changes nothing.
  IpAddress Masked(int length) const;
  // RFC 5952 text.
  std::string ToString() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  friend std::strong_ordering operator<=>(const IpAddress&, const IpAddress&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const IpAddress& a) {
    return H::combine(std::move(h), a.family_, a.bytes_);
  }

 private:
  IpFamily family_ = IpFamily::kIpv4;
  std::array<uint8_t, 16> bytes_{};
};

}  // namespace fairlead::net
