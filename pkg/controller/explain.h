// The answer to "which real server would this client get, and why (or why none)?": the data plane's
// own, or, when it serves no such VIP, what the configuration says about that address.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "pkg/controller/view.h"
#include "pkg/dataplane/data_plane.h"

namespace fairlead::controller {

// `client` is "IP" or "IP:PORT", `vip` "ADDRESS:PORT". Errors: InvalidArgument naming the text.
absl::StatusOr<ExplanationView> ExplainClient(const ControlView& view,
                                              const dataplane::DataPlane& plane,
                                              const std::string& client, const std::string& vip);

// Pure; exposed for tests. Why nothing serves `wanted`, from the view alone.
ExplanationView ExplainNoService(const ControlView& view, const net::Endpoint& wanted);

}  // namespace fairlead::controller
