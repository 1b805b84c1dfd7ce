#include "tests/packet/own_bpffs.h"

#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"

namespace fairlead::dataplane::dr {

absl::StatusOr<std::unique_ptr<OwnBpffs>> OwnBpffs::Mount() {
  char path[] = "/tmp/fairlead-bpffs-XXXXXX";
  if (::mkdtemp(path) == nullptr) return base::LastErrnoStatus("make a directory in /tmp");
  if (::mount("bpf", path, "bpf", 0, nullptr) != 0) {
    const absl::Status status = base::LastErrnoStatus(absl::StrCat("mount a bpffs at ", path));
    ::rmdir(path);
    return status;
  }
  return std::unique_ptr<OwnBpffs>(new OwnBpffs(path));
}

OwnBpffs::~OwnBpffs() {
  ::umount(path_.c_str());
  ::rmdir(path_.c_str());
}

}  // namespace fairlead::dataplane::dr
