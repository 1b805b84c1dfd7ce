// NodeLease: the sign of life of a daemon, Lease fairlead-node-<node> in its own namespace. Who
// reads the VIPs' status ignores the entries of nodes whose Lease has expired: 40 s without a
// renewal, by the reader's own clock. Used on one thread.
//
// The Lease is owned by the daemon's pod, if it has one, so that it goes with the pod.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/kube/api_client.h"

namespace fairlead::kube {

struct NodeIdentity {
  std::string node;        // the name of the entries; unique among the daemons of a cluster
  std::string name_space;  // of the Lease
  std::string holder;      // who this daemon is: its pod's name, or the host's
  std::string pod_name{};  // "" = no pod
  std::string pod_uid{};
};

class NodeLease {
 public:
  static constexpr absl::Duration kDuration = absl::Seconds(40);
  static constexpr absl::Duration kInterval = absl::Seconds(10);
  static constexpr absl::Duration kTimeout = absl::Seconds(3);

  NodeLease(ApiClient& client, const base::Clock& clock, NodeIdentity identity);

  // Renews the Lease when it is time, or makes it. Errors say why it is not renewed: Unavailable,
  // the server cannot be reached or is overloaded; FailedPrecondition, it refuses (no right, no
  // such API), which is tried again with the next renewal.
  absl::Status Turn();
  // Deletes it: the daemon ends.
  void Release();

  // Another daemon renews the Lease as well: both have the same name.
  bool is_contested() const { return is_contested_; }

 private:
  nlohmann::json Make(const nlohmann::json& known) const;
  absl::Status Renew();
  void LookForOthers(const nlohmann::json& found);
  absl::StatusOr<ApiResponse> Send(const char* method, const std::string& target,
                                   const std::string& body);
  static absl::Status Refusal(const ApiResponse& answer);

  ApiClient& client_;
  const base::Clock& clock_;
  const NodeIdentity identity_;
  const std::string name_;
  nlohmann::json known_;  // as the server has it; null = to be read
  absl::Duration due_ = -absl::InfiniteDuration();
  bool is_contested_ = false;
  std::string other_holder_;  // who renewed it against us last
};

}  // namespace fairlead::kube
