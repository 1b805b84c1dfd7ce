// SendExpectDialogue: send some bytes (or none), expect a substring in the answer.
#pragma once

#include <string>

#include "pkg/health/dialogue.h"
#include "pkg/model/health_check.h"
#include "pkg/net/endpoint.h"

namespace fairlead::health {

class SendExpectDialogue final : public Dialogue {
 public:
  // An empty `expect` is content with any answer.
  SendExpectDialogue(const net::Endpoint& endpoint, const model::HealthCheck& check);

  absl::string_view request() const override { return send_; }
  std::optional<ProbeOutcome> Judge(absl::string_view received, bool complete) const override;

 private:
  const std::string name_;
  const std::string send_;
  const std::string expect_;
};

}  // namespace fairlead::health
