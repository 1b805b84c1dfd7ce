// DesiredState: the immutable snapshot of what the user asked for, with what was refused and why.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pkg/model/node.h"
#include "pkg/model/object.h"
#include "pkg/model/vip.h"

namespace fairlead::model {

// One real server as one VIP uses it.
struct VipServer {
  std::string name;    // RealServer object's or inline entry's name; unique in the VIP
  bool is_object;      // false: inline list
  ServerSpec spec;
};

struct DesiredState {
  std::vector<Vip> vips;                  // valid ones (or their last good version), by id
  std::vector<RealServer> real_servers;   // the same
  std::optional<Node> node;
  std::vector<Finding> findings;          // of this reading: rejected objects and warnings
  // Objects that are in force although their present text is rejected: the last good version.
  std::vector<ObjectId> stale;
};

// The union of the VIP's inline list and the RealServer objects that its selector matches, sorted
// by name. An inline entry with the name of a matched object wins.
std::vector<VipServer> ServersOf(const DesiredState& desired, const Vip& vip);

// Rules over several objects: the same address + port + protocol in two VIPs, a VIP port equal to
// one of our own listening ports (`own_ports`), duplicate server endpoints. The later object (by
// place in `vips`, then name) is rejected: removed from `state` and told in `findings`. Objects in
// `preferred` (those already in force) count as earlier than the others.
void ValidateTogether(DesiredState& state, const std::vector<net::Endpoint>& own_ports,
                      const std::vector<ObjectId>& preferred);

// Rules over one object, after decoding. Returns the findings; any error rejects the object.
std::vector<Finding> Validate(const Vip& vip);
std::vector<Finding> Validate(const RealServer& server);
std::vector<Finding> Validate(const Node& node);

}  // namespace fairlead::model
