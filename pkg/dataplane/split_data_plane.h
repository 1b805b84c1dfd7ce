// SplitDataPlane: a VIP's mode decides which data plane serves it. The controller sees one.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/dataplane/data_plane.h"

namespace fairlead::dataplane {

class SplitDataPlane final : public DataPlane {
 public:
  // Both outlive this object.
  SplitDataPlane(DataPlane& snat, DataPlane& dr) : snat_(snat), dr_(dr) {}

  // The proxy first, the program in the kernel after it.
  ApplyResult Apply(std::shared_ptr<const ForwardingPlan> plan) override;
  // The proxy's figures, with services, interfaces and packets of both.
  PlaneObservation Observe() const override;
  absl::StatusOr<Explanation> Explain(const net::Endpoint& client,
                                      const net::Endpoint& vip) const override;
  void Stop(absl::Duration grace) override;

 private:
  DataPlane& snat_;
  DataPlane& dr_;
};

}  // namespace fairlead::dataplane
