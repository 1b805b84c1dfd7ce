// DirectProbe: whether a real server serves the VIP when a frame to the VIP comes to its MAC, as
// direct routing sends it. A check of the server's own address cannot tell: it says Up for a server
// that lacks the VIP.
//
//   this host --Ethernet [server's MAC] IP [own address -> VIP] SYN--> real server
//             <--Ethernet [server's MAC] IP [VIP -> own address] SYN-ACK--
//             --RST-->
//
// By packet sockets alone (PacketLinks): no route, rule, mark or setting of this host is touched,
// and it works although the VIP is this host's own address. The answer must come from that server's
// MAC: one that forwards packets (ip_forward) and lacks the VIP hands them on, and somebody else
// answers.
//
// The source port is reserved by a TCP socket that is bound and never listens or connects, as
// RawSynProbe does it. Needs CAP_NET_RAW: without it the outcome is inconclusive. A lost frame is
// not repeated within a probe; the threshold is for that.
#pragma once

#include <optional>

#include "pkg/base/unique_fd.h"
#include "pkg/health/direct_answer.h"
#include "pkg/health/health_monitor.h"
#include "pkg/health/packet_links.h"

namespace fairlead::health {

class DirectProbe final : public PacketProbe {
 public:
  // `target.direct` has a value. `links` outlives the probe.
  DirectProbe(const ProbeTarget& target, PacketLinks& links);
  ~DirectProbe() override;

  ProbeStep Start() override;
  ProbeStep OnReady() override;
  ProbeOutcome OnTimeout(absl::Duration timeout) override;
  bool OnAnswer(const DirectAnswer& answer) override;

 private:
  // 0 or a positive errno.
  int ReserveSourcePort();
  ProbeOutcome CannotCheck(absl::string_view why) const;

  const DirectWay way_;
  const bool echo_;
  PacketLinks& links_;
  DirectQuestion question_;  // source port and token are filled in by Start
  base::UniqueFd reserved_;
  std::optional<DirectAnswer> answer_;
};

}  // namespace fairlead::health
