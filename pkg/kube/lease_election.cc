#include "pkg/kube/lease_election.h"

#include <utility>

namespace fairlead::kube {

LeaseElection::LeaseElection(std::string identity, const LeaseTimes& times)
    : identity_(std::move(identity)), times_(times) {}

std::optional<LeaseRecord> LeaseElection::Decide(const std::optional<LeaseRecord>& read,
                                                 absl::Duration at, absl::Time now) {
  LeaseRecord present = read.value_or(LeaseRecord());
  if (present != observed_) {
    observed_ = present;
    observed_at_ = at;
  }
  const bool ours = present.holder == identity_;
  const bool expired = at >= observed_at_ + present.duration;
  if (!ours && !present.holder.empty() && !expired) {
    leads_until_ = -absl::InfiniteDuration();
    known_.reset();
    return std::nullopt;
  }
  LeaseRecord wanted = {identity_, times_.duration,     now,
                        now,       present.transitions, std::move(present.resource_version)};
  if (ours) {
    wanted.acquired = present.acquired;
  } else if (read.has_value()) {
    ++wanted.transitions;
  }
  return wanted;
}

void LeaseElection::OnWritten(const LeaseRecord& written, std::string resource_version,
                              absl::Duration at) {
  observed_ = written;
  observed_.resource_version = std::move(resource_version);
  observed_at_ = at;
  known_ = observed_;
  leads_until_ = at + times_.renew_deadline;
}

std::optional<LeaseRecord> LeaseElection::Release(absl::Duration at, absl::Time now) {
  const bool led = IsLeader(at);
  leads_until_ = -absl::InfiniteDuration();
  if (!led || !known_.has_value()) return std::nullopt;
  LeaseRecord released = *known_;
  known_.reset();
  released.holder.clear();
  released.duration = absl::Seconds(1);  // 0 is refused
  released.acquired = released.renewed = now;
  return released;
}

}  // namespace fairlead::kube
