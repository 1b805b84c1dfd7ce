#include "pkg/controller/view.h"

namespace fairlead::controller {

const char* PhaseName(ControlView::Phase phase) {
  switch (phase) {
    case ControlView::Phase::kStarting:
      return "Starting";
    case ControlView::Phase::kServing:
      return "Serving";
    case ControlView::Phase::kStopping:
      return "Stopping";
  }
  return "unknown";
}

}  // namespace fairlead::controller
