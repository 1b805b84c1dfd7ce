// Whether bytes are text at all, before any parser sees them. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::source {

struct TextProblem {
  size_t offset = 0;  // of the offending byte, from 0
  int line = 1;
  int column = 1;  // in bytes, from 1
  std::string message;
};

// The first thing in `text` that is not UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing
// above U+10FFFF), or a control character other than tab, line feed and carriage return (YAML 1.2
// §5.1). Nothing when all is well.
std::optional<TextProblem> FindTextProblem(absl::string_view text);

}  // namespace fairlead::source
