#include "pkg/controller/arp_claims.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/dataplane/plan_builder.h"

namespace fairlead::controller {
namespace {

bool IsWatched(const model::Vip& vip) {
  return vip.mode != model::Mode::kSnat && dataplane::NotServedReason(vip).empty();
}

const char* Protocol(const net::IpAddress& address) {
  return address.is_ipv4() ? "ARP" : "neighbour discovery";
}

}  // namespace

std::vector<arp::WatchedVip> ArpClaims::Watched(const model::DesiredState& desired,
                                                const Records& records) {
  std::map<net::IpAddress, std::set<uint32_t>> wanted;
  for (const model::Vip& vip : desired.vips) {
    if (!IsWatched(vip)) continue;
    const std::string name = vip.id.QualifiedName();
    std::set<uint32_t> ifindexes;
    for (auto record = records.lower_bound({name, ""});
         record != records.end() && record->first.first == name; ++record) {
      const auto& path = record->second.direct_path;
      if (path.has_value() && !path->local) ifindexes.insert(path->ifindex);
    }
    for (const net::IpAddress& address : vip.addresses) {
      wanted[address].insert(ifindexes.begin(), ifindexes.end());
    }
  }
  std::vector<arp::WatchedVip> watched;
  watched.reserve(wanted.size());
  for (auto& [address, ifindexes] : wanted) watched.push_back({address, std::move(ifindexes)});
  return watched;
}

// The same host may be a server of several VIPs, and one of each address family; the nearest name
// is taken.
std::optional<ServerKey> ArpClaims::OwnerOf(const arp::Claim& claim, const std::string& vip,
                                            const Records& records) {
  std::optional<ServerKey> owner;
  int best = 0;
  for (const auto& [key, record] : records) {
    if (!record.direct_path.has_value() || record.direct_path->local) continue;
    if (record.direct_path->mac != claim.mac) continue;
    const net::IpAddress& address = record.condition.resolved.value_or(record.address);
    const int rank = 1 + 2 * static_cast<int>(key.first == vip) +
                     static_cast<int>(address.family() == claim.address.family());
    if (rank > best) owner = key;
    best = std::max(best, rank);
  }
  return owner;
}

std::vector<ArpClaims::Seen> ArpClaims::SeenOf(const model::Vip& vip,
                                               const Records& records) const {
  std::vector<Seen> seen;
  if (!IsWatched(vip)) return seen;
  for (const arp::Claim& claim : claims_) {
    if (std::find(vip.addresses.begin(), vip.addresses.end(), claim.address) ==
        vip.addresses.end()) {
      continue;
    }
    seen.push_back({claim, OwnerOf(claim, vip.id.QualifiedName(), records)});
  }
  return seen;
}

std::string ArpClaims::Words(const Seen& seen, const std::string& vip) {
  const std::string address = seen.claim.address.ToString();
  const std::string answers =
      absl::StrCat("answers ", Protocol(seen.claim.address), " for ", address);
  const std::string mac = net::MacText(seen.claim.mac);
  if (!seen.server.has_value()) {
    return absl::StrCat("unknown host, MAC ", mac, ", ", answers,
                        ": another balancer that serves the VIP too, or a host with its address");
  }
  const std::string name = seen.server->first == vip
                               ? seen.server->second
                               : absl::StrCat(seen.server->second, " of VIP ", seen.server->first);
  return absl::StrCat("real server ", name, ", MAC ", mac, ", ", answers,
                      " itself, so that clients go to it past this host; run on it what fairlead "
                      "prepare-realserver --os linux (or windows) --vip ",
                      address, " prints");
}

Event ArpClaims::Tell(const Seen& seen, const std::string& vip, bool begins) {
  Event event;
  event.kind = "vip";
  event.subject = vip;
  event.detail = absl::StrCat(seen.claim.address.ToString(), " ", net::MacText(seen.claim.mac));
  if (seen.server.has_value()) {
    event.message = begins ? "real server answers ARP for the VIP"
                           : "real server does not answer ARP for the VIP any more";
    event.server = seen.server->second;
  } else {
    event.message = begins ? "unknown host answers ARP for the VIP"
                           : "unknown host does not answer ARP for the VIP any more";
  }
  if (begins) event.level = base::LogLevel::kWarning;
  event.reason =
      begins ? Words(seen, vip)
             : absl::StrCat(seen.claim.address.ToString(), ", MAC ", net::MacText(seen.claim.mac));
  return event;
}

std::vector<Event> ArpClaims::Apply(const arp::Round& round, const model::DesiredState& desired,
                                    const Records& records) {
  std::vector<Event> events;
  if (round.problem != problem_ && !round.problem.empty()) {
    Event event;
    event.level = base::LogLevel::kWarning;
    event.message = "cannot ask who answers ARP for the VIPs";
    event.reason = round.problem;
    events.push_back(std::move(event));
  }
  problem_ = round.problem;
  const std::set<arp::Claim> before = std::exchange(claims_, round.claims);
  for (const model::Vip& vip : desired.vips) {
    if (!IsWatched(vip)) continue;
    const std::string name = vip.id.QualifiedName();
    for (const net::IpAddress& address : vip.addresses) {
      for (const arp::Claim& claim : before) {
        // An address that is not asked for any more may have moved there for good.
        const bool ended = round.asked.contains(address) && !claims_.contains(claim);
        if (claim.address != address || !ended) continue;
        events.push_back(Tell({claim, OwnerOf(claim, name, records)}, name, /*begins=*/false));
      }
      for (const arp::Claim& claim : claims_) {
        if (claim.address != address || before.contains(claim)) continue;
        events.push_back(Tell({claim, OwnerOf(claim, name, records)}, name, /*begins=*/true));
      }
    }
  }
  return events;
}

void ArpClaims::Show(const model::DesiredState& desired, const Records& records,
                     ControlView* view) const {
  if (!problem_.empty()) {
    view->warnings.push_back(
        absl::StrCat("who answers ARP for VIPs in direct routing is not known: ", problem_));
  }
  if (claims_.empty()) return;
  for (const model::Vip& vip : desired.vips) {
    const std::string name = vip.id.QualifiedName();
    const std::vector<Seen> all = SeenOf(vip, records);
    if (all.empty()) continue;
    const auto shown =
        std::find_if(view->vips.begin(), view->vips.end(),
                     [&](const VipView& candidate) { return candidate.QualifiedName() == name; });
    if (shown == view->vips.end()) continue;
    std::vector<std::string> words;
    for (const Seen& seen : all) {
      words.push_back(Words(seen, name));
      if (!seen.server.has_value()) ++shown->arp_unknown_hosts;
      if (!seen.server.has_value() || seen.server->first != name) continue;
      for (ServerView& server : shown->servers) {
        if (server.name != seen.server->second) continue;
        absl::StrAppend(&server.arp_problem, server.arp_problem.empty() ? "" : "; ", words.back());
      }
    }
    shown->arp_problem = absl::StrJoin(words, "; ");
  }
}

}  // namespace fairlead::controller
