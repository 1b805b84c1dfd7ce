#include "pkg/dataplane/dr/program_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/dataplane/dr/bpf/dr_maps.h"
#include "pkg/dataplane/dr/capabilities.h"

// The generated skeleton names the type of the program's global variable without a namespace.
using fairlead::dataplane::dr::bpf::DrTables;  // NOLINT(misc-unused-using-decls)
#include <dr.skel.h>

namespace fairlead::dataplane::dr {
namespace {

// What libbpf said on this thread since the last load, the verifier's log included; its end is what
// tells the cause.
constexpr size_t kMessagesMax = 2000;
thread_local std::string messages;

int KeepMessage(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char text[1024];
  const int size = std::vsnprintf(text, sizeof(text), format, arguments);
  messages += text;
  if (messages.size() > kMessagesMax) messages.erase(0, messages.size() - kMessagesMax);
  return size;
}

struct Destroy {
  void operator()(dr_bpf* skeleton) const { dr_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<dr_bpf, Destroy>;

absl::Status LoadError(int error) {
  std::string advice;
  if (error == EPERM || error == EACCES) {
    const absl::Status capabilities = CheckCapabilities();
    advice = capabilities.ok()
                 ? "; the capabilities are there: a seccomp profile, or a user namespace, does not "
                   "let bpf(2) through"
                 : absl::StrCat("; ", capabilities.message());
  } else if (error == EINVAL || error == E2BIG) {
    advice = "; mode DR needs Linux 5.12 or later";
  } else if (error == ENOMEM) {
    advice = "; the maps need about 20 MiB";
  }
  return absl::FailedPreconditionError(
      absl::StrCat(base::ErrnoStatus(error, "load the BPF program").message(), advice,
                   messages.empty() ? "" : "; libbpf: ", messages));
}

std::string NameOf(const bpf_map* map) {
  const std::string name = bpf_map__name(map);
  return absl::EndsWith(name, ".bss") ? "tables" : name;
}

absl::StatusOr<base::UniqueFd> Duplicate(int fd) {
  base::UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) return base::LastErrnoStatus("fcntl F_DUPFD_CLOEXEC of a BPF descriptor");
  return copy;
}

absl::StatusOr<LoadedProgram> TakeDescriptors(const dr_bpf& skeleton, const bpf_program* wanted) {
  LoadedProgram loaded;
  absl::StatusOr<base::UniqueFd> program = Duplicate(bpf_program__fd(wanted));
  if (!program.ok()) return program.status();
  loaded.program = *std::move(program);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton.obj) {
    if (absl::EndsWith(bpf_map__name(map), ".rodata")) continue;  // this program's alone
    absl::StatusOr<base::UniqueFd> fd = Duplicate(bpf_map__fd(map));
    if (!fd.ok()) return fd.status();
    loaded.maps.emplace(NameOf(map), *std::move(fd));
  }
  return loaded;
}

absl::StatusOr<LoadedProgram> Load(ProgramKind kind, bool many_buffers,
                                   const MapDescriptors& reused) {
  libbpf_set_print(KeepMessage);
  messages.clear();
  const Skeleton skeleton(dr_bpf__open());
  if (skeleton == nullptr) return LoadError(errno);
  bpf_program* const xdp = skeleton->progs.fairlead_dr;
  bpf_program* const tc = skeleton->progs.fairlead_dr_tc;
  bpf_program* const wanted = kind == ProgramKind::kTc ? tc : xdp;
  bpf_program__set_autoload(wanted == tc ? xdp : tc, false);
  if (many_buffers) {
    bpf_program__set_flags(xdp, BPF_F_XDP_HAS_FRAGS);
    skeleton->rodata->takes_many_buffers = 1;
  }
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton->obj) {
    const auto found = reused.find(NameOf(map));
    if (found == reused.end()) continue;
    if (const int result = bpf_map__reuse_fd(map, found->second.get()); result != 0) {
      return LoadError(-result);
    }
  }
  if (const int result = dr_bpf__load(skeleton.get()); result != 0) return LoadError(-result);
  absl::StatusOr<LoadedProgram> loaded = TakeDescriptors(*skeleton, wanted);
  if (loaded.ok()) loaded->many_buffers = many_buffers;
  return loaded;
}

}  // namespace

// A map of devices is either of programs that take several buffers or of such that do not, so all
// interfaces have the same program.
absl::StatusOr<LoadedProgram> LoadProgram(ProgramKind kind, const MapDescriptors& reused) {
  if (kind == ProgramKind::kXdp) {
    absl::StatusOr<LoadedProgram> many = Load(kind, /*many_buffers=*/true, reused);
    if (many.ok()) return many;
  }
  return Load(kind, /*many_buffers=*/false, reused);
}

}  // namespace fairlead::dataplane::dr
