// ConfigSource: the door through which desired state enters, from files or from Kubernetes.
#pragma once

#include <functional>
#include <memory>

#include "pkg/model/desired_state.h"

namespace fairlead::source {

// Called on the source's thread with each new snapshot that differs from the one before; it must
// not block for long. The first call comes soon after the source was made.
using DesiredStateCallback = std::function<void(std::shared_ptr<const model::DesiredState>)>;

class ConfigSource {
 public:
  virtual ~ConfigSource() = default;  // stops the thread; no call of the callback after it
};

}  // namespace fairlead::source
