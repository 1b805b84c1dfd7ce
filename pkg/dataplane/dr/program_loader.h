// ProgramLoader: the program in the kernel, beyond the life of this process. Maps and links are
// pinned in a directory of ours in bpffs; the next process adopts the maps, puts its own program
// into the links at once, and no packet is missed.
//
//   /sys/fs/bpf/fairlead/v2/{tables, flows, rings, ...}    maps of layout version 2
//                           link-<ifindex>, ...            what is attached: see attach_point.h
//
// One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/unique_fd.h"
#include "pkg/dataplane/dr/attach_point.h"
#include "pkg/dataplane/dr/kernel_map_store.h"
#include "pkg/dataplane/dr/program_object.h"

namespace fairlead::dataplane::dr {

struct Attachment {
  AttachMode mode = AttachMode::kGeneric;
  std::string reason;  // why no faster mode; "" when it is the fastest
};

// Modes in the order in which they are tried.
using AttachLadder = std::vector<AttachMode>;
inline const AttachLadder kFullLadder = {AttachMode::kNative, AttachMode::kGeneric,
                                         AttachMode::kTcx, AttachMode::kTcFilter};

class ProgramLoader {
 public:
  // Loads the program, with the maps that are pinned in `directory` or with new ones, and pins what
  // is new. The directory exists (MakeBpfDirectory) and is this daemon's (DirectoryClaim). Errors
  // say what to do: no right, kernel too old.
  static absl::StatusOr<std::unique_ptr<ProgramLoader>> Create(std::string directory,
                                                               AttachLadder ladder = kFullLadder);

  KernelMapStore& store() { return *store_; }
  // The maps hold what a former process wrote.
  bool adopted() const { return adopted_; }

  // Attaches to `ifindex` in the first mode of the ladder that the kernel allows, or says how it is
  // attached already. A program of another layout version gives its place to ours, so the maps are
  // to be written before. Error: why each of them was refused.
  absl::StatusOr<Attachment> AttachTo(uint32_t ifindex);
  // Leaves the mode that `ifindex` is attached in, which was found not to work: `reason`. While
  // modes change, tc forwards. Error: no mode is left, and the interface stays as it is; or none
  // was allowed.
  absl::StatusOr<Attachment> Descend(uint32_t ifindex, const std::string& reason);
  // Detaches from every interface that is not among these; what a process of another layout version
  // left, and AttachTo did not take over, goes as well.
  void DetachOthers(const std::set<uint32_t>& ifindexes);

  // Takes everything away that is pinned in `directory`, and the directory: forwarding ends.
  static absl::Status RemovePinned(const std::string& directory);

 private:
  struct AttachedLink {
    base::UniqueFd fd;  // none of a tc filter
    Attachment attachment;
  };

  ProgramLoader(std::string directory, AttachLadder ladder)
      : directory_(std::move(directory)), ladder_(std::move(ladder)) {}
  absl::Status Load();
  void AdoptPinned();
  absl::StatusOr<AttachedLink> Adopt(const AttachPoint& point);
  std::optional<AttachedLink> TakeFromOtherVersion(uint32_t ifindex);
  absl::StatusOr<int> ProgramFor(ProgramKind kind);
  // Attaches in the first of the modes that is allowed. `refusals`: of those before.
  absl::StatusOr<AttachedLink> Climb(uint32_t ifindex, const AttachLadder& modes,
                                     std::string refusals);

  const std::string directory_;  // with the layout version
  const AttachLadder ladder_;
  std::map<ProgramKind, base::UniqueFd> programs_;  // loaded when they are needed
  std::unique_ptr<KernelMapStore> store_;
  bool adopted_ = false;
  std::map<uint32_t, AttachedLink> links_;
};

}  // namespace fairlead::dataplane::dr
