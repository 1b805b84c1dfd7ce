#include "pkg/dataplane/data_plane.h"

namespace fairlead::dataplane {

const char* RejectionName(Rejection rejection) {
  switch (rejection) {
    case Rejection::kNoServer:
      return "no_server";
    case Rejection::kVipLimit:
      return "vip_limit";
    case Rejection::kQueueFull:
      return "queue_full";
    case Rejection::kQueueTimeout:
      return "queue_timeout";
    case Rejection::kConnectFailed:
      return "connect_failed";
    case Rejection::kSessionLimit:
      return "session_limit";
    case Rejection::kNoDescriptor:
      return "no_descriptor";
    case Rejection::kNoMemory:
      return "no_memory";
    case Rejection::kNoSourcePort:
      return "no_source_port";
    case Rejection::kNotPermitted:
      return "not_permitted";
  }
  return "unknown";
}

}  // namespace fairlead::dataplane
