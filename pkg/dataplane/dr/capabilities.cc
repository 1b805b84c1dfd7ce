#include "pkg/dataplane/dr/capabilities.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/base/errno_status.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr std::array<Capability, 3> kNeeded = {{
    {CAP_NET_ADMIN, "NET_ADMIN"},
    {CAP_BPF, "BPF"},
    {CAP_PERFMON, "PERFMON"},
}};

}  // namespace

absl::Span<const Capability> NeededCapabilities() { return kNeeded; }

absl::Status CheckCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return base::LastErrnoStatus("capget");
  const uint64_t held = uint64_t{sets[1].effective} << 32 | sets[0].effective;
  // It holds CAP_BPF and CAP_PERFMON (include/linux/capability.h: bpf_capable, perfmon_capable).
  const bool is_system_admin = (held >> CAP_SYS_ADMIN & 1) != 0;
  std::vector<std::string> missing;
  std::vector<std::string> docker;
  std::vector<std::string> unit;
  for (const Capability& capability : kNeeded) {
    docker.push_back(absl::StrCat("--cap-add ", capability.name));
    unit.push_back(absl::StrCat("CAP_", capability.name));
    if ((held >> capability.number & 1) != 0) continue;
    if (is_system_admin && capability.number != CAP_NET_ADMIN) continue;
    missing.push_back(unit.back());
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("mode DR lacks ", absl::StrJoin(missing, ", "), ": docker run --user 0 ",
                   absl::StrJoin(docker, " "), " ..., in a systemd unit AmbientCapabilities=",
                   absl::StrJoin(unit, " "), ", or use mode: SNAT"));
}

}  // namespace fairlead::dataplane::dr
