// WrittenStatuses: what was written and is not in the copy of the cluster yet, so that nothing is
// decided twice: an address is not given to a second VIP, and a transition keeps its time. Used on
// one thread.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/kube/reflector.h"

namespace fairlead::cluster {

class WrittenStatuses {
 public:
  // The server has given the object ("VIP ns/name") this version with `status`, whose fields
  // replace those of the copy (null: remove it) until that shows this version, or `kPatience` has
  // passed.
  void Add(const std::string& object, std::string resource_version, nlohmann::json status,
           absl::Duration at);
  // The objects with what was written, `prefix` being their kind ("VIP ").
  void Overlay(const std::string& prefix, absl::Duration at,
               std::vector<kube::KubeObjectPtr>* objects);
  void Clear() { written_.clear(); }

  // A copy that lags further than this is told of elsewhere; then the server's word counts again.
  static constexpr absl::Duration kPatience = absl::Seconds(10);

 private:
  struct Entry {
    std::string resource_version;
    nlohmann::json status;
    absl::Duration until;
  };
  std::map<std::string, Entry> written_;
};

}  // namespace fairlead::cluster
