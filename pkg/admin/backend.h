// AdminBackend: what the admin API needs from the daemon. Bound together by main; every function
// may be called by any thread and does not block for longer than a few seconds.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "pkg/controller/command.h"
#include "pkg/controller/view.h"

namespace fairlead::admin {

struct AdminBackend {
  std::function<std::shared_ptr<const controller::ControlView>()> view;
  // The Prometheus text; `servers` false leaves out the families of single servers and ports.
  std::function<std::string(bool servers)> metrics;
  std::function<absl::StatusOr<controller::SetServerStateResult>(const controller::SetServerState&)>
      set_server_state;
  // What came of it, in words. Errors: FailedPrecondition (no pair, or it cannot be now),
  // DeadlineExceeded, Unavailable. `requester` is for the log.
  std::function<absl::StatusOr<std::string>(controller::PairSwitch, const std::string& requester)>
      switch_pair;
  // `client` is "IP" or "IP:PORT", `vip` "ADDRESS:PORT".
  std::function<absl::StatusOr<controller::ExplanationView>(const std::string& client,
                                                            const std::string& vip)>
      explain;
  std::string version;
  std::string revision;  // of the source; "" = not known
};

}  // namespace fairlead::admin
