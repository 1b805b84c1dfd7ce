#include "pkg/base/errno_status.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace fairlead::base {

absl::Status ErrnoStatus(int error, absl::string_view what) {
  char buffer[128];
  const char* name = ::strerrorname_np(error);
  return absl::Status(absl::ErrnoToStatusCode(error),
                      absl::StrCat(what, ": ", ::strerror_r(error, buffer, sizeof(buffer)), " (",
                                   name == nullptr ? "unknown errno" : name, ")"));
}

}  // namespace fairlead::base
