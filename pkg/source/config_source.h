// ConfigSource: the door through which desired state enters, from files or from Kubernetes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "pkg/model/desired_state.h"

namespace fairlead::source {

// Called on the source's thread with each new snapshot that differs from the one before; it must
// not block for long. The first call comes soon after the source was made.
using DesiredStateCallback = std::function<void(std::shared_ptr<const model::DesiredState>)>;

// Whether the source knows what its user wants at this moment.
struct SourceHealth {
  std::string problem;  // why it does not, in words with the remedy; "" = it does
  // When it last did; the past when it never has.
  absl::Time current = absl::InfinitePast();
  friend bool operator==(const SourceHealth&, const SourceHealth&) = default;
};

// "the configuration is not followed since ...: PROBLEM"; "" when it is.
std::string StaleText(const SourceHealth& health);

// Called on the source's thread when `problem` changes; must not block for long.
using SourceHealthCallback = std::function<void(const SourceHealth&)>;

class ConfigSource {
 public:
  virtual ~ConfigSource() = default;  // stops the thread; no call of the callback after it
};

}  // namespace fairlead::source
