// Passwords of the web page's users, kept as scrypt hashes (RFC 7914). Pure.
//
//   $scrypt$ln=15,r=8,p=3$<salt>$<hash>       salt 16, hash 32 bytes, base64
//
// N = 2^15, r = 8, p = 3: 32 MiB and a few tenths of a second for each guess, one of the settings
// that OWASP's password storage recommendations call equal. The parameters stand in the text, so
// that later hashes may be stronger.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::web {

inline constexpr size_t kPasswordBytesMin = 10;
inline constexpr size_t kPasswordBytesMax = 256;

// Whether it may be set. The error (InvalidArgument) says what is missing.
absl::Status CheckNewPassword(absl::string_view password);

// Error: no memory for it.
absl::StatusOr<std::string> HashPassword(absl::string_view password);

// False also when `hash` is none of HashPassword, or asks for more than 256 MiB.
bool VerifyPassword(absl::string_view password, absl::string_view hash);

}  // namespace fairlead::web
