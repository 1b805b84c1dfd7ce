// The defaults that depend on other fields; the fixed ones stand in the structs.
#pragma once

#include "pkg/model/vip.h"

namespace fairlead::model {

// Fills in what the manifest left open:
// - health check port: the first preset that names one, else the first VIP port;
// - selector: the label lb.fairlead.dev/vip=<name> when there is no inline list either.
void FillDefaults(Vip& vip);

}  // namespace fairlead::model
