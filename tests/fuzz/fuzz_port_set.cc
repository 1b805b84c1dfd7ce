// PortSet::Parse over any text: what it accepts has a canonical form that parses to itself.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "pkg/net/endpoint.h"
#include "pkg/net/port_set.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using fairlead::net::Endpoint;
  using fairlead::net::PortSet;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<PortSet> ports = PortSet::Parse(text);
  if (ports.ok()) {
    Require(!ports->empty());
    const absl::StatusOr<PortSet> again = PortSet::Parse(ports->ToString());
    Require(again.ok() && *again == *ports);
    int previous = -1;
    for (const auto& range : ports->ranges()) {
      Require(range.first >= 1 && range.first <= range.last && range.first > previous + 1);
      previous = range.last;
    }
    Require(ports->Contains(ports->first()) && ports->ToPorts().size() == ports->count());
  } else {
    Require(ports.status().message().size() < 512);
  }
  const absl::StatusOr<Endpoint> endpoint = Endpoint::Parse(text);
  if (endpoint.ok()) {
    const absl::StatusOr<Endpoint> again = Endpoint::Parse(endpoint->ToString());
    Require(again.ok() && *again == *endpoint);
  }
  return 0;
}
