#include "pkg/dataplane/dr/program_loader.h"

#include <bpf/bpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"
#include "pkg/dataplane/dr/bpffs.h"
#include "pkg/dataplane/dr/directory_claim.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr std::array kMapNames = {"tables",     "port_groups", "flows", "rings",
                                  "bases",      "devices",     "turns", "server_counts",
                                  "handshakes", "reasons",     "probes"};

// All of them, or none: half of a set is of no use.
MapDescriptors OpenPinnedMaps(const std::string& directory) {
  MapDescriptors maps;
  for (const char* name : kMapNames) {
    base::UniqueFd fd(bpf_obj_get(absl::StrCat(directory, "/", name).c_str()));
    if (!fd.valid()) return {};
    maps.emplace(name, std::move(fd));
  }
  return maps;
}

absl::Status PinMaps(const MapDescriptors& maps, const std::string& directory) {
  for (const auto& [name, fd] : maps) {
    const std::string path = absl::StrCat(directory, "/", name);
    ::unlink(path.c_str());
    if (bpf_obj_pin(fd.get(), path.c_str()) != 0) {
      return base::LastErrnoStatus(absl::StrCat("pin the map ", path));
    }
  }
  return absl::OkStatus();
}

// The directories of layout versions beside this entry.
std::vector<std::string> OtherVersions(const std::string& directory) {
  std::vector<std::string> others;
  for (const std::string& name : NamesIn(ParentOf(directory))) {
    const std::string other = absl::StrCat(ParentOf(directory), "/", name);
    if (name[0] == 'v' && other != directory) others.push_back(other);
  }
  return others;
}

// Detaches and removes what is pinned in the directory of one layout version, and the directory.
absl::Status RemoveVersion(const std::string& directory) {
  for (const std::string& name : NamesIn(directory)) {
    const std::optional<AttachPoint> point = AttachPoint::OfPinName(name);
    if (point.has_value()) Detach(*point, directory);
  }
  for (const std::string& name : NamesIn(directory)) {
    const std::string path = absl::StrCat(directory, "/", name);
    if (::unlink(path.c_str()) != 0) return base::LastErrnoStatus(absl::StrCat("unlink ", path));
  }
  if (::rmdir(directory.c_str()) == 0) return absl::OkStatus();
  return base::LastErrnoStatus(absl::StrCat("rmdir ", directory));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProgramLoader>> ProgramLoader::Create(std::string directory,
                                                                     AttachLadder ladder) {
  absl::StrAppend(&directory, "/v", uint32_t{bpf::kDrLayoutVersion});
  if (absl::Status status = MakeDirectory(directory); !status.ok()) return status;
  std::unique_ptr<ProgramLoader> loader(new ProgramLoader(std::move(directory), std::move(ladder)));
  if (absl::Status status = loader->Load(); !status.ok()) return status;
  loader->AdoptPinned();
  return loader;
}

absl::Status ProgramLoader::Load() {
  MapDescriptors maps = OpenPinnedMaps(directory_);
  adopted_ = !maps.empty();
  absl::StatusOr<LoadedProgram> loaded = LoadProgram(ProgramKind::kXdp, maps);
  if (!loaded.ok()) return loaded.status();
  if (!loaded->many_buffers) {
    base::LogInfo("frames in several buffers (large MTUs) are not forwarded in native mode",
                  {{"reason", "the kernel is older than Linux 5.18"}});
  }
  programs_[ProgramKind::kXdp] = std::move(loaded->program);
  if (!adopted_) {
    if (absl::Status status = PinMaps(loaded->maps, directory_); !status.ok()) return status;
  }
  auto store = KernelMapStore::Create(std::move(loaded->maps), directory_);
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  return absl::OkStatus();
}

absl::StatusOr<int> ProgramLoader::ProgramFor(ProgramKind kind) {
  const auto known = programs_.find(kind);
  if (known != programs_.end()) return known->second.get();
  absl::StatusOr<LoadedProgram> loaded = LoadProgram(kind, store_->maps());
  if (!loaded.ok()) return loaded.status();
  return (programs_[kind] = std::move(loaded->program)).get();
}

// Puts this process's program in the place of a former one's. What is gone, or refuses the program,
// is given up. tc beside XDP is of a process that ended as it left XDP: the change is completed.
void ProgramLoader::AdoptPinned() {
  for (const std::string& name : NamesIn(directory_)) {
    const std::optional<AttachPoint> point = AttachPoint::OfPinName(name);
    if (!point.has_value()) continue;
    absl::StatusOr<AttachedLink> link = Adopt(*point);
    if (!link.ok()) {
      base::LogWarning("an interface is not adopted",
                       {{"pin", name}, {"reason", std::string(link.status().message())}});
      Detach(*point, directory_);
      continue;
    }
    const auto other = links_.find(point->ifindex);
    if (other == links_.end()) {
      links_[point->ifindex] = *std::move(link);
    } else if (IsXdp(point->mode)) {
      Detach(*point, directory_);
    } else {
      Detach({other->second.attachment.mode, point->ifindex}, directory_);
      other->second = *std::move(link);
    }
  }
}

absl::StatusOr<ProgramLoader::AttachedLink> ProgramLoader::Adopt(const AttachPoint& point) {
  const absl::StatusOr<int> program = ProgramFor(ProgramOf(point.mode));
  if (!program.ok()) return program.status();
  absl::StatusOr<base::UniqueFd> fd = Replace(point, *program, directory_);
  if (!fd.ok()) return fd.status();
  AttachMode mode = point.mode;
  if (IsXdp(mode)) mode = IsGeneric(point.ifindex) ? AttachMode::kGeneric : AttachMode::kNative;
  return AttachedLink{*std::move(fd),
                      {mode, mode == ladder_.front() ? "" : "as the former process attached it"}};
}

absl::StatusOr<Attachment> ProgramLoader::AttachTo(uint32_t ifindex) {
  const auto known = links_.find(ifindex);
  if (known != links_.end()) return known->second.attachment;
  if (std::optional<AttachedLink> link = TakeFromOtherVersion(ifindex); link.has_value()) {
    return (links_[ifindex] = *std::move(link)).attachment;
  }
  absl::StatusOr<AttachedLink> link = Climb(ifindex, ladder_, "");
  if (!link.ok()) return link.status();
  return (links_[ifindex] = *std::move(link)).attachment;
}

std::optional<ProgramLoader::AttachedLink> ProgramLoader::TakeFromOtherVersion(uint32_t ifindex) {
  for (const std::string& other : OtherVersions(directory_)) {
    for (const AttachMode mode : {AttachMode::kTcFilter, AttachMode::kTcx, AttachMode::kGeneric}) {
      const AttachPoint point{mode, ifindex};
      if (!MovePins(point, other, directory_)) continue;
      absl::StatusOr<AttachedLink> link = Adopt(point);
      if (link.ok()) return *std::move(link);
      Detach(point, directory_);
    }
  }
  return std::nullopt;
}

absl::StatusOr<ProgramLoader::AttachedLink> ProgramLoader::Climb(uint32_t ifindex,
                                                                 const AttachLadder& modes,
                                                                 std::string refusals) {
  bool taken = false;
  for (const AttachMode mode : modes) {
    if (taken && IsXdp(mode)) continue;
    const absl::StatusOr<int> program = ProgramFor(ProgramOf(mode));
    absl::Status status = program.status();
    if (program.ok()) {
      absl::StatusOr<base::UniqueFd> fd = Attach({mode, ifindex}, *program, directory_);
      if (fd.ok()) return AttachedLink{*std::move(fd), {mode, refusals}};
      status = fd.status();
    }
    taken |= absl::IsAlreadyExists(status);
    absl::StrAppend(&refusals, refusals.empty() ? "" : "; ", status.message());
  }
  return absl::FailedPreconditionError(refusals);
}

absl::StatusOr<Attachment> ProgramLoader::Descend(uint32_t ifindex, const std::string& reason) {
  const auto known = links_.find(ifindex);
  if (known == links_.end()) return absl::NotFoundError("the interface is not attached");
  const AttachMode left = known->second.attachment.mode;
  const auto next =
      std::find_if(ladder_.begin(), ladder_.end(), [left](AttachMode mode) { return mode > left; });
  const std::string refusals = absl::StrCat(AttachModeName(left), ": ", reason);
  if (next == ladder_.end()) return absl::FailedPreconditionError(refusals);
  const auto first_tc =
      std::find_if(next, ladder_.end(), [](AttachMode mode) { return !IsXdp(mode); });
  // tc first: while XDP is away, frames find the program there.
  absl::StatusOr<AttachedLink> tc = Climb(ifindex, {first_tc, ladder_.end()}, refusals);
  if (next == first_tc && !tc.ok()) return tc.status();
  Detach({left, ifindex}, directory_);
  known->second.fd.Reset();
  absl::StatusOr<AttachedLink> xdp = Climb(ifindex, {next, first_tc}, refusals);
  if (!xdp.ok() && !tc.ok()) {
    links_.erase(known);
    return xdp.status();
  }
  if (xdp.ok() && tc.ok()) Detach({tc->attachment.mode, ifindex}, directory_);
  if (!xdp.ok() && next != first_tc) tc->attachment.reason = std::string(xdp.status().message());
  known->second = xdp.ok() ? *std::move(xdp) : *std::move(tc);
  return known->second.attachment;
}

void ProgramLoader::DetachOthers(const std::set<uint32_t>& ifindexes) {
  for (auto link = links_.begin(); link != links_.end();) {
    if (ifindexes.count(link->first) != 0) {
      ++link;
      continue;
    }
    Detach({link->second.attachment.mode, link->first}, directory_);
    link = links_.erase(link);
  }
  for (const std::string& other : OtherVersions(directory_)) {
    if (absl::Status status = RemoveVersion(other); !status.ok()) {
      base::LogWarning("what another version of Fairlead left is not taken away",
                       {{"reason", std::string(status.message())}});
    }
  }
}

absl::Status ProgramLoader::RemovePinned(const std::string& directory) {
  const std::string note = absl::StrCat(directory, "/", DirectoryClaim::kNoteName);
  for (const std::string& version : OtherVersions(note)) {
    if (absl::Status status = RemoveVersion(version); !status.ok()) return status;
  }
  ::unlink(note.c_str());
  if (::rmdir(directory.c_str()) != 0) {
    return base::LastErrnoStatus(absl::StrCat("rmdir ", directory));
  }
  return absl::OkStatus();
}

}  // namespace fairlead::dataplane::dr
