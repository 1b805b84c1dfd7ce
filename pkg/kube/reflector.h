// Reflector: a local copy of every object of one resource, kept true by list and watch.
//
//   API server --list (pages, or a streaming list)--> all at once: OnReplace
//              --watch, bookmarks-------------------> one by one:  OnUpsert, OnDelete
//
// One thread. What it has stays valid while the API server is away: an outage is never an OnDelete.
// After a gap (410, another etcd) it lists again and OnReplace says what there is now.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/resource.h"

namespace fairlead::kube {

// An object as the server sent it, immutable.
struct KubeObject {
  std::string name_space;  // "" = cluster-scoped
  std::string name;
  std::string uid;
  std::string resource_version;  // opaque
  int64_t generation = 0;
  nlohmann::json json;  // without metadata.managedFields
};
using KubeObjectPtr = std::shared_ptr<const KubeObject>;

// Called on the reflector's thread; must not block for long.
class ReflectorSink {
 public:
  virtual ~ReflectorSink() = default;
  virtual void OnReplace(std::vector<KubeObjectPtr> objects) = 0;
  virtual void OnUpsert(KubeObjectPtr object) = 0;
  virtual void OnDelete(const std::string& name_space, const std::string& name) = 0;
  // Something happened between server and copy: see ReflectorHealth. Default: nothing.
  virtual void OnHealth() {}
};

struct ReflectorHealth {
  bool synced = false;  // OnReplace was called once
  // The last time at which the copy was known to be the server's; the past before `synced`.
  absl::Time current = absl::InfinitePast();
  std::string problem;  // why it is not followed now, in words with the server; "" = it is
  uint64_t lists_total = 0;
  uint64_t watches_total = 0;
  uint64_t events_total = 0;
  uint64_t failures_total = 0;
};

struct ReflectorOptions {
  std::string name_space{};      // "" = all
  std::string label_selector{};  // "" = all
};

class Reflector {
 public:
  // `client`, `clock` and `sink` outlive it. Errors: no thread could be made.
  static absl::StatusOr<std::unique_ptr<Reflector>> Start(ApiClient& client,
                                                          const base::Clock& clock,
                                                          const Resource& resource,
                                                          ReflectorOptions options,
                                                          ReflectorSink& sink);
  // Ends the thread; no call of the sink after it. Only after ApiClient::Cancel() is it quick.
  virtual ~Reflector() = default;
  virtual ReflectorHealth Health() const = 0;  // thread-safe
};

}  // namespace fairlead::kube
