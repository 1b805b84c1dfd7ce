// PortSet: a set of TCP/UDP ports as the guide writes them: "80,443,5014-5019,5021".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::net {

// Both ends belong to the range; 1 <= first <= last <= 65535.
struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;
  friend bool operator==(const PortRange&, const PortRange&) = default;
};

// Invariant: ranges are sorted, disjoint and not adjacent, so that equal sets compare equal and
// print the same. Copyable and inert.
class PortSet {
 public:
  PortSet() = default;

  // A comma-separated list of ports and a-b ranges, blanks around items allowed; "*" is every port
  // 1..65535. Port 0, ports above 65535, reversed ranges and empty items are InvalidArgument, and
  // the message names the item.
  static absl::StatusOr<PortSet> Parse(absl::string_view text);

  // One item of a list: "80" or "5014-5019". Errors as Parse.
  static absl::StatusOr<PortRange> ParseItem(absl::string_view item);

  // The union of `ranges`, in any order.
  static PortSet FromRanges(std::vector<PortRange> ranges);

  void Add(PortRange range);
  void Add(const PortSet& other);

  bool Contains(uint16_t port) const;
  bool Intersects(const PortSet& other) const;
  // The ports that are in both.
  PortSet Intersection(const PortSet& other) const;
  bool empty() const { return ranges_.empty(); }
  bool is_all() const;
  // How many ports (not ranges): 0..65535.
  size_t count() const;
  // The lowest port; the set must not be empty.
  uint16_t first() const { return ranges_.front().first; }
  const std::vector<PortRange>& ranges() const { return ranges_; }
  // Every port, ascending.
  std::vector<uint16_t> ToPorts() const;
  // Canonical form: "80,443,5014-5019"; two adjacent ports print as a list ("5021,5022"), as the
  // guide writes them; "*" for every port; "" for none.
  std::string ToString() const;

  friend bool operator==(const PortSet&, const PortSet&) = default;

 private:
  std::vector<PortRange> ranges_;
};

}  // namespace fairlead::net
