// PacketLinks: the packet sockets of checks along direct routing, one for each interface and
// address family, which all checks there share.
//
//   probe --Send(frame)--> interface ... real server
//   probe <--TakeWoken---- its token <-- frame <-- filter in the kernel <-- interface
//
// Shared, because a packet socket costs every packet of its interface a look at its filter, and its
// close(2) waits until no CPU uses it any more (packet(7) sockets: synchronize_net, some 10 ms),
// which would hold the health thread. The kernel's stack need not agree to anything: a packet
// socket gets a copy of each frame before routing, filters and firewalls of the host, and after
// XDP_PASS.
//
// Every SYN-ACK is answered by a RST at once, also one that comes after its check's time: the real
// server never completes an accept. (The kernel does not do it: for IPv4 it drops, as a martian,
// what comes from an address of its own, which the VIP is.)
//
// Owner: the health thread.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "pkg/base/clock.h"
#include "pkg/base/unique_fd.h"
#include "pkg/health/direct_answer.h"
#include "pkg/health/probe.h"
#include "pkg/net/ip_address.h"
#include "pkg/uring/ring.h"

namespace fairlead::health {

// A probe that waits for a frame.
class PacketProbe : public Probe {
 public:
  // A frame with its token. True: that was what it waits for, and it is to be woken.
  virtual bool OnAnswer(const DirectAnswer& answer) = 0;
};

class PacketLinks {
 public:
  // Both outlive the links.
  PacketLinks(uring::Ring& ring, const base::Clock& clock);
  PacketLinks(const PacketLinks&) = delete;
  PacketLinks& operator=(const PacketLinks&) = delete;

  // A token that no other waiting probe has; answers go to `probe` until Forget(token).
  uint32_t Register(PacketProbe* probe);
  void Forget(uint32_t token) { probes_.erase(token); }

  // Sends a frame, and listens there from now on. Errors: PermissionDenied without CAP_NET_RAW;
  // else why the kernel does not send it.
  absl::Status Send(uint32_t ifindex, net::IpFamily family, absl::Span<const uint8_t> frame);

  // Whether the completion is of a packet socket; if so it has been dealt with, and TakeWoken may
  // have something.
  bool OnCompletion(const uring::Completion& completion);
  // The probes whose answers have come since the last call.
  std::vector<PacketProbe*> TakeWoken() { return std::exchange(woken_, {}); }

  // Ends listening. `links()` is 0 after further completions.
  void CancelAll();
  size_t links() const { return links_.size(); }

 private:
  struct Link {
    base::UniqueFd fd;
    std::pair<uint32_t, net::IpFamily> place;
    absl::Duration used;    // when something was sent there last
    bool retiring = false;  // goes with its completion
  };

  // An open one, or a new one; its identifier.
  absl::StatusOr<uint64_t> Open(uint32_t ifindex, net::IpFamily family);
  void RetireIdle();
  void Retire(uint64_t id);
  void Drain(Link& link);
  void Take(Link& link, const DirectAnswer& answer);

  uring::Ring& ring_;
  const base::Clock& clock_;
  const uint32_t token_base_;  // the upper half of every token
  uint16_t last_token_ = 0;    // the lower half
  uint64_t last_id_ = 0;
  std::map<uint64_t, Link> links_;  // by identifier, which is the user_data of their polls
  std::map<std::pair<uint32_t, net::IpFamily>, uint64_t> link_at_;  // those that do not retire
  absl::flat_hash_map<uint32_t, PacketProbe*> probes_;              // by token
  std::vector<PacketProbe*> woken_;
};

}  // namespace fairlead::health
