// AnnounceSetup: what of the daemon brings up the addresses of VIPs with advertise type L2, and
// speaks to the peer about whose they are: the configuration goes in, what became of them goes into
// the view.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/controller/command.h"
#include "pkg/controller/view.h"
#include "pkg/ha/pair_speaker.h"
#include "pkg/ha/vip_announcer.h"
#include "pkg/model/desired_state.h"

namespace fairlead::cmd {

// The addresses that the configuration wants announced. `interface` is the Node's. Pure.
std::vector<ha::WantedAddress> WantedAddresses(const model::DesiredState& desired,
                                               const std::string& interface);
// Over multicast the family of `addresses` is spoken: IPv4 when one of them is IPv4. Pure.
ha::PairSettings ToPairSettings(const model::Pair& pair, const std::string& interface,
                                const std::vector<ha::WantedAddress>& addresses);
// Why this host serves its announced VIPs badly: none of them has a real server. "" = it does not.
// Pure.
std::string ImpairmentOf(const controller::ControlView& view);

struct AnnounceOptions {
  std::optional<model::Pair> pair;  // absent: this host is alone
  std::string interface;            // the Node's
  bool takeover = false;            // a process of this host has just handed over
};

// Thread-safe.
class AnnounceSetup {
 public:
  using View = std::function<std::shared_ptr<const controller::ControlView>()>;

  // `clock` outlives it. Nothing is announced before Begin.
  explicit AnnounceSetup(const base::Clock& clock) : clock_(clock) {}
  // As End.
  ~AnnounceSetup() { End(ha::VipAnnouncer::Ending::kRelease); }

  void SetDesired(const model::DesiredState& desired);
  // Once. `view` tells of the real servers; it may be called until End. Error: the announcer or the
  // speaker could not be made.
  absl::Status Begin(const AnnounceOptions& options, View view);
  // Clients are let go: the peer, if there is one, takes the addresses now.
  void BeginStop();
  // The addresses go, or stay for another process. Blocks until they are gone; a second call does
  // nothing.
  void End(ha::VipAnnouncer::Ending ending);
  // Puts the pair, and what became of the addresses, into the view.
  void Show(controller::ControlView* view) const;
  // See admin::AdminBackend.
  absl::StatusOr<std::string> Switch(controller::PairSwitch which, const std::string& requester);

 private:
  struct Parts {
    std::shared_ptr<ha::VipAnnouncer> announcer;
    std::shared_ptr<ha::PairSpeaker> speaker;  // null: this host is alone
  };

  Parts PartsNow() const {
    base::MutexLock lock(&mutex_);
    return parts_;
  }
  absl::Status BeginPair(const AnnounceOptions& options, View view,
                         const std::vector<ha::WantedAddress>& wanted);
  void WatchServers(const View& view);

  const base::Clock& clock_;
  mutable base::Mutex mutex_;
  bool is_desired_known_ ABSL_GUARDED_BY(mutex_) = false;  // SetDesired was called
  std::vector<ha::WantedAddress> wanted_ ABSL_GUARDED_BY(mutex_);
  Parts parts_ ABSL_GUARDED_BY(mutex_);
  std::optional<ha::PairSettings> settings_ ABSL_GUARDED_BY(mutex_);
  base::Notification ending_;
  std::thread watch_;
};

}  // namespace fairlead::cmd
