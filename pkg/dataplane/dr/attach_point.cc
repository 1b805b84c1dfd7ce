#include "pkg/dataplane/dr/attach_point.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "pkg/base/errno_status.h"
#include "pkg/dataplane/dr/tc_filter.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr char kXdpPrefix[] = "link-";
constexpr char kTcxPrefix[] = "tcx-";
constexpr char kFilterPrefix[] = "filter-";
constexpr char kQdiscPrefix[] = "clsact-";

// BPF_TCX_INGRESS and BPF_F_BEFORE of Linux 6.6, which Debian 12's headers lack. "Before" nothing
// in particular is before all.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr uint32_t kBeforeAll = 1 << 3;

std::string PathOf(const AttachPoint& point, const std::string& directory) {
  return absl::StrCat(directory, "/", point.PinName());
}

std::string QdiscPath(uint32_t ifindex, const std::string& directory) {
  return absl::StrCat(directory, "/", kQdiscPrefix, ifindex);
}

absl::Status Pin(int fd, const std::string& path) {
  ::unlink(path.c_str());
  if (bpf_obj_pin(fd, path.c_str()) == 0) return absl::OkStatus();
  return base::LastErrnoStatus(absl::StrCat("pin ", path));
}

absl::StatusOr<base::UniqueFd> AttachLink(const AttachPoint& point, int program,
                                          const std::string& directory) {
  const bool xdp = IsXdp(point.mode);
  const uint32_t xdp_flags =
      point.mode == AttachMode::kGeneric ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = xdp ? xdp_flags : kBeforeAll);
  base::UniqueFd link(bpf_link_create(program, static_cast<int>(point.ifindex),
                                      xdp ? BPF_XDP : kTcxIngress, &options));
  if (!link.valid()) {
    // EBUSY: a program in this mode; EEXIST: one in the other mode (net/core/dev.c,
    // dev_xdp_attach).
    if (xdp && (errno == EBUSY || errno == EEXIST)) {
      return absl::AlreadyExistsError(
          "another XDP program is attached to the interface (`ip link` shows it)");
    }
    return base::LastErrnoStatus(AttachModeName(point.mode));
  }
  if (absl::Status status = Pin(link.get(), PathOf(point, directory)); !status.ok()) return status;
  return link;
}

absl::StatusOr<base::UniqueFd> AttachFilter(const AttachPoint& point, int program,
                                            const std::string& directory) {
  const absl::StatusOr<bool> made = MakeClsact(point.ifindex);
  if (!made.ok()) return made.status();
  absl::Status status;
  if (*made) status = Pin(program, QdiscPath(point.ifindex, directory));
  if (status.ok()) status = Pin(program, PathOf(point, directory));
  if (status.ok()) status = AttachTcFilter(point.ifindex, program);
  if (status.ok()) return base::UniqueFd();
  Detach(point, directory);
  return status;
}

}  // namespace

const char* AttachModeName(AttachMode mode) {
  switch (mode) {
    case AttachMode::kNative:
      return "native";
    case AttachMode::kGeneric:
      return "generic";
    case AttachMode::kTcx:
      return "tc";
    case AttachMode::kTcFilter:
      return "tc, filter";
  }
  return "";
}

bool IsXdp(AttachMode mode) { return mode != AttachMode::kTcx && mode != AttachMode::kTcFilter; }

ProgramKind ProgramOf(AttachMode mode) {
  return IsXdp(mode) ? ProgramKind::kXdp : ProgramKind::kTc;
}

std::string AttachPoint::PinName() const {
  if (mode == AttachMode::kTcFilter) return absl::StrCat(kFilterPrefix, ifindex);
  return absl::StrCat(mode == AttachMode::kTcx ? kTcxPrefix : kXdpPrefix, ifindex);
}

std::optional<AttachPoint> AttachPoint::OfPinName(absl::string_view name) {
  AttachPoint point;
  if (absl::ConsumePrefix(&name, kXdpPrefix)) {
    point.mode = AttachMode::kGeneric;
  } else if (absl::ConsumePrefix(&name, kTcxPrefix)) {
    point.mode = AttachMode::kTcx;
  } else if (absl::ConsumePrefix(&name, kFilterPrefix)) {
    point.mode = AttachMode::kTcFilter;
  } else {
    return std::nullopt;
  }
  if (!absl::SimpleAtoi(name, &point.ifindex)) return std::nullopt;
  return point;
}

absl::StatusOr<base::UniqueFd> Attach(const AttachPoint& point, int program,
                                      const std::string& directory) {
  if (point.mode == AttachMode::kTcFilter) return AttachFilter(point, program, directory);
  return AttachLink(point, program, directory);
}

absl::StatusOr<base::UniqueFd> Replace(const AttachPoint& point, int program,
                                       const std::string& directory) {
  if (point.mode == AttachMode::kTcFilter) {
    if (absl::Status status = AttachTcFilter(point.ifindex, program); !status.ok()) return status;
    if (absl::Status status = Pin(program, PathOf(point, directory)); !status.ok()) return status;
    return base::UniqueFd();
  }
  base::UniqueFd link(bpf_obj_get(PathOf(point, directory).c_str()));
  if (!link.valid()) return base::LastErrnoStatus(absl::StrCat("open ", PathOf(point, directory)));
  if (bpf_link_update(link.get(), program, nullptr) != 0) {
    return base::LastErrnoStatus(absl::StrCat("update ", PathOf(point, directory)));
  }
  return link;
}

bool MovePins(const AttachPoint& point, const std::string& from, const std::string& to) {
  if (::rename(PathOf(point, from).c_str(), PathOf(point, to).c_str()) != 0) return false;
  // Only where the qdisc is ours.
  ::rename(QdiscPath(point.ifindex, from).c_str(), QdiscPath(point.ifindex, to).c_str());
  return true;
}

void Detach(const AttachPoint& point, const std::string& directory) {
  if (point.mode == AttachMode::kTcFilter) {
    const std::string qdisc = QdiscPath(point.ifindex, directory);
    const bool qdisc_is_ours = ::access(qdisc.c_str(), F_OK) == 0;
    DetachTcFilter(point.ifindex, qdisc_is_ours);
    ::unlink(qdisc.c_str());
  }
  ::unlink(PathOf(point, directory).c_str());
}

bool IsGeneric(uint32_t ifindex) {
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  if (bpf_xdp_query(static_cast<int>(ifindex), 0, &query) != 0) return true;
  return query.attach_mode == XDP_ATTACHED_SKB;
}

}  // namespace fairlead::dataplane::dr
