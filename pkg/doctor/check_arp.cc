// The ARP problem of direct routing: real servers that answer ARP (IPv6: neighbour discovery) for
// the VIP.
#include "absl/strings/str_cat.h"
#include "pkg/doctor/doctor.h"
#include "pkg/net/mac_address.h"

namespace fairlead::doctor {
namespace {

const char* Protocol(const net::IpAddress& address) {
  return address.is_ipv4() ? "ARP" : "neighbour discovery";
}

// "srv2 (10.2.0.12)": the server of the VIP that claims its own address with the MAC of the claim;
// "" = none. A host may be a server by an address of each family: the one of the claim's comes
// first.
std::string ServerOf(const arp::Claim& claim, const Probes& probes,
                     const std::vector<model::VipServer>& servers) {
  std::string name;
  for (const model::VipServer& server : servers) {
    const net::IpAddress& address = server.spec.address;
    if (!probes.claims.contains({address, claim.mac})) continue;
    if (!name.empty() && address.family() != claim.address.family()) continue;
    name = absl::StrCat(server.name, " (", address.ToString(), ")");
  }
  return name;
}

void CheckAddress(const Probes& probes, const std::string& subject, const net::IpAddress& address,
                  const std::vector<model::VipServer>& servers, Findings& findings) {
  const std::string answers =
      absl::StrCat("answers ", Protocol(address), " for ", address.ToString());
  bool claimed = false;
  for (const arp::Claim& claim : probes.claims) {
    if (claim.address != address) continue;
    claimed = true;
    const std::string server = ServerOf(claim, probes, servers);
    if (server.empty()) {
      findings.push_back(
          {State::kWarning, subject,
           absl::StrCat("unknown host, MAC ", net::MacText(claim.mac), ", ", answers, " too"),
           "nothing, if it is another balancer of this VIP; else give that host "
           "another address"});
      continue;
    }
    findings.push_back(
        {State::kProblem, subject,
         absl::StrCat("real server ", server, " ", answers,
                      " itself: clients may go to it past this host"),
         absl::StrCat("run on it what this prints: fairlead prepare-realserver --os linux --vip ",
                      address.ToString(), "  # or --os windows")});
  }
  if (!claimed) {
    AddOk(findings, subject,
          absl::StrCat("no other host answers ", Protocol(address), " for ", address.ToString()));
  }
}

}  // namespace

void CheckClaims(const Probes& probes, const Wanted& wanted, Findings& findings) {
  if (wanted.desired == nullptr) return;
  if (!probes.ask_refusal.empty()) {
    findings.push_back(
        {State::kWarning, "ARP problem",
         absl::StrCat("who answers ARP for the VIPs is not known: ", probes.ask_refusal),
         "run it with CAP_NET_RAW (as root)"});
  }
  for (const model::Vip& vip : wanted.desired->vips) {
    if (vip.mode == model::Mode::kSnat) continue;
    const std::vector<model::VipServer> servers = model::ServersOf(*wanted.desired, vip);
    for (const net::IpAddress& address : vip.addresses) {
      if (!probes.asked.contains(address)) continue;
      CheckAddress(probes, absl::StrCat("VIP ", vip.id.QualifiedName()), address, servers,
                   findings);
    }
  }
}

}  // namespace fairlead::doctor
