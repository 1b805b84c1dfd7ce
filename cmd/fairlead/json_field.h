// Reading fields of the admin API's answers; see pkg/admin/json_field.h.
#pragma once

#include "pkg/admin/json_field.h"

namespace fairlead::cmd {

using admin::CountOf;
using admin::FlagOf;
using admin::IsNull;
using admin::ListOf;
using admin::ObjectOf;
using admin::RealOf;
using admin::TextOf;
using admin::TimeOf;

}  // namespace fairlead::cmd
