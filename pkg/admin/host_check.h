// Host header check against DNS rebinding: a foreign page whose name was made to resolve to
// 127.0.0.1 reaches the admin port, but its requests carry that foreign name. Pure.
#pragma once

#include "absl/strings/string_view.h"
#include "pkg/controller/view.h"

namespace fairlead::admin {

// Whether a request with this Host header (RFC 9110 §7.2, "" = none: not a browser) is answered by
// a server bound to `bind`: "localhost", loopback addresses, the bind address, and every literal
// address when bound to the unspecified one. The port does not matter: tunnels change it.
bool IsHostAllowed(absl::string_view host_header, const net::IpAddress& bind);

}  // namespace fairlead::admin
