// Settings of the whole host's network.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "pkg/doctor/cloud.h"
#include "pkg/doctor/doctor.h"

namespace fairlead::doctor {
namespace {

// One source address has so many connections to one endpoint of a real server (ip(7)).
void CheckSourcePorts(const HostTree& tree, Findings& findings) {
  const std::vector<std::string> words =
      absl::StrSplit(tree.Read("/proc/sys/net/ipv4/ip_local_port_range"), absl::ByAnyChar(" \t\n"),
                     absl::SkipEmpty());
  int64_t first = 0;
  int64_t last = 0;
  if (words.size() != 2 || !absl::SimpleAtoi(words[0], &first) ||
      !absl::SimpleAtoi(words[1], &last)) {
    return;
  }
  constexpr int64_t kDefaultCount = 28'232;  // 32768..60999
  const int64_t count = std::max<int64_t>(last - first + 1, 0);
  const std::string seen =
      absl::StrCat(first, "-", last, ": ", count,
                   " connections at a time to each port of a real server, from one source address");
  if (count >= kDefaultCount) {
    AddOk(findings, "source ports", seen);
  } else {
    findings.push_back({State::kWarning, "source ports", seen,
                        "sysctl -w net.ipv4.ip_local_port_range=\"32768 60999\""});
  }
}

void CheckCongestionControl(const HostTree& tree, Findings& findings) {
  const std::string name(
      absl::StripAsciiWhitespace(tree.Read("/proc/sys/net/ipv4/tcp_congestion_control")));
  if (name.empty()) return;
  AddOk(
      findings, "congestion control",
      name == "bbr" ? "bbr: paces with timers, which takes CPU; cubic takes less in a LAN" : name);
}

// Each proxied session is two entries; a full table drops packets of new connections
// (Documentation/networking/nf_conntrack-sysctl.rst).
void CheckConnectionTracking(const HostTree& tree, const Wanted& wanted, Findings& findings) {
  const auto max = tree.ReadNumber("/proc/sys/net/netfilter/nf_conntrack_max");
  if (!max.has_value()) {
    AddOk(findings, "connection tracking", "not loaded");
    return;
  }
  const int64_t count = tree.ReadNumber("/proc/sys/net/netfilter/nf_conntrack_count").value_or(0);
  const int64_t needed = static_cast<int64_t>(wanted.sessions) * 2;
  const std::string seen = absl::StrCat(count, " of ", *max, " entries in use");
  const std::string fix = absl::StrCat("sysctl -w net.netfilter.nf_conntrack_max=",
                                       std::max<int64_t>(262'144, needed * 2));
  if (count >= *max - *max / 10) {
    findings.push_back({State::kProblem, "connection tracking",
                        seen + ": nearly full, new connections are dropped", fix});
  } else if (*max < needed) {
    findings.push_back({State::kWarning, "connection tracking",
                        absl::StrCat(seen, "; ", wanted.sessions, " sessions need ", needed), fix});
  } else {
    AddOk(findings, "connection tracking", seen);
  }
}

// kube-proxy puts every Service's address on kube-ipvs0; without strictARP (which is arp_ignore 1
// and arp_announce 2) every node answers ARP for all of them.
void CheckKubeProxy(const HostTree& tree, Findings& findings) {
  if (!tree.Exists("/sys/class/net/kube-ipvs0")) return;
  if (tree.ReadNumber("/proc/sys/net/ipv4/conf/all/arp_ignore").value_or(0) >= 1) {
    AddOk(findings, "kube-proxy", "IPVS mode with strictARP");
    return;
  }
  findings.push_back(
      {State::kProblem, "kube-proxy",
       "IPVS mode without strictARP: every node answers ARP for the VIPs of Services",
       "kubectl -n kube-system edit configmap kube-proxy  # ipvs: strictARP: true"});
}

}  // namespace

void CheckCloud(const HostTree& tree, const Wanted& wanted, Findings& findings) {
  const std::optional<Cloud> cloud = DetectCloud(tree);
  if (!cloud.has_value()) {
    AddOk(findings, "cloud", "none that is known here");
  } else if (wanted.direct_routing) {
    findings.push_back({State::kProblem, "cloud",
                        absl::StrCat(cloud->WhyNotDirect(), "; VIPs in mode DR are refused"),
                        "write mode: SNAT; if this network does carry frames to a VIP, force it: "
                        "fairlead run --mode-allowed snat,dr"});
  } else {
    AddOk(findings, "cloud",
          absl::StrCat(cloud->name, " (", cloud->evidence,
                       "): mode SNAT and, all by SNAT, mode Auto; mode DR is refused"));
  }
}

void CheckNetwork(const HostTree& tree, const Wanted& wanted, Findings& findings) {
  CheckSourcePorts(tree, findings);
  CheckCongestionControl(tree, findings);
  CheckConnectionTracking(tree, wanted, findings);
  CheckKubeProxy(tree, findings);
}

}  // namespace fairlead::doctor
