// PathWatch: inotify(7) on a configuration path and on everything that can replace it: the
// directory itself, the directories that hold it or the file, and the target of a symbolic link.
// Used on one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pkg/base/unique_fd.h"
#include "pkg/source/settle_timer.h"

namespace fairlead::source {

class PathWatch {
 public:
  // Error: inotify_init1(2) failed; the message names the sysctl.
  static absl::StatusOr<std::unique_ptr<PathWatch>> Create(std::string path);

  // Readable (poll(2)) when something happened.
  int fd() const { return inotify_.get(); }
  // Watches what the path leads to now. To be called before each reading, so that a change after
  // it is heard. Idempotent.
  void Refresh();
  // Takes the waiting events and tells those that matter to `timer`.
  void Drain(absl::Duration now, SettleTimer* timer);

 private:
  // What matters in one watched directory.
  struct Watched {
    bool manifests = false;          // every manifest, and the directory itself
    std::vector<std::string> names;  // these entries
  };

  PathWatch(std::string path, base::UniqueFd inotify)
      : path_(std::move(path)), inotify_(std::move(inotify)) {}

  void Add(const std::string& directory, bool manifests, const std::string& name,
           absl::flat_hash_map<int, Watched>* watched);
  void OnEvent(int watch, uint32_t mask, absl::string_view name, absl::Duration now,
               SettleTimer* timer) const;

  const std::string path_;
  const base::UniqueFd inotify_;
  absl::flat_hash_map<int, Watched> watched_;  // by watch descriptor
};

}  // namespace fairlead::source
