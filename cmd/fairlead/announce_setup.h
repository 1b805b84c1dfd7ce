// AnnounceSetup: what of the daemon brings up the addresses of VIPs with advertise type L2: the
// configuration goes in, what became of them goes into the view.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/controller/view.h"
#include "pkg/ha/vip_announcer.h"
#include "pkg/model/desired_state.h"

namespace fairlead::cmd {

// The addresses that the configuration wants announced. `interface` is the Node's. Pure.
std::vector<ha::WantedAddress> WantedAddresses(const model::DesiredState& desired,
                                               const std::string& interface);

// Thread-safe.
class AnnounceSetup {
 public:
  // `clock` outlives it. Nothing is announced before Begin.
  explicit AnnounceSetup(const base::Clock& clock) : clock_(clock) {}
  // As End.
  ~AnnounceSetup() { End(ha::VipAnnouncer::Ending::kRelease); }

  void SetDesired(const model::DesiredState& desired);
  // Error: the announcer could not be made.
  absl::Status Begin();
  // The addresses go, or stay for another process. Blocks until they are gone; a second call does
  // nothing.
  void End(ha::VipAnnouncer::Ending ending);
  // Puts what became of the addresses into the VIPs of the view.
  void Show(controller::ControlView* view) const;

 private:
  const base::Clock& clock_;
  mutable base::Mutex mutex_;
  std::vector<ha::WantedAddress> wanted_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<ha::VipAnnouncer> announcer_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::cmd
