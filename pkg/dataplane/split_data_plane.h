// SplitDataPlane: a VIP's mode decides which data plane serves it; in mode Auto both do, each one
// half. The controller sees one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/mutex.h"
#include "pkg/dataplane/data_plane.h"

namespace fairlead::dataplane {

class SplitDataPlane final : public DataPlane {
 public:
  // Both outlive this object.
  SplitDataPlane(DataPlane& snat, DataPlane& dr) : snat_(snat), dr_(dr) {}

  // The proxy first, the program in the kernel after it.
  ApplyResult Apply(std::shared_ptr<const ForwardingPlan> plan) override;
  // The proxy's figures, with interfaces and packets of the other; what both have of a service or a
  // server is added up.
  PlaneObservation Observe() const override;
  // Follows the client through the program and, where that passes it up, through the proxy.
  absl::StatusOr<Explanation> Explain(const net::Endpoint& client,
                                      const net::Endpoint& vip) const override;
  void Stop(absl::Duration grace) override;

 private:
  // Of a service in mode Auto. The same objects while the service is the same, so that the planes
  // see that nothing changed.
  struct Halves {
    std::shared_ptr<const PlanService> whole;
    std::shared_ptr<const PlanService> proxy;
    std::shared_ptr<const PlanService> direct;  // null: direct_part kNone
  };

  DataPlane& snat_;
  DataPlane& dr_;
  mutable base::Mutex mutex_;
  std::map<uint32_t, Halves> halves_ ABSL_GUARDED_BY(mutex_);  // by service id
};

}  // namespace fairlead::dataplane
