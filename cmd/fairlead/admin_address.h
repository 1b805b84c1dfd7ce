// Which daemon the command line talks to: --admin, else $FAIRLEAD_ADMIN, else 127.0.0.1:9080.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cmd/fairlead/flags.h"
#include "pkg/net/endpoint.h"

namespace fairlead::cmd {

inline constexpr FlagSpec kAdminFlag = {
    "admin", "ADDR:PORT", "admin API of the daemon; default $FAIRLEAD_ADMIN or 127.0.0.1:9080"};

// "127.0.0.1:9080", "[::1]:9080", "localhost:9080", "http://127.0.0.1:9080". Errors name the text.
absl::StatusOr<net::Endpoint> ParseAdminAddress(absl::string_view text);

// From the flags of a command that has kAdminFlag, and the environment.
absl::StatusOr<net::Endpoint> AdminAddress(const Flags& flags);

}  // namespace fairlead::cmd
