#include "pkg/dataplane/forwarding_plan.h"

namespace fairlead::dataplane {

const char* WayName(Way way) {
  switch (way) {
    case Way::kProxy:
      return "SNAT";
    case Way::kDirect:
      return "DR";
  }
  return "unknown";
}

}  // namespace fairlead::dataplane
