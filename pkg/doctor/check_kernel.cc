// Kernel version, io_uring, BPF.
#include <errno.h>
#include <string.h>

#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "pkg/doctor/doctor.h"

namespace fairlead::doctor {
namespace {

void CheckVersion(const HostTree& tree, const Wanted& wanted, Findings& findings) {
  const std::string release(absl::StripAsciiWhitespace(tree.Read("/proc/sys/kernel/osrelease")));
  int major = 0;
  int minor = 0;
  if (std::sscanf(release.c_str(), "%d.%d", &major, &minor) != 2) {
    findings.push_back({State::kWarning, "kernel", "its version cannot be read",
                        "mount /proc: mount -t proc proc /proc"});
    return;
  }
  // pkg/uring: multishot receive into a provided-buffer ring; incremental buffers; a limit for
  // them.
  const int version = major * 1000 + minor;
  if (wanted.direct_routing && version < 5012) {
    findings.push_back({State::kProblem, "kernel",
                        absl::StrCat("Linux ", release, ": mode DR needs 5.12"),
                        "install Linux 6.1 or newer"});
    return;
  }
  if (version < 6001) {
    findings.push_back({State::kWarning, "kernel",
                        absl::StrCat("Linux ", release, ": io_uring needs 6.1; epoll is used"),
                        "install Linux 6.1 or newer"});
    return;
  }
  AddOk(
      findings, "kernel",
      absl::StrCat("Linux ", release,
                   version >= 6017   ? ": has all that Fairlead uses"
                   : version >= 6012 ? ": without limits for multishot receives (6.17)"
                                     : ": without incremental buffers (6.12), which save memory"));
}

// The refusal has the form "io_uring_setup: ... (cause; fix: what to do)".
void CheckIoUring(const HostTree& tree, const Probes& probes, Findings& findings) {
  const int64_t disabled = tree.ReadNumber("/proc/sys/kernel/io_uring_disabled").value_or(0);
  if (probes.io_uring_refusal.empty()) {
    // io_uring_disabled 1: only CAP_SYS_ADMIN and kernel.io_uring_group; this process is one.
    AddOk(findings, "io_uring",
          disabled == 0 ? "allowed"
                        : absl::StrCat("allowed for this user only: sysctl "
                                       "kernel.io_uring_disabled is ",
                                       disabled));
    return;
  }
  const bool filtered = absl::StrContains(tree.Read("/proc/self/status"), "\nSeccomp:\t2");
  const std::vector<std::string> parts = absl::StrSplit(probes.io_uring_refusal, "fix: ");
  findings.push_back(
      {State::kWarning, "io_uring",
       absl::StrCat("refused, epoll is used, which takes more CPU: ", probes.io_uring_refusal,
                    filtered ? "; this process has a seccomp filter" : ""),
       disabled != 0      ? "sysctl -w kernel.io_uring_disabled=0"
       : parts.size() > 1 ? std::string(absl::StripSuffix(parts.back(), ")"))
                          : "docker run --security-opt seccomp=docker/seccomp.json ..."});
}

void CheckBpf(const HostTree& tree, const Probes& probes, const Wanted& wanted,
              Findings& findings) {
  if (probes.bpf_error == 0) {
    AddOk(findings, "BPF", "maps can be made");
  } else {
    const int64_t disabled =
        tree.ReadNumber("/proc/sys/kernel/unprivileged_bpf_disabled").value_or(0);
    findings.push_back({wanted.direct_routing ? State::kProblem : State::kWarning, "BPF",
                        absl::StrCat("refused (", ::strerror(probes.bpf_error),
                                     disabled != 0 ? ", kernel.unprivileged_bpf_disabled is "
                                                   : ", unprivileged BPF is allowed: ",
                                     disabled, "): mode DR is not possible here"),
                        "grant CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, or run as root"});
  }
  for (const absl::string_view line : absl::StrSplit(tree.Read("/proc/self/mounts"), '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    if (words.size() > 2 && words[2] == "bpf") {
      AddOk(findings, "bpffs", absl::StrCat("mounted at ", words[1]));
      return;
    }
  }
  findings.push_back({State::kWarning, "bpffs",
                      "not mounted: mode DR keeps its maps there, over restarts of the daemon",
                      "mount -t bpf bpf /sys/fs/bpf"});
}

}  // namespace

void CheckKernel(const HostTree& tree, const Probes& probes, const Wanted& wanted,
                 Findings& findings) {
  CheckVersion(tree, wanted, findings);
  CheckIoUring(tree, probes, findings);
  CheckBpf(tree, probes, wanted, findings);
}

}  // namespace fairlead::doctor
