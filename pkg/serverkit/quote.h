// A word as a literal of a script's language. Nothing in it can end the literal.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::serverkit {

// 'it'\''s': POSIX.1-2017 XCU §2.2.2: between single quotes every character stands for itself.
std::string ShellQuoted(absl::string_view text);

// 'it''s': PowerShell about_Quoting_Rules. Any of the four typographic single quotes ends such a
// literal too, so `text` must be ASCII (CHECKed).
std::string PowerShellQuoted(absl::string_view text);

}  // namespace fairlead::serverkit
