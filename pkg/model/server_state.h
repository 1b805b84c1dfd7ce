// The two axes of a real server's state, and the one function that joins them.
#pragma once

#include "pkg/model/vip.h"

namespace fairlead::model {

// What the health checks say. Unknown: no verdict yet.
enum class OperationalState { kUnknown, kUp, kDown };
// "Unknown", "Up", "Down".
const char* OperationalStateName(OperationalState state);

// Whom a real server serves.
enum class Eligibility {
  kAll,             // new clients and persistent ones
  kPersistentOnly,  // only clients that a persistence entry binds to this server
  kNone,            // nobody new; running connections go on
};

// Total function; `weight_zero` = the server's weight is 0; `all_unknown` = every server of the VIP
// is Unknown, so that the first seconds of a process do not refuse everybody.
//
//   admin  | operational          | weight > 0       | weight = 0
//   -------+----------------------+------------------+----------------
//   Online | Up                   | All              | PersistentOnly
//   Online | Unknown, all unknown | All              | PersistentOnly
//   Online | Unknown, otherwise   | None             | None
//   Online | Down                 | None             | None
//   Drain  | Up                   | PersistentOnly   | PersistentOnly
//   Drain  | Unknown, all unknown | PersistentOnly   | PersistentOnly
//   Drain  | Unknown, otherwise   | None             | None
//   Drain  | Down                 | None             | None
//   Halt   | any                  | None             | None
Eligibility JoinStates(AdminState admin, OperationalState operational, bool weight_zero,
                       bool all_unknown);

}  // namespace fairlead::model
