#include "pkg/kube/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::kube {

absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  // Not blocking: a FIFO without a writer must not hold the caller up.
  const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return base::LastErrnoStatus(absl::StrCat("open ", path));
  std::string text;
  char buffer[16 << 10];
  while (true) {
    const ssize_t got = ::read(file.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::LastErrnoStatus(absl::StrCat("read ", path));
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kTextFileBytesMax) {
      return absl::OutOfRangeError(
          absl::StrCat(path, " is larger than ", kTextFileBytesMax, " bytes"));
    }
  }
}

}  // namespace fairlead::kube
