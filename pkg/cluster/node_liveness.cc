#include "pkg/cluster/node_liveness.h"

#include <algorithm>

namespace fairlead::cluster {

void NodeLiveness::Update(const std::vector<NodeLease>& leases, bool followed, absl::Duration at) {
  // Time that passed unobserved counts for nobody.
  const absl::Duration unobserved = followed ? absl::ZeroDuration() : at - at_;
  if (started_at_ == absl::InfiniteDuration()) {
    started_at_ = at;
  } else if (!followed) {
    started_at_ += unobserved;
    for (auto& [node, seen] : seen_) seen.changed_at += unobserved;
  }
  at_ = at;
  for (auto& [node, seen] : seen_) seen.present = false;
  for (const NodeLease& lease : leases) {
    Seen& seen = seen_[lease.node];
    seen.present = true;
    if (seen.record == lease.record) continue;
    seen.record = lease.record;
    seen.changed_at = at;
  }
  alive_.clear();
  for (const auto& [node, seen] : seen_) {
    const bool held = seen.present && !seen.record.holder.empty();
    if (held && at < seen.changed_at + seen.record.duration) alive_.insert(node);
  }
  std::erase_if(seen_, [&](const auto& entry) {
    return !entry.second.present && at >= entry.second.changed_at + kForgetAfter;
  });
}

bool NodeLiveness::IsForgotten(const std::string& node) const {
  if (alive_.contains(node)) return false;
  const auto seen = seen_.find(node);
  const absl::Duration since = seen == seen_.end() ? started_at_ : seen->second.changed_at;
  return at_ >= since + kForgetAfter;
}

}  // namespace fairlead::cluster
