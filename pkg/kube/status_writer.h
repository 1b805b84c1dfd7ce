// StatusWriter: keeps a node's entries in the status of the VIPs as they should be.
//
// By level: what should be there is compared with what the watch says is there, so that an entry
// that somebody removed comes back, and a lost write is written again. Written on transitions, at
// most kWritesPerTurn at a time. Server-side apply with a field manager of the node's own leaves
// the entries of others alone. Used on one thread.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/node_entry.h"
#include "pkg/kube/reflector.h"

namespace fairlead::kube {

struct WantedEntry {
  KubeObjectPtr vip;               // as it was sent last
  std::optional<NodeEntry> entry;  // absent: the node does not run the VIP
};

class StatusWriter {
 public:
  static constexpr int kWritesPerTurn = 5;
  // A write shows in the watch within this time, or it is written again.
  static constexpr absl::Duration kEcho = absl::Seconds(10);
  // Words alone are worth a write only so often.
  static constexpr absl::Duration kWordsInterval = absl::Seconds(60);
  // Of a VIP whose status the server refuses.
  static constexpr absl::Duration kRefusedInterval = absl::Seconds(60);
  static constexpr absl::Duration kTimeout = absl::Seconds(3);

  // Both outlive it. `node` is what the entries are called.
  StatusWriter(ApiClient& client, const base::Clock& clock, std::string node);

  // Writes what differs, the longest waiting first. `wanted` is everything. Errors: the server
  // cannot be reached or is overloaded; the rest is left for the next turn. What it refuses of one
  // VIP is a line in the log and no error.
  absl::Status Turn(const std::vector<WantedEntry>& wanted);

  // Removes the node's entries of these VIPs, those that were just written included, until
  // `deadline` (monotonic) or an error.
  void Withdraw(const std::vector<WantedEntry>& vips, absl::Duration deadline);

  uint64_t writes_total() const { return writes_total_; }

 private:
  using Key = std::pair<std::string, std::string>;  // namespace, name
  struct Written {
    nlohmann::json entry;  // null: removed
    absl::Duration at = -absl::InfiniteDuration();
    absl::Duration not_before = -absl::InfiniteDuration();
    std::string refusal;  // the last one, so that it is told once
  };

  bool Needs(const nlohmann::json& wanted, const nlohmann::json& present,
             const Written& written) const;
  // `entry` null: none.
  absl::Status Write(const Key& key, const nlohmann::json& entry, Written* written);

  ApiClient& client_;
  const base::Clock& clock_;
  const std::string node_;
  std::map<Key, Written> written_;  // of the VIPs that are there
  uint64_t writes_total_ = 0;
};

}  // namespace fairlead::kube
