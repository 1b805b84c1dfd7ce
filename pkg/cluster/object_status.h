// The status of a RealServer and of an AddressPool. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/cluster/catalog.h"
#include "pkg/cluster/pool_allocator.h"
#include "pkg/cluster/vip_status.h"

namespace fairlead::cluster {

// What one VIP says of a server.
struct ServerUse {
  std::string vip;  // its name
  ServerVerdict verdict;
};

// Ready: True when a VIP gives it new clients.
nlohmann::json BuildServerStatus(const nlohmann::json& object, const Verdict& verdict,
                                 const std::vector<ServerUse>& uses, absl::Time now);

// `use` is absent when the pool is not accepted. Ready: True when there are addresses left.
nlohmann::json BuildPoolStatus(const nlohmann::json& object, const Verdict& verdict,
                               const std::optional<PoolUse>& use, absl::Time now);

}  // namespace fairlead::cluster
