// Netlink messages: how one is built, sent, and how an answer is walked (netlink(7)), and the
// sockets for them. No state.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::base {

// A socket of NETLINK_ROUTE that hears the groups (RTMGRP_...; 0 = only answers). `flags`:
// SOCK_NONBLOCK or 0.
absl::StatusOr<UniqueFd> OpenRouteSocket(int flags, uint32_t groups);

// Reads whatever waits in a socket with groups, for those who then ask anew; whether something did.
bool DrainRouteSocket(int fd);

// One request: a header of the kind, then attributes.
template <typename Header>
class NetlinkRequest {
 public:
  NetlinkRequest(uint16_t type, uint16_t flags) {
    message().nlmsg_len = NLMSG_LENGTH(sizeof(Header));
    message().nlmsg_type = type;
    message().nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  }
  nlmsghdr& message() { return *reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  Header& header() { return *reinterpret_cast<Header*>(bytes_.data() + NLMSG_HDRLEN); }
  // There is room for a handful of addresses.
  void Add(uint16_t type, absl::Span<const uint8_t> value) {
    const size_t at = NLMSG_ALIGN(message().nlmsg_len);
    auto& attribute = *reinterpret_cast<rtattr*>(bytes_.data() + at);
    attribute.rta_type = type;
    attribute.rta_len = static_cast<uint16_t>(RTA_LENGTH(value.size()));
    std::memcpy(RTA_DATA(&attribute), value.data(), value.size());
    message().nlmsg_len = static_cast<uint32_t>(at + RTA_ALIGN(attribute.rta_len));
  }

 private:
  alignas(nlmsghdr) std::array<char, 256> bytes_{};
};

// The attributes of a message by type, those above `kAttributesMax` left out.
inline constexpr size_t kAttributesMax = 64;
using Attributes = std::array<const rtattr*, kAttributesMax>;
Attributes ParseAttributes(const rtattr* first, size_t bytes);
absl::Span<const uint8_t> ValueOf(const rtattr* attribute);

// Sends `request` and calls `handle` with each message of the answer. Error: the kernel's, as
// `what`.
absl::Status Exchange(int fd, nlmsghdr& request, uint32_t sequence, const char* what,
                      const std::function<void(const nlmsghdr&)>& handle);

}  // namespace fairlead::base
