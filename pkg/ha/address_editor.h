// AddressEditor: puts addresses on interfaces of this host and takes them away (rtnetlink(7)).
//
// Which addresses are Fairlead's own is told by a mark that the kernel keeps with each of them
// (IFA_PROTO, Linux 5.18; `ip address` shows it as "proto 0xfa"), so that a process knows after
// kill -9 what its predecessor put there. An older kernel forgets the mark: there, only what this
// very process has put counts as own. Others are never changed. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/unique_fd.h"
#include "pkg/net/ip_address.h"

namespace fairlead::ha {

struct HostAddress {
  uint32_t ifindex = 0;
  net::IpAddress address;
  int prefix_length = 0;
  bool own = false;
  friend bool operator==(const HostAddress&, const HostAddress&) = default;
};

// Whether some address of this host carries the mark. False when that cannot be read.
bool HostHasOwnAddress();

class AddressEditor {
 public:
  // Error: the sockets cannot be made.
  static absl::StatusOr<std::unique_ptr<AddressEditor>> Create();

  // The addresses of all interfaces.
  absl::StatusOr<std::vector<HostAddress>> Read();

  // Adds `address`, as a host's (/32, /128), with the mark; the kernel takes it away again after
  // `lifetime` (whole seconds, at least 1; infinite = never). IPv6: without the kernel's duplicate
  // address detection, and deprecated, so that no connection of this host comes from it unasked
  // (RFC 6724 rule 3). Errors: PermissionDenied without CAP_NET_ADMIN; the kernel's, with the
  // likely cause. `interface` is the name, for messages.
  absl::Status Add(uint32_t ifindex, const std::string& interface, const net::IpAddress& address,
                   absl::Duration lifetime);
  // A new lifetime for an own address.
  absl::Status Renew(uint32_t ifindex, const std::string& interface, const net::IpAddress& address,
                     absl::Duration lifetime);
  // An address that is not there any more is no error.
  absl::Status Remove(const HostAddress& own);

  // Readable when links or addresses may have changed.
  int changes_fd() const { return changes_.get(); }
  // Reads what is there; whether something was.
  bool DrainChanges();

 private:
  AddressEditor() = default;
  absl::Status Put(uint16_t flags, uint32_t ifindex, const std::string& interface,
                   const net::IpAddress& address, absl::Duration lifetime);

  base::UniqueFd requests_;
  base::UniqueFd changes_;
  uint32_t sequence_ = 0;
  std::set<std::pair<uint32_t, net::IpAddress>> put_;  // by this process
};

}  // namespace fairlead::ha
