// IpRange: addresses in a row, as an address pool names them: "10.0.0.1-10.0.0.9", "fd00::/120".
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pkg/net/ip_address.h"

namespace fairlead::net {

// Both ends belong to the range; they are of one family and first <= last. Inert.
struct IpRange {
  IpAddress first;
  IpAddress last;

  // "a-b", a prefix "a/n" (all of its addresses; no bit of `a` may stand beyond the prefix), or one
  // address. Errors: InvalidArgument that names the text and what to write.
  static absl::StatusOr<IpRange> Parse(absl::string_view text);
  // "a-b", or "a" for one address.
  std::string ToString() const;

  friend bool operator==(const IpRange&, const IpRange&) = default;
};

}  // namespace fairlead::net
