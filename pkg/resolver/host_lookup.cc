#include "pkg/resolver/host_lookup.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/net/endpoint.h"

namespace fairlead::resolver {
namespace {

absl::Status LookupError(int code, int system_error) {
  switch (code) {
    case EAI_NONAME:
    case EAI_NODATA:
      return absl::NotFoundError(
          absl::StrCat(::gai_strerror(code),
                       "; check its spelling, /etc/hosts, and the zone and search domains in DNS"));
    case EAI_AGAIN:
      return absl::UnavailableError(absl::StrCat(
          ::gai_strerror(code), "; does a name server of /etc/resolv.conf answer this host?"));
    case EAI_SYSTEM:
      return absl::UnavailableError(base::ErrnoStatus(system_error, "getaddrinfo").message());
    default:
      return absl::UnavailableError(::gai_strerror(code));
  }
}

}  // namespace

absl::StatusOr<std::vector<net::IpAddress>> LookUpHost(const std::string& name) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;  // else each address comes once for each type of socket
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  if (const int code = ::getaddrinfo(name.c_str(), nullptr, &hints, &list); code != 0) {
    return LookupError(code, errno);
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(list, &::freeaddrinfo);
  std::vector<net::IpAddress> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    net::SocketAddress address;
    if (entry->ai_addrlen > sizeof(address.ipv6)) continue;
    std::memcpy(&address.ipv6, entry->ai_addr, entry->ai_addrlen);
    address.length = entry->ai_addrlen;
    const absl::StatusOr<net::Endpoint> endpoint = address.ToEndpoint();
    if (endpoint.ok()) addresses.push_back(endpoint->address);
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  if (addresses.empty()) return LookupError(EAI_NODATA, 0);
  return addresses;
}

}  // namespace fairlead::resolver
