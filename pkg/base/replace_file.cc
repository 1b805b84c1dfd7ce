#include "pkg/base/replace_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::base {
namespace {

absl::Status WriteAll(int fd, absl::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return LastErrnoStatus(absl::StrCat("write ", path));
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(fd) != 0) return LastErrnoStatus(absl::StrCat("fsync ", path));
  return absl::OkStatus();
}

}  // namespace

absl::Status ReplaceFile(const std::string& path, const std::string& text, int mode) {
  const std::string temporary = path + ".new";
  const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd.valid()) return LastErrnoStatus(absl::StrCat("open ", temporary));
  absl::Status status = WriteAll(fd.get(), text, temporary);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = LastErrnoStatus(absl::StrCat("rename ", temporary, " to ", path));
  }
  if (!status.ok()) ::unlink(temporary.c_str());
  return status;
}

}  // namespace fairlead::base
