// DesiredState: the immutable snapshot of what the user asked for, with what was refused and why.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "pkg/model/address_pool.h"
#include "pkg/model/node.h"
#include "pkg/model/object.h"
#include "pkg/model/service_endpoints.h"
#include "pkg/model/vip.h"

namespace fairlead::model {

struct DesiredState {
  std::vector<Vip> vips;                   // valid ones (or their last good version), by id
  std::vector<RealServer> real_servers;    // the same
  std::vector<AddressPool> address_pools;  // the same
  // Those that a VIP may name (Kubernetes only), by namespace and name.
  std::vector<ServiceEndpoints> services;
  std::optional<Node> node;
  std::vector<Finding> findings;  // of this reading: rejected objects and warnings
  // Objects that are in force although their present text is rejected: the last good version.
  std::vector<ObjectId> stale;
  friend bool operator==(const DesiredState&, const DesiredState&) = default;
};

// The union of the VIP's inline list, the RealServer objects that its selector matches, and the
// endpoints of its Service, sorted by name. Of two with one name or one place the earlier in this
// order wins; an object that the VIP cannot connect to (ServerMisfit) is left out. ValidateTogether
// warns of both.
std::vector<VipServer> ServersOf(const DesiredState& desired, const Vip& vip);

// ServersOf for many VIPs of one state: finds the matching objects by label instead of looking at
// each. Borrows `desired`, which must not change while the index lives.
class ServerIndex {
 public:
  explicit ServerIndex(const DesiredState& desired);
  // The RealServer objects that the VIP's selector matches, in the order of `desired`.
  std::vector<const RealServer*> Matching(const Vip& vip) const;
  // The endpoints of the VIP's Service; null when it names none or there are none.
  const ServiceEndpoints* EndpointsFor(const Vip& vip) const;
  std::vector<VipServer> ServersOf(const Vip& vip) const;

 private:
  const DesiredState& desired_;
  // (namespace, "key=value") -> the objects with that label.
  absl::flat_hash_map<std::pair<std::string, std::string>, std::vector<const RealServer*>>
      by_label_;
};

// Rules over several objects: the same address + port + protocol in two VIPs, a VIP port where the
// admin API listens (AdminHttpEndpoint of `admin_flag` and the Node: on that address, or on every
// address when it is a wildcard) or the Node's web page does, two RealServer objects with one
// endpoint in one VIP. The later object (by place in its vector) is rejected: removed from `state`
// and told in `findings`. Objects in `preferred` (those already in force) count as earlier than the
// others. Warnings: a VIP without a server, an object that no VIP uses or can use. The order of the
// vectors is kept.
void ValidateTogether(DesiredState& state, const std::optional<net::Endpoint>& admin_flag,
                      const std::vector<ObjectId>& preferred);

// Rules over one object, after decoding. Returns the findings; any error rejects the object.
std::vector<Finding> Validate(const Vip& vip);
std::vector<Finding> Validate(const RealServer& server);
std::vector<Finding> Validate(const AddressPool& pool);
std::vector<Finding> Validate(const Node& node);

}  // namespace fairlead::model
