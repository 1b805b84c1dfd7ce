// RateMeter: connections and bytes per second of every service over the last seconds, from samples
// of the data plane's counters. Controller thread only.
#pragma once

#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "pkg/controller/view.h"
#include "pkg/dataplane/data_plane.h"

namespace fairlead::controller {

class RateMeter {
 public:
  // Ten samples, one per tick: long enough to be calm, short enough to see a change.
  static constexpr size_t kSamplesMax = 11;

  // `now` is monotonic.
  void Add(absl::Duration now, const dataplane::PlaneObservation& observation);
  // Zero until there are two samples, and for a service that is not in both.
  RateView RateOf(uint32_t service_id) const;

 private:
  struct Totals {
    uint64_t connections = 0;
    uint64_t bytes_from_client = 0;
    uint64_t bytes_to_client = 0;
  };
  struct Sample {
    absl::Duration time;
    absl::flat_hash_map<uint32_t, Totals> services;
  };
  std::deque<Sample> samples_;
};

}  // namespace fairlead::controller
