// AddressPool: addresses that VIPs may get theirs from, as the user declared it.
#pragma once

#include <string>
#include <vector>

#include "pkg/model/object.h"
#include "pkg/net/ip_range.h"

namespace fairlead::model {

struct AddressPool {
  ObjectId id;
  SourceLocation location;
  std::vector<net::IpRange> ranges;     // 1..64, in the order of the text
  bool auto_assign = true;              // also for VIPs that do not ask for this pool by name
  std::vector<std::string> namespaces;  // whose VIPs may have an address; empty = all
  friend bool operator==(const AddressPool&, const AddressPool&) = default;
};

}  // namespace fairlead::model
