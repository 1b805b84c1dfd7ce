#include "pkg/source/path_watch.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/source/manifest_reader.h"

namespace fairlead::source {
namespace {

constexpr uint32_t kMask = IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                           IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr uint32_t kSelfMask = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED | IN_ATTRIB;

// (directory, entry) of a path; trailing slashes do not count.
std::pair<std::string, std::string> SplitPath(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

// "" when the path leads nowhere.
std::string RealPath(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  const std::string result = resolved == nullptr ? "" : resolved;
  ::free(resolved);
  return result;
}

bool IsDirectory(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PathWatch>> PathWatch::Create(std::string path) {
  base::UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify.valid()) {
    const absl::Status status = base::LastErrnoStatus("inotify_init1");
    return absl::Status(
        status.code(),
        absl::StrCat(status.message(), "; raise the sysctl fs.inotify.max_user_instances"));
  }
  return std::unique_ptr<PathWatch>(new PathWatch(std::move(path), std::move(inotify)));
}

void PathWatch::Refresh() {
  absl::flat_hash_map<int, Watched> watched;
  const auto [parent, entry] = SplitPath(path_);
  Add(parent, false, entry, &watched);
  if (IsDirectory(path_)) {
    Add(path_, true, "", &watched);
  } else if (const std::string real = RealPath(path_); !real.empty()) {
    const auto [real_parent, real_entry] = SplitPath(real);
    Add(real_parent, false, real_entry, &watched);
  }
  for (const auto& [watch, unused] : watched_) {
    if (!watched.contains(watch)) ::inotify_rm_watch(inotify_.get(), watch);
  }
  watched_ = std::move(watched);
}

// A directory that cannot be watched (gone, no right, fs.inotify.max_user_watches) is left to the
// periodic reading.
void PathWatch::Add(const std::string& directory, bool manifests, const std::string& name,
                    absl::flat_hash_map<int, Watched>* watched) {
  const int watch = ::inotify_add_watch(inotify_.get(), directory.c_str(), kMask);
  if (watch < 0) return;
  Watched& entry = (*watched)[watch];
  entry.manifests = entry.manifests || manifests;
  if (!name.empty()) entry.names.push_back(name);
}

void PathWatch::Drain(absl::Duration now, SettleTimer* timer) {
  alignas(inotify_event) char buffer[16 * (sizeof(inotify_event) + NAME_MAX + 1)];
  while (true) {
    const ssize_t size = ::read(inotify_.get(), buffer, sizeof(buffer));
    if (size <= 0) return;
    for (ssize_t offset = 0; offset < size;) {
      inotify_event event;
      std::memcpy(&event, buffer + offset, sizeof(event));
      const char* name = buffer + offset + sizeof(event);
      // The name is padded with NULs (inotify(7)).
      OnEvent(event.wd, event.mask, absl::string_view(name, ::strnlen(name, event.len)), now,
              timer);
      offset += static_cast<ssize_t>(sizeof(event) + event.len);
    }
  }
}

void PathWatch::OnEvent(int watch, uint32_t mask, absl::string_view name, absl::Duration now,
                        SettleTimer* timer) const {
  if ((mask & IN_Q_OVERFLOW) != 0) {
    timer->OnChange(now);  // whatever it was
    return;
  }
  const auto found = watched_.find(watch);
  if (found == watched_.end()) return;
  const Watched& watched = found->second;
  if (name.empty()) {
    if ((mask & kSelfMask) != 0) timer->OnChange(now);
    return;
  }
  const bool named =
      std::find(watched.names.begin(), watched.names.end(), name) != watched.names.end();
  const bool manifest = named || (watched.manifests && IsManifestName(name));
  if (!manifest) {
    // A mounted ConfigMap changes by renaming the link ..data (atomic_writer.go of Kubernetes).
    if (absl::StartsWith(name, "..")) timer->OnChange(now);
    return;
  }
  if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0) {
    timer->OnRemoval(name, now);
  } else if ((mask & IN_MODIFY) != 0) {
    timer->OnWrite(name, now);
  } else if ((mask & (IN_CREATE | IN_ATTRIB)) != 0) {
    timer->OnChange(now);
  } else {
    timer->OnComplete(name, now);
  }
}

}  // namespace fairlead::source
