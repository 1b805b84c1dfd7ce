#include "pkg/dataplane/dr/bpffs.h"

#include <dirent.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr char kSystemBpffs[] = "/sys/fs/bpf";

// Systemd mounts it; containers and minimal hosts may lack it.
absl::Status EnsureBpffs(const std::string& directory) {
  const std::string parent = ParentOf(directory);
  if (IsBpffs(parent)) return absl::OkStatus();
  if (parent != kSystemBpffs) {
    return absl::FailedPreconditionError(
        absl::StrCat(parent, " is no bpffs: mount one there (mount -t bpf bpf ", parent,
                     ", for a container on the host), or name a directory in another one by "
                     "--bpf-directory"));
  }
  if (::mount("bpf", kSystemBpffs, "bpf", 0, "mode=0700") == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(base::LastErrnoStatus("mount a bpffs at /sys/fs/bpf").message(),
                   "; let root mount it once (mount -t bpf bpf /sys/fs/bpf), and give it to a "
                   "container: docker run -v /sys/fs/bpf:/bpf ... --bpf-directory /bpf/fairlead"));
}

}  // namespace

bool IsBpffs(const std::string& path) {
  struct statfs info {};
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

absl::Status MakeBpfDirectory(const std::string& directory) {
  if (absl::Status status = EnsureBpffs(directory); !status.ok()) return status;
  const absl::Status status = MakeDirectory(directory);
  if (!absl::IsPermissionDenied(status)) return status;
  return absl::PermissionDeniedError(absl::StrCat(
      status.message(),
      "; it takes uid 0 (docker run --user 0), and Docker's AppArmor profile forbids writing below "
      "/sys/fs: mount it elsewhere, -v /sys/fs/bpf:/bpf ... --bpf-directory /bpf/fairlead"));
}

absl::Status MakeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return base::LastErrnoStatus(absl::StrCat("mkdir ", path));
}

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), &::closedir);
  if (stream == nullptr) return names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

}  // namespace fairlead::dataplane::dr
