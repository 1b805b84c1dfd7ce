// HttpDialogue: one GET, judged by the status line.
//
// HTTP/1.1 with a Host header: cupsd answers 400 to HTTP/1.0 without one, and would take every
// healthy print server down.
#pragma once

#include <string>
#include <vector>

#include "pkg/health/dialogue.h"
#include "pkg/model/health_check.h"
#include "pkg/net/endpoint.h"

namespace fairlead::health {

class HttpDialogue final : public Dialogue {
 public:
  HttpDialogue(const net::Endpoint& endpoint, const model::HealthCheck& check);

  absl::string_view request() const override { return request_; }
  std::optional<ProbeOutcome> Judge(absl::string_view received, bool complete) const override;

 private:
  const std::string name_;
  const std::string request_;
  const std::vector<model::StatusRange> expected_;
};

}  // namespace fairlead::health
