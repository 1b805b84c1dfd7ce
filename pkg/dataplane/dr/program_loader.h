// ProgramLoader: the program in the kernel, beyond the life of this process. Maps and links are
// pinned in a directory of ours in bpffs; the next process adopts the maps, puts its own program
// into the links at once, and no packet is missed.
//
//   /sys/fs/bpf/fairlead/v2/{tables, flows, rings, ...}    maps of layout version 2
//                           link-<ifindex>                 one per interface
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
#include "pkg/dataplane/dr/kernel_map_store.h"
#include "pkg/dataplane/dr/program_object.h"

namespace fairlead::dataplane::dr {

// From the fastest to the slowest.
enum class AttachMode { kNativeManyBuffers, kNative, kGeneric };
// "native", "native, one buffer", "generic".
const char* AttachModeName(AttachMode mode);

struct Attachment {
  AttachMode mode = AttachMode::kGeneric;
  std::string reason;  // why no faster mode; "" when it is the fastest
};

class ProgramLoader {
 public:
  // Loads the program, with the maps that are pinned in `directory` or with new ones, and pins what
  // is new. Errors say what to do: no bpffs, no right, kernel too old.
  static absl::StatusOr<std::unique_ptr<ProgramLoader>> Create(std::string directory);

  KernelMapStore& store() { return *store_; }
  // The maps hold what a former process wrote.
  bool adopted() const { return adopted_; }

  // Attaches to `ifindex`, or says how it is attached already. Modes in turn: native with frames in
  // several buffers, native, generic. Error: why each of them was refused.
  absl::StatusOr<Attachment> Attach(uint32_t ifindex);
  // Detaches from every interface that is not among these.
  void DetachOthers(const std::set<uint32_t>& ifindexes);

  // Takes everything away that some process pinned in `directory`: forwarding ends. Nothing there
  // is no error.
  static absl::Status RemovePinned(const std::string& directory);

 private:
  struct AttachedLink {
    base::UniqueFd fd;
    Attachment attachment;
  };

  explicit ProgramLoader(std::string directory) : directory_(std::move(directory)) {}
  absl::Status Load();
  void AdoptLinks();
  std::string LinkPath(uint32_t ifindex) const;
  absl::StatusOr<int> ProgramFor(AttachMode mode);

  const std::string directory_;                 // with the layout version
  std::optional<base::UniqueFd> program_many_;  // absent where the kernel is too old
  std::string program_many_refusal_;
  std::optional<base::UniqueFd> program_one_;  // loaded when it is needed
  std::unique_ptr<KernelMapStore> store_;
  bool adopted_ = false;
  std::map<uint32_t, AttachedLink> links_;
};

}  // namespace fairlead::dataplane::dr
