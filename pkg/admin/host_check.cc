#include "pkg/admin/host_check.h"

#include "absl/strings/match.h"

namespace fairlead::admin {
namespace {

// "[::1]:9080" -> "::1", "localhost:9080" -> "localhost".
absl::string_view WithoutPort(absl::string_view host) {
  if (!host.empty() && host.front() == '[') {
    const size_t end = host.find(']');
    return end == absl::string_view::npos ? host : host.substr(1, end - 1);
  }
  return host.substr(0, host.find(':'));
}

}  // namespace

bool IsHostAllowed(absl::string_view host_header, const net::IpAddress& bind) {
  if (host_header.empty()) return true;
  const absl::string_view host = WithoutPort(host_header);
  if (absl::EqualsIgnoreCase(host, "localhost")) return true;
  const absl::StatusOr<net::IpAddress> address = net::IpAddress::Parse(host);
  if (!address.ok()) return false;
  return address->is_loopback() || *address == bind || bind.is_unspecified();
}

}  // namespace fairlead::admin
