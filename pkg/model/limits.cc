#include "pkg/model/limits.h"

#include "absl/strings/str_cat.h"

namespace fairlead::model {

std::string DescribeLimits(const Limits<int64_t>& limits) {
  return absl::StrCat("must be ", limits.min, "..", limits.max);
}

std::string DescribeLimits(const Limits<absl::Duration>& limits) {
  return absl::StrCat("must be ", absl::ToDoubleSeconds(limits.min), "..",
                      static_cast<int64_t>(absl::ToDoubleSeconds(limits.max)), " seconds");
}

}  // namespace fairlead::model
