// ProbeFactory: the probe that a target's health check asks for.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "pkg/health/health_monitor.h"
#include "pkg/health/probe.h"
#include "pkg/health/tls_stream.h"

namespace fairlead::health {

// One thread. Outlives its probes.
class ProbeFactory {
 public:
  // Error: OpenSSL cannot be set up.
  static absl::StatusOr<std::unique_ptr<ProbeFactory>> Create();

  // Null for type None, which is not probed.
  std::unique_ptr<Probe> Make(const ProbeTarget& target) const;

 private:
  explicit ProbeFactory(std::unique_ptr<TlsContext> tls) : tls_(std::move(tls)) {}

  const std::unique_ptr<TlsContext> tls_;
};

}  // namespace fairlead::health
