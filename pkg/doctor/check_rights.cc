// Capabilities and limits of this process. They are those of the daemon when doctor is run as the
// daemon is: same user, same container, same service manager.
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "pkg/doctor/doctor.h"

namespace fairlead::doctor {
namespace {

// Bits of capabilities(7).
enum Capability {
  kNetBindService = 10,
  kNetAdmin = 12,
  kNetRaw = 13,
  kIpcLock = 14,
  kSysAdmin = 21,
  kPerfmon = 38,
  kBpf = 39
};

uint64_t EffectiveCapabilities(const HostTree& tree) {
  for (absl::string_view line : absl::StrSplit(tree.Read("/proc/self/status"), '\n')) {
    if (!absl::ConsumePrefix(&line, "CapEff:\t")) continue;
    uint64_t bits = 0;
    return absl::SimpleHexAtoi(line, &bits) ? bits : 0;
  }
  return 0;
}

bool Holds(uint64_t capabilities, Capability capability) {
  return (capabilities >> capability & 1) != 0;
}

// A feature that needs a right which is not there: a problem when the configuration asks for it.
void AddRight(bool there, bool asked_for, const char* subject, const char* why_not, const char* fix,
              Findings& findings) {
  if (there) {
    AddOk(findings, subject, "possible");
    return;
  }
  findings.push_back({asked_for ? State::kProblem : State::kWarning, subject,
                      absl::StrCat("not possible: ", why_not), fix});
}

// icmp(7): the groups that may open ping sockets; the default "1 0" is none.
bool PingAllowed(const HostTree& tree) {
  const std::vector<std::string> words =
      absl::StrSplit(tree.Read("/proc/sys/net/ipv4/ping_group_range"), absl::ByAnyChar(" \t\n"),
                     absl::SkipEmpty());
  int64_t first = 1;
  int64_t last = 0;
  return words.size() == 2 && absl::SimpleAtoi(words[0], &first) &&
         absl::SimpleAtoi(words[1], &last) && first <= ::getegid() && ::getegid() <= last;
}

// The hard limit: the daemon raises the soft one to it. getrlimit(2); nothing = unlimited.
uint64_t HardLimit(const HostTree& tree, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(tree.Read("/proc/self/limits"), '\n')) {
    if (!absl::ConsumePrefix(&line, name)) continue;
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint64_t value = 0;
    if (words.size() >= 2 && absl::SimpleAtoi(words[1], &value)) return value;
  }
  return std::numeric_limits<uint64_t>::max();
}

}  // namespace

void CheckRights(const HostTree& tree, const Wanted& wanted, Findings& findings) {
  const uint64_t held = EffectiveCapabilities(tree);
  const int64_t free_from =
      tree.ReadNumber("/proc/sys/net/ipv4/ip_unprivileged_port_start").value_or(1024);
  const bool asks_any = wanted.desired != nullptr && !wanted.desired->vips.empty();
  if (free_from <= 1) {
    AddOk(findings, "ports below 1024", "open to every user");
  } else {
    AddRight(Holds(held, kNetBindService), wanted.low_ports || (!asks_any && free_from > 1024),
             "ports below 1024", "no CAP_NET_BIND_SERVICE",
             "sysctl -w net.ipv4.ip_unprivileged_port_start=0, or grant CAP_NET_BIND_SERVICE",
             findings);
  }
  AddRight(Holds(held, kNetAdmin) || Holds(held, kNetRaw), wanted.transparent,
           "clientAddress Transparent", "neither CAP_NET_ADMIN nor CAP_NET_RAW",
           "grant CAP_NET_ADMIN, or use clientAddress ProxyProtocolV2", findings);
  // CAP_SYS_ADMIN holds the two others (capabilities(7)).
  const bool may_load = Holds(held, kSysAdmin) || (Holds(held, kBpf) && Holds(held, kPerfmon));
  AddRight(Holds(held, kNetAdmin) && may_load, wanted.direct_routing, "mode DR",
           "it takes CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON",
           "run as root, or grant these capabilities", findings);
  AddRight(Holds(held, kNetRaw) || PingAllowed(tree), wanted.icmp, "ICMP health checks",
           "no CAP_NET_RAW, and net.ipv4.ping_group_range leaves this group out",
           "sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"", findings);
  AddRight(Holds(held, kNetRaw), false, "strict half-open checks",
           "no CAP_NET_RAW; a delayed ACK is used instead", "grant CAP_NET_RAW", findings);
  AddRight(Holds(held, kNetRaw), false, "checks through direct routing",
           "no CAP_NET_RAW; in mode DR a real server that lacks the VIP is not noticed",
           "grant CAP_NET_RAW", findings);
}

void CheckLimits(const HostTree& tree, const Wanted& wanted, Findings& findings) {
  // Two descriptors a session, and some of our own.
  constexpr uint64_t kOwnDescriptors = 512;
  const uint64_t files = HardLimit(tree, "Max open files");
  const uint64_t needed = wanted.sessions * 2 + kOwnDescriptors;
  if (files >= needed) {
    AddOk(findings, "descriptors",
          absl::StrCat("RLIMIT_NOFILE ", files, ": room for about ", (files - kOwnDescriptors) / 2,
                       " sessions"));
  } else {
    findings.push_back(
        {files < 4096 ? State::kProblem : State::kWarning, "descriptors",
         absl::StrCat(
             "RLIMIT_NOFILE ", files, " (hard): ", wanted.sessions, " sessions need ", needed,
             ", two each",
             wanted.sessions_assumed ? " (assumed: not every VIP has maxConnections)" : ""),
         absl::StrCat("ulimit -Hn ", needed, " (LimitNOFILE=", needed,
                      ", docker run --ulimit nofile=", needed, ")")});
  }
  // Rings and their buffers are a few MiB a shard; 8 MiB is the kernel's default since Linux 5.16.
  constexpr uint64_t kLockedBytesLow = 8 << 20;
  const uint64_t locked = HardLimit(tree, "Max locked memory");
  if (locked >= kLockedBytesLow || Holds(EffectiveCapabilities(tree), kIpcLock)) {
    AddOk(findings, "locked memory", "enough for the rings");
  } else {
    findings.push_back({State::kWarning, "locked memory",
                        absl::StrCat("RLIMIT_MEMLOCK is ", locked,
                                     " bytes: rings may be refused, epoll is used then"),
                        "ulimit -Hl unlimited (LimitMEMLOCK=infinity, docker run --ulimit "
                        "memlock=-1)"});
  }
}

}  // namespace fairlead::doctor
