// Unguessable texts, by the system's generator. Pure but for that.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::web {

// `bytes` random bytes in URL-safe base64 without padding: 32 bytes are 43 letters. Ends the
// process when the system has no random numbers: nothing could be kept from anybody then.
std::string RandomToken(size_t bytes);

// A code that a person copies: 80 bits as "k7qf-3mzp-x2va-9trc", without letters that look alike.
std::string RandomSetupCode();

// Takes the same time wherever the texts differ; their lengths are no secret.
bool EqualSecrets(absl::string_view left, absl::string_view right);

}  // namespace fairlead::web
