// KubernetesSource: the configuration from the objects of an API server, followed live.
//
//   Reflector (one thread each) --> pending changes --> ClusterState --> callback
//                                                  |        |  ^
//                                    settled: 10 ms|        v  |
//                                                     cluster.json (state directory)
//
// The first state is published when every reflector has synced: what is not there then does not
// exist. While the API server is away the last state stays in force; a process that starts then
// serves, after some patience, what its predecessor knew last. Works by level: whatever happens in
// between, the last version of each object counts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/kube/reflector.h"
#include "pkg/model/vip.h"
#include "pkg/net/endpoint.h"
#include "pkg/source/config_source.h"

namespace fairlead::kube {

// How a reflector is made; Reflector::Start with a client, or a test's own.
using ReflectorFactory = std::function<absl::StatusOr<std::unique_ptr<Reflector>>(
    const Resource& resource, ReflectorOptions options, ReflectorSink& sink)>;

struct KubernetesSourceOptions {
  std::string name_space{};              // whose objects; "" = of all
  std::set<model::Mode> modes;           // of the VIPs that this daemon runs
  std::optional<net::Endpoint> admin{};  // see model::ValidateTogether
  std::string state_directory{};         // "" = nothing is kept
  std::string server;                    // whose state is kept
  // How long the API server is waited for before the kept state is served.
  absl::Duration patience = absl::Seconds(3);
};

// What the source knows of the VIPs beyond what they want.
struct ObservedVips {
  // How many states have been published. Whoever has all of them in force has what `vips` say.
  uint64_t published_count = 0;
  std::vector<KubeObjectPtr> vips;  // as they were sent last, by namespace and name
};

class KubernetesSource : public source::ConfigSource {
 public:
  // After a change nothing else changes for so long, or kSettleMax have passed since it.
  static constexpr absl::Duration kSettle = absl::Milliseconds(10);
  static constexpr absl::Duration kSettleMax = absl::Milliseconds(50);
  // The kept file is written again after a change at most this often.
  static constexpr absl::Duration kKeepInterval = absl::Seconds(5);

  // `clock` outlives it. Errors: a reflector or a thread could not be made. An API server that
  // cannot be reached is none: it is told by `on_health`.
  static absl::StatusOr<std::unique_ptr<KubernetesSource>> Start(
      const base::Clock& clock, KubernetesSourceOptions options, ReflectorFactory factory,
      source::DesiredStateCallback on_state, source::SourceHealthCallback on_health);

  // Ends the thread; no callback after it. What was observed can still be asked for.
  virtual void Stop() = 0;
  // Thread-safe; never null. Empty until every reflector has synced.
  virtual std::shared_ptr<const ObservedVips> Observed() const = 0;
};

}  // namespace fairlead::kube
