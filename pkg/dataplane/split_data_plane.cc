#include "pkg/dataplane/split_data_plane.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

namespace fairlead::dataplane {
namespace {

std::shared_ptr<const ForwardingPlan> PartOf(const ForwardingPlan& plan, bool dr) {
  auto part = std::make_shared<ForwardingPlan>();
  part->revision = plan.revision;
  for (const auto& service : plan.services) {
    if ((service->mode == model::Mode::kDr) == dr) part->services.push_back(service);
  }
  return part;
}

template <typename T>
void Append(std::vector<T> from, std::vector<T>* to) {
  to->insert(to->end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

ApplyResult SplitDataPlane::Apply(std::shared_ptr<const ForwardingPlan> plan) {
  // The program sees a packet before the proxy does. So what leaves it has listeners already, and
  // what enters it loses them afterwards: the listeners are written first.
  ApplyResult snat = snat_.Apply(PartOf(*plan, /*dr=*/false));
  ApplyResult dr = dr_.Apply(PartOf(*plan, /*dr=*/true));
  std::map<uint32_t, ServiceOutcome> outcomes;
  for (ApplyResult* part : {&snat, &dr}) {
    for (ServiceOutcome& outcome : part->services) {
      outcomes.emplace(outcome.service_id, std::move(outcome));
    }
  }
  ApplyResult result;
  result.revision = plan->revision;
  for (const auto& service : plan->services) {
    result.services.push_back(std::move(outcomes[service->id]));
  }
  return result;
}

PlaneObservation SplitDataPlane::Observe() const {
  PlaneObservation observation = snat_.Observe();
  PlaneObservation dr = dr_.Observe();
  observation.applied_revision = std::min(observation.applied_revision, dr.applied_revision);
  // A VIP that changed to DR is in both until its last session through the proxy has ended; the
  // later one of an identifier is shown.
  Append(std::move(dr.services), &observation.services);
  Append(std::move(dr.interfaces), &observation.interfaces);
  Append(std::move(dr.packets), &observation.packets);
  return observation;
}

absl::StatusOr<Explanation> SplitDataPlane::Explain(const net::Endpoint& client,
                                                    const net::Endpoint& vip) const {
  absl::StatusOr<Explanation> dr = dr_.Explain(client, vip);
  return absl::IsNotFound(dr.status()) ? snat_.Explain(client, vip) : std::move(dr);
}

void SplitDataPlane::Stop(absl::Duration grace) {
  dr_.Stop(grace);
  snat_.Stop(grace);
}

}  // namespace fairlead::dataplane
