#include "pkg/model/health_check.h"

namespace fairlead::model {

const char* HealthCheckTypeName(HealthCheck::Type type) {
  switch (type) {
    case HealthCheck::Type::kTcp:
      return "TCP";
    case HealthCheck::Type::kSendExpect:
      return "SendExpect";
    case HealthCheck::Type::kHttp:
      return "HTTP";
    case HealthCheck::Type::kHttps:
      return "HTTPS";
    case HealthCheck::Type::kIcmp:
      return "ICMP";
    case HealthCheck::Type::kNone:
      return "None";
  }
  return "Unknown";
}

}  // namespace fairlead::model
