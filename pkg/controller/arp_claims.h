// ArpClaims: which other hosts claim the VIPs in direct routing, and which real servers they are.
// Controller thread only.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pkg/arp/arp_watch.h"
#include "pkg/controller/event_log.h"
#include "pkg/controller/server_records.h"
#include "pkg/controller/view.h"
#include "pkg/model/desired_state.h"

namespace fairlead::controller {

class ArpClaims {
 public:
  using Records = std::map<ServerKey, ServerRecord>;

  // The addresses whose claims are of interest, with the interfaces of their real servers.
  static std::vector<arp::WatchedVip> Watched(const model::DesiredState& desired,
                                              const Records& records);

  // Takes a round in. The records tell whose MAC a claim is of. Returns what began and what ended.
  std::vector<Event> Apply(const arp::Round& round, const model::DesiredState& desired,
                           const Records& records);

  // Puts what is claimed now, by whom and with the remedy, into the VIPs and servers of the view.
  void Show(const model::DesiredState& desired, const Records& records, ControlView* view) const;

 private:
  // A claim of a VIP's address. Without a server: by a host that is none of ours, another balancer
  // that serves the VIP too, or a host with the same address.
  struct Seen {
    arp::Claim claim;
    std::optional<ServerKey> server;
  };
  std::vector<Seen> SeenOf(const model::Vip& vip, const Records& records) const;
  static std::optional<ServerKey> OwnerOf(const arp::Claim& claim, const std::string& vip,
                                          const Records& records);
  static Event Tell(const Seen& seen, const std::string& vip, bool begins);
  static std::string Words(const Seen& seen, const std::string& vip);

  std::set<arp::Claim> claims_;
  std::string problem_;  // why some addresses cannot be asked for; "" = all can be
};

}  // namespace fairlead::controller
