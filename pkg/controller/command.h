// AdminCommand: what an operator asks the controller to do, from the command line or the web page.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/model/vip.h"

namespace fairlead::controller {

// Sets the state of a real server on this node, until the manifest's own value changes.
struct SetServerState {
  std::string vip;     // "dispatcher" or "default/dispatcher"; "" = every VIP that has the server
  std::string server;  // name, or its address
  model::AdminState state = model::AdminState::kOnline;
  // Who asks, for the log: where the request came from ("127.0.0.1:40312", "" = not over the
  // network), and the user that it names ("" = none; nothing proves it).
  std::string client{};
  std::string user{};
  bool signed_in = false;  // the user is the web page's, by password
};

// One (VIP, server) that the command was about.
struct ServerStateChange {
  std::string vip;  // qualified
  std::string server;
  model::AdminState before = model::AdminState::kOnline;
  model::AdminState after = model::AdminState::kOnline;
  std::optional<uint64_t> connections_active;  // absent: not known (DR)
  absl::Time deadline = absl::InfiniteFuture();
};

// A planned switch of the pair.
enum class PairSwitch { kTakeover, kStandby };

struct SetServerStateResult {
  std::vector<ServerStateChange> changes;
  std::string message;  // one line per change, in words
  std::string warning;  // it is in force but was not kept on disk, and why; "" = kept
};

}  // namespace fairlead::controller
