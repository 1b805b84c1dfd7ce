// AdminClient: one request to the admin API of a running daemon, for the command line.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "pkg/controller/view.h"

namespace fairlead::admin {

// Both return the body of a 2xx answer. Errors: Unavailable when nobody answers at `admin` (with
// what was tried and what to do), else the daemon's own message. `target` is a path with a query.
absl::StatusOr<std::string> AdminGet(const net::Endpoint& admin, const std::string& target);
absl::StatusOr<std::string> AdminPostJson(const net::Endpoint& admin, const std::string& target,
                                          const std::string& body);

// Percent-encodes `text` for a query value (RFC 3986 §2.1).
std::string QueryEncode(const std::string& text);

}  // namespace fairlead::admin
