// The VIPs of the configuration: whether their addresses are here, and their ports free.
#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/counted.h"
#include "pkg/doctor/doctor.h"
#include "pkg/doctor/listening_ports.h"
#include "pkg/doctor/routes.h"

namespace fairlead::doctor {
namespace {

constexpr char kLocalRoute[] = "local route";

std::string SubjectOf(const model::Vip& vip) {
  return absl::StrCat("VIP ", vip.id.QualifiedName());
}

// arp_ignore 1 and more: no answer for an address that is on another interface, which lo is for
// every request.
void CheckArp(const HostTree& tree, const model::Vip& vip, const net::IpAddress& address,
              const std::string& place, Findings& findings) {
  if (!address.is_ipv4() || (place != "lo" && place != kLocalRoute)) return;
  for (const std::string& interface : tree.Interfaces()) {
    if (tree.InForce(interface, "arp_ignore") == 0) continue;
    findings.push_back(
        {State::kWarning, SubjectOf(vip),
         absl::StrCat(address.ToString(), " is on lo, and ", interface,
                      " has arp_ignore: hosts of that network find it only by a "
                      "route through this host"),
         absl::StrCat("ip address add ", address.ToString(), "/32 dev ", interface)});
    return;
  }
}

// In modes DR and Auto checks of an IPv6 real server must not come from the VIP, which the server
// has too.
const char* SourceOption(const model::Vip& vip, const net::IpAddress& address) {
  return vip.mode != model::Mode::kSnat && !address.is_ipv4() ? " preferred_lft 0" : "";
}

void CheckPlace(const HostTree& tree, const Probes& probes, const model::Vip& vip,
                const net::IpAddress& address, Findings& findings) {
  const auto place = probes.places.find(address);
  if (place != probes.places.end()) {
    AddOk(findings, SubjectOf(vip),
          place->second == kLocalRoute
              ? absl::StrCat(address.ToString(), " is routed to this host")
              : absl::StrCat(address.ToString(), " is on ", place->second));
    CheckArp(tree, vip, address, place->second, findings);
    return;
  }
  if (vip.advertise.type == model::Advertise::Type::kL2) {
    AddOk(findings, SubjectOf(vip),
          absl::StrCat(address.ToString(),
                       " is not on this host: fairlead run brings it up where "
                       "this host owns it (advertise type L2)"));
    return;
  }
  // On the interface whose network has the address; else on the one towards it.
  const std::string towards = InterfaceTowards(tree, address);
  findings.push_back(
      {State::kProblem, SubjectOf(vip),
       absl::StrCat(address.ToString(), " is not on this host and not routed to it"),
       absl::StrCat("ip address add ", address.ToString(), address.is_ipv4() ? "/32" : "/128",
                    " dev ", towards.empty() ? "INTERFACE" : towards, SourceOption(vip, address))});
}

bool Meets(const Listener& listener, const model::Vip& vip) {
  if (!vip.ports.Contains(listener.endpoint.port)) return false;
  return std::any_of(vip.addresses.begin(), vip.addresses.end(),
                     [&](const net::IpAddress& vip_address) {
                       const net::IpAddress& address = listener.endpoint.address;
                       if (!address.is_unspecified()) return address == vip_address;
                       return listener.is_ipv6 || vip_address.is_ipv4();
                     });
}

// Another program's socket on a VIP's port, one finding a program. Our own daemon's are expected.
void CheckPorts(const HostTree& tree, const std::vector<Listener>& listeners, const model::Vip& vip,
                Findings& findings) {
  std::set<std::string> told;
  bool ours = false;
  for (const Listener& listener : listeners) {
    if (!Meets(listener, vip)) continue;
    const std::string owner = OwnerOf(tree, listener.inode);
    if (absl::StartsWith(owner, "fairlead (")) {
      ours = true;
      continue;
    }
    if (!told.insert(owner).second) continue;
    findings.push_back(
        {State::kProblem, SubjectOf(vip),
         absl::StrCat("port ", listener.endpoint.port, " is taken by ",
                      owner.empty() ? "a process that cannot be seen from here" : owner, " on ",
                      listener.endpoint.ToString()),
         absl::StrCat("ss -ltnp 'sport = :", listener.endpoint.port,
                      "'  # then stop that program, or bind it to another address")});
  }
  if (told.empty()) {
    AddOk(findings, SubjectOf(vip),
          absl::StrCat(base::Counted(vip.ports.count(), "port"),
                       ours ? ": served by the running fairlead" : ": free"));
  }
}

}  // namespace

void CheckVips(const HostTree& tree, const Probes& probes, const Wanted& wanted,
               Findings& findings) {
  if (wanted.desired == nullptr) return;
  const std::vector<Listener> listeners = ListeningPorts(tree);
  for (const model::Vip& vip : wanted.desired->vips) {
    for (const net::IpAddress& address : vip.addresses) {
      CheckPlace(tree, probes, vip, address, findings);
    }
    // XDP forwards before any socket sees the packet.
    if (vip.mode != model::Mode::kDr) CheckPorts(tree, listeners, vip, findings);
  }
}

}  // namespace fairlead::doctor
