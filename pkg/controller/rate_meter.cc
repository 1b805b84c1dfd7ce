#include "pkg/controller/rate_meter.h"

#include <utility>

namespace fairlead::controller {
namespace {

// A counter that went back (a service that was taken out and came back) counts as no change.
double PerSecond(uint64_t before, uint64_t after, double seconds) {
  return after > before ? static_cast<double>(after - before) / seconds : 0;
}

}  // namespace

void RateMeter::Add(absl::Duration now, const dataplane::PlaneObservation& observation) {
  Sample sample = {.time = now, .services = {}};
  for (const dataplane::ServiceObservation& service : observation.services) {
    Totals totals = {.connections = service.connections_total};
    for (const dataplane::PortObservation& port : service.ports) {
      totals.bytes_from_client += port.bytes_from_client_total;
      totals.bytes_to_client += port.bytes_to_client_total;
    }
    sample.services.emplace(service.service_id, totals);
  }
  samples_.push_back(std::move(sample));
  if (samples_.size() > kSamplesMax) samples_.pop_front();
}

RateView RateMeter::RateOf(uint32_t service_id) const {
  if (samples_.size() < 2) return {};
  const Sample& oldest = samples_.front();
  const Sample& newest = samples_.back();
  const double seconds = absl::ToDoubleSeconds(newest.time - oldest.time);
  const auto before = oldest.services.find(service_id);
  const auto after = newest.services.find(service_id);
  if (seconds <= 0 || before == oldest.services.end() || after == newest.services.end()) return {};
  return {.connections_per_second =
              PerSecond(before->second.connections, after->second.connections, seconds),
          .bytes_from_client_per_second =
              PerSecond(before->second.bytes_from_client, after->second.bytes_from_client, seconds),
          .bytes_to_client_per_second =
              PerSecond(before->second.bytes_to_client, after->second.bytes_to_client, seconds)};
}

}  // namespace fairlead::controller
