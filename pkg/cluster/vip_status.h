// The status of a VIP, joined from what its daemons say. Pure.
//
//   condition    | True                                   | False
//   -------------+----------------------------------------+--------------------------------------
//   Accepted     | Accepted                               | Invalid, Conflict
//   ResolvedRefs | ResolvedRefs                           | PoolNotFound, PoolExhausted, ... (see
//                |                                        | PoolReason), ServiceNotFound
//   Programmed   | Programmed, PartlyProgrammed           | NoDaemon, Pending, Disabled, or why a
//                |                                        | daemon does not (Rejected, ...)
//   Ready        | Serving                                | NotProgrammed, NoServers, Disabled
//
// Programmed and Ready are True when they are on one daemon; the message names the others.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/cluster/catalog.h"
#include "pkg/cluster/node_reports.h"
#include "pkg/model/vip.h"

namespace fairlead::cluster {

struct VipFacts {
  const nlohmann::json& object;  // as the API server has it
  Verdict verdict;
  const model::Vip* vip = nullptr;        // null: it was not accepted
  const PoolGrant* grant = nullptr;       // null: it refers to no pool
  std::vector<model::VipServer> servers;  // by name; those of a Service are the daemons' to say
  std::vector<NodeReport> reports;        // of the daemons that live
  bool service_missing = false;           // of realServers.service
};

// The fields of `status` that are the operator's: all but `nodes`.
nlohmann::json BuildVipStatus(const VipFacts& facts, absl::Time now);

// The joined verdict of the daemons on one real server.
struct ServerVerdict {
  std::string name;
  bool is_object = false;  // a RealServer object
  std::string address;
  std::string state;   // in force: "Online", "Drain", "Halt"
  std::string health;  // "Unknown", "Up", "Down"
  std::string reason;
  bool takes_new_clients = false;
};
// Every server of the VIP, by name; those that only a daemon knows (of a Service) as far as it
// names them.
std::vector<ServerVerdict> JoinServers(const VipFacts& facts);

}  // namespace fairlead::cluster
