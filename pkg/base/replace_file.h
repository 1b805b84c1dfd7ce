// ReplaceFile: a file that is whole at any moment, also after a crash.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace fairlead::base {

// Writes `path`.new, fsync(2)s it and renames it to `path`. The file is for user and group unless
// `mode` (open(2)) says otherwise. Errors name the file and the cause; the old file stays then.
absl::Status ReplaceFile(const std::string& path, const std::string& text, int mode = 0640);

}  // namespace fairlead::base
