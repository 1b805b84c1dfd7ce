// NameResolver: looks host names up, again and again, on threads of its own.
//
//   SetNames --> [ schedule | a few threads, each in one blocking lookup ] --> on_answer(answer)
//
// A name whose servers do not answer holds one thread for half a minute, and no other name as long
// as a thread is left. Stopping does not wait for such a lookup: its thread finds out when it
// returns, and touches nothing but the state that it shares.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/base/clock.h"
#include "pkg/net/ip_address.h"
#include "pkg/resolver/lookup_schedule.h"

namespace fairlead::resolver {

// The addresses of a name, sorted and never none, or why there are none; LookUpHost in the daemon.
// May block; called by several threads.
using Lookup = std::function<absl::StatusOr<std::vector<net::IpAddress>>(const std::string& name)>;

struct Answer {
  std::string name;
  absl::StatusOr<std::vector<net::IpAddress>> addresses;
};

struct NameResolverOptions {
  int threads = 4;
  LookupTimes times;
};

class NameResolver {
 public:
  // `on_answer` runs on the resolver's threads, for every lookup of a name that is still wanted; it
  // must not block or call the resolver. An answer that it loses comes again with the next lookup.
  // `clock` outlives the resolver. Error: no thread could be made.
  static absl::StatusOr<std::unique_ptr<NameResolver>> Create(
      const NameResolverOptions& options, const base::Clock& clock, Lookup lookup,
      std::function<void(const Answer&)> on_answer);
  // No call of `on_answer` after it returns.
  virtual ~NameResolver() = default;

  // Thread-safe. Replaces the names; new ones, and those that become urgent, are looked up at once.
  virtual void SetNames(const std::vector<WantedName>& names) = 0;
};

}  // namespace fairlead::resolver
