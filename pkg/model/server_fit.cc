#include "pkg/model/server_fit.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace fairlead::model {
namespace {

const char* FamilyName(const net::IpAddress& address) {
  return address.is_ipv4() ? "IPv4" : "IPv6";
}

// While the VIP waits for its addresses nothing speaks against a server yet.
bool HasAddressOfFamily(const Vip& vip, net::IpFamily family) {
  if (vip.waits_for_address()) return true;
  return std::any_of(vip.addresses.begin(), vip.addresses.end(),
                     [family](const net::IpAddress& own) { return own.family() == family; });
}

// The VIP would forward to itself, over and over.
bool IsVipItself(const Vip& vip, const net::IpAddress& address, std::optional<uint16_t> port) {
  const bool own_address =
      std::find(vip.addresses.begin(), vip.addresses.end(), address) != vip.addresses.end();
  const bool own_port = port.value_or(0) == 0 || vip.ports.Contains(*port);
  return own_address && own_port;
}

// Why a client's packets cannot go to a server as they are, and what would change that; both empty
// when they can.
struct Obstacle {
  std::string reason;
  const char* remedy = "";
};

Obstacle ObstacleOf(const Vip& vip, const net::IpAddress& address, std::optional<uint16_t> port) {
  if (port.value_or(0) != 0) {
    return {absl::StrCat("direct routing cannot translate the port to ", *port,
                         ", as the packet reaches the server as the client sent it"),
            "remove port"};
  }
  if (HasAddressOfFamily(vip, address.family())) return {};
  return {absl::StrCat("the server is ", FamilyName(address),
                       " but the VIP has no such address, and in direct routing the families must "
                       "match"),
          "write the server's other address"};
}

Obstacle ObstacleOf(const Vip& vip, const ServerSpec& spec) {
  if (!spec.has_host_name()) return ObstacleOf(vip, spec.address, spec.port);
  return {absl::StrCat("direct routing needs the address of ", spec.host_name,
                       ", which must be on a network of this host"),
          "write the IP address"};
}

std::string DirectRoutingMisfit(const Obstacle& obstacle) {
  if (obstacle.reason.empty()) return "";
  return absl::StrCat(obstacle.reason, "; ", obstacle.remedy, ", or use mode: SNAT");
}

}  // namespace

std::string ServerMisfit(const Vip& vip, const net::IpAddress& address,
                         std::optional<uint16_t> port) {
  if (IsVipItself(vip, address, port)) {
    return absl::StrCat(address.ToString(),
                        " is the VIP itself: connections would loop; write the real server's own "
                        "address");
  }
  if (vip.mode == Mode::kDr) return DirectRoutingMisfit(ObstacleOf(vip, address, port));
  if (vip.client_address == ClientAddress::kTransparent) {
    if (HasAddressOfFamily(vip, address.family())) return "";
    return absl::StrCat("the server is ", FamilyName(address),
                        " but the VIP's clients are not, and clientAddress Transparent keeps the "
                        "client's address; use ProxyProtocolV2 or a server of the VIP's family");
  }
  switch (vip.source.type) {
    case SourceAddress::Type::kAuto:
      return "";
    case SourceAddress::Type::kVip:
      if (HasAddressOfFamily(vip, address.family())) return "";
      return absl::StrCat("the server is ", FamilyName(address),
                          " but the VIP has no such address to connect from (source type VIP); use "
                          "source type Auto");
    case SourceAddress::Type::kAddress:
      if (vip.source.address.family() == address.family()) return "";
      return absl::StrCat("the server is ", FamilyName(address), " but the source address ",
                          vip.source.address.ToString(), " is not; use source type Auto");
  }
  return "";
}

std::string ServerMisfit(const Vip& vip, const ServerSpec& spec) {
  if (!spec.has_host_name()) return ServerMisfit(vip, spec.address, spec.port);
  return vip.mode == Mode::kDr ? DirectRoutingMisfit(ObstacleOf(vip, spec)) : "";
}

std::string DirectMisfit(const Vip& vip, const ServerSpec& spec) {
  if (spec.connections_max != 0) {
    return absl::StrCat("direct routing does not keep maxConnections ", spec.connections_max,
                        " in this version");
  }
  return ObstacleOf(vip, spec).reason;
}

std::string ServerPlace::ToString() const {
  if (host_name.empty()) {
    return port == 0 ? address.ToString() : net::Endpoint{address, port}.ToString();
  }
  return port == 0 ? host_name : absl::StrCat(host_name, ":", port);
}

ServerPlace PlaceOf(const ServerSpec& spec) {
  return {spec.host_name, spec.has_host_name() ? net::IpAddress() : spec.address,
          spec.port.value_or(0)};
}

}  // namespace fairlead::model
