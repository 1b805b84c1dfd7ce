#include "pkg/model/server_state.h"

namespace fairlead::model {

const char* OperationalStateName(OperationalState state) {
  switch (state) {
    case OperationalState::kUnknown:
      return "Unknown";
    case OperationalState::kUp:
      return "Up";
    case OperationalState::kDown:
      return "Down";
  }
  return "Unknown";
}

Eligibility JoinStates(AdminState admin, OperationalState operational, bool weight_zero,
                       bool all_unknown) {
  const bool usable = operational == OperationalState::kUp ||
                      (operational == OperationalState::kUnknown && all_unknown);
  if (!usable) return Eligibility::kNone;
  switch (admin) {
    case AdminState::kOnline:
      return weight_zero ? Eligibility::kPersistentOnly : Eligibility::kAll;
    case AdminState::kDrain:
      return Eligibility::kPersistentOnly;
    case AdminState::kHalt:
      return Eligibility::kNone;
  }
  return Eligibility::kNone;
}

}  // namespace fairlead::model
