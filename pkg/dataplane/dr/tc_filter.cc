#include "pkg/dataplane/dr/tc_filter.h"

#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/netlink_message.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::dataplane::dr {
namespace {

// "fl". Others take handles from 1 on, and priorities from 1 or from 49152 on.
constexpr uint32_t kHandle = 0x666c;
constexpr uint32_t kPriority = 0x66;

// Whether a filter hangs at the ingress or egress of the interface's clsact; true when that cannot
// be asked.
bool HasFilters(uint32_t ifindex) {
  const base::UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket.valid()) return true;
  bool any = false;
  for (const uint32_t side : {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS}) {
    base::NetlinkRequest<tcmsg> request(RTM_GETTFILTER, NLM_F_DUMP);
    request.header().tcm_ifindex = static_cast<int>(ifindex);
    request.header().tcm_parent = TC_H_MAKE(TC_H_CLSACT, side);
    const absl::Status status = base::Exchange(
        socket.get(), request.message(), side, "list the filters",
        [&any](const nlmsghdr& message) { any |= message.nlmsg_type == RTM_NEWTFILTER; });
    any |= !status.ok();
  }
  return any;
}

}  // namespace

absl::StatusOr<bool> MakeClsact(uint32_t ifindex) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex),
              .attach_point = BPF_TC_INGRESS);
  const int result = bpf_tc_hook_create(&hook);
  if (result == 0) return true;
  if (result == -EEXIST) return false;
  return base::ErrnoStatus(-result, "tc, filter: make the clsact qdisc");
}

absl::Status AttachTcFilter(uint32_t ifindex, int program) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex),
              .attach_point = BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .flags = BPF_TC_F_REPLACE,
              .handle = kHandle, .priority = kPriority);
  const int result = bpf_tc_attach(&hook, &options);
  if (result == 0) return absl::OkStatus();
  return base::ErrnoStatus(-result, absl::StrCat("tc, filter: attach at priority ", kPriority));
}

void DetachTcFilter(uint32_t ifindex, bool qdisc_is_ours) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex),
              .attach_point = BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = kHandle, .priority = kPriority);
  bpf_tc_detach(&hook, &options);  // ENOENT: it is gone already
  if (!qdisc_is_ours || HasFilters(ifindex)) return;
  hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  bpf_tc_hook_destroy(&hook);
}

}  // namespace fairlead::dataplane::dr
