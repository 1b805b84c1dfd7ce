// KeptState: what the API server said last, in <state directory>/cluster.json, so that a process
// that starts while it is away has a configuration. Text of ClusterState::Encode.
//
// Writing (fsync) may take a while on a busy disk, hence a thread of its own.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fairlead::kube {

class KeptState {
 public:
  // `directory` is made when its parent exists. Errors: no thread could be made.
  static absl::StatusOr<std::unique_ptr<KeptState>> Create(const std::string& directory);
  // Writes what waits.
  virtual ~KeptState() = default;

  // "" when there is nothing yet. Errors: the file cannot be read.
  virtual absl::StatusOr<std::string> Load() const = 0;
  // Replaces the file soon; of several texts the newest. A failure is a line in the log, once.
  virtual void Save(std::string text) = 0;
  virtual const std::string& path() const = 0;
};

}  // namespace fairlead::kube
