#include "pkg/dataplane/dr/program_loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr std::array kMapNames = {"tables",     "port_groups", "flows", "rings",
                                  "bases",      "devices",     "turns", "server_counts",
                                  "handshakes", "reasons"};
constexpr char kSystemBpffs[] = "/sys/fs/bpf";
constexpr char kLinkPrefix[] = "link-";

bool IsBpffs(const std::string& path) {
  struct statfs info {};
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

// Systemd mounts it; containers and minimal hosts may lack it.
absl::Status EnsureBpffs(const std::string& directory) {
  const std::string parent = ParentOf(directory);
  if (IsBpffs(parent)) return absl::OkStatus();
  if (parent != kSystemBpffs) {
    return absl::FailedPreconditionError(
        absl::StrCat(parent, " is no bpffs: mount one there (mount -t bpf bpf ", parent,
                     "), or name a directory in "
                     "another one by --bpf-directory"));
  }
  if (::mount("bpf", kSystemBpffs, "bpf", 0, "mode=0700") == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(base::LastErrnoStatus("mount a bpffs at /sys/fs/bpf").message(),
                   "; in a container mount the host's: docker run -v /sys/fs/bpf:/sys/fs/bpf"));
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

uint32_t FlagsOf(AttachMode mode) {
  return mode == AttachMode::kGeneric ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

// What an adopted link runs in.
AttachMode AskMode(uint32_t ifindex) {
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  if (bpf_xdp_query(static_cast<int>(ifindex), 0, &query) != 0) return AttachMode::kGeneric;
  return query.attach_mode == XDP_ATTACHED_SKB ? AttachMode::kGeneric : AttachMode::kNative;
}

}  // namespace

const char* AttachModeName(AttachMode mode) {
  switch (mode) {
    case AttachMode::kNativeManyBuffers:
      return "native";
    case AttachMode::kNative:
      return "native, one buffer";
    case AttachMode::kGeneric:
      return "generic";
  }
  return "";
}

absl::StatusOr<std::unique_ptr<ProgramLoader>> ProgramLoader::Create(std::string directory) {
  if (absl::Status status = EnsureBpffs(directory); !status.ok()) return status;
  if (absl::Status status = MakeDirectory(directory); !status.ok()) return status;
  absl::StrAppend(&directory, "/v", uint32_t{bpf::kDrLayoutVersion});
  if (absl::Status status = MakeDirectory(directory); !status.ok()) return status;
  std::unique_ptr<ProgramLoader> loader(new ProgramLoader(std::move(directory)));
  if (absl::Status status = loader->Load(); !status.ok()) return status;
  loader->AdoptLinks();
  return loader;
}

absl::Status ProgramLoader::Load() {
  MapDescriptors maps = OpenPinnedMaps(directory_);
  adopted_ = !maps.empty();
  absl::StatusOr<LoadedProgram> loaded = LoadProgram(FrameBuffers::kMany, maps);
  if (loaded.ok()) {
    program_many_ = std::move(loaded->program);
  } else {
    program_many_refusal_ = std::string(loaded.status().message());
    loaded = LoadProgram(FrameBuffers::kOne, maps);
    if (!loaded.ok()) return loaded.status();
    program_one_ = std::move(loaded->program);
  }
  if (!adopted_) {
    if (absl::Status status = PinMaps(loaded->maps, directory_); !status.ok()) return status;
  }
  auto store = KernelMapStore::Create(std::move(loaded->maps));
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  return absl::OkStatus();
}

// Puts this process's program into the links that a former one made. A link whose interface is
// gone, or that refuses the program, is given up.
void ProgramLoader::AdoptLinks() {
  for (const std::string& name : NamesIn(directory_)) {
    absl::string_view number = name;
    uint32_t ifindex = 0;
    if (!absl::ConsumePrefix(&number, kLinkPrefix) || !absl::SimpleAtoi(number, &ifindex)) continue;
    base::UniqueFd fd(bpf_obj_get(LinkPath(ifindex).c_str()));
    for (const AttachMode mode : {AttachMode::kNativeManyBuffers, AttachMode::kNative}) {
      const absl::StatusOr<int> program = ProgramFor(mode);
      if (!fd.valid() || !program.ok()) continue;
      if (bpf_link_update(fd.get(), *program, nullptr) != 0) continue;
      const bool generic = AskMode(ifindex) == AttachMode::kGeneric;
      Attachment attachment = {generic ? AttachMode::kGeneric : mode,
                               generic ? "as the former process attached it" : ""};
      links_[ifindex] = {std::move(fd), std::move(attachment)};
      break;
    }
    if (links_.count(ifindex) == 0) ::unlink(LinkPath(ifindex).c_str());
  }
}

std::string ProgramLoader::LinkPath(uint32_t ifindex) const {
  return absl::StrCat(directory_, "/", kLinkPrefix, ifindex);
}

absl::StatusOr<int> ProgramLoader::ProgramFor(AttachMode mode) {
  if (mode == AttachMode::kNativeManyBuffers) {
    if (!program_many_.has_value()) return absl::UnavailableError(program_many_refusal_);
    return program_many_->get();
  }
  if (!program_one_.has_value()) {
    absl::StatusOr<LoadedProgram> loaded = LoadProgram(FrameBuffers::kOne, store_->maps());
    if (!loaded.ok()) return loaded.status();
    program_one_ = std::move(loaded->program);
  }
  return program_one_->get();
}

absl::StatusOr<Attachment> ProgramLoader::Attach(uint32_t ifindex) {
  const auto known = links_.find(ifindex);
  if (known != links_.end()) return known->second.attachment;
  std::string refusals;
  for (const AttachMode mode :
       {AttachMode::kNativeManyBuffers, AttachMode::kNative, AttachMode::kGeneric}) {
    const absl::StatusOr<int> program = ProgramFor(mode);
    absl::Status status = program.status();
    if (program.ok()) {
      LIBBPF_OPTS(bpf_link_create_opts, options, .flags = FlagsOf(mode));
      base::UniqueFd fd(bpf_link_create(*program, static_cast<int>(ifindex), BPF_XDP, &options));
      if (fd.valid()) {
        ::unlink(LinkPath(ifindex).c_str());
        if (bpf_obj_pin(fd.get(), LinkPath(ifindex).c_str()) != 0) {
          return base::LastErrnoStatus(absl::StrCat("pin the link ", LinkPath(ifindex)));
        }
        Attachment attachment = {mode, refusals};
        links_[ifindex] = {std::move(fd), attachment};
        return attachment;
      }
      const int error = errno;
      status = base::ErrnoStatus(error, AttachModeName(mode));
      if (error == EBUSY) {
        return absl::FailedPreconditionError(
            absl::StrCat(status.message(),
                         ": another XDP program is attached to the interface; `ip link` shows "
                         "it, `ip link set dev IF xdp off` takes it away"));
      }
    }
    absl::StrAppend(&refusals, refusals.empty() ? "" : "; ", status.message());
  }
  return absl::FailedPreconditionError(refusals);
}

void ProgramLoader::DetachOthers(const std::set<uint32_t>& ifindexes) {
  for (auto link = links_.begin(); link != links_.end();) {
    if (ifindexes.count(link->first) != 0) {
      ++link;
      continue;
    }
    ::unlink(LinkPath(link->first).c_str());
    link = links_.erase(link);
  }
}

absl::Status ProgramLoader::RemovePinned(const std::string& directory) {
  if (!IsBpffs(directory)) return absl::OkStatus();  // nothing was ever pinned
  for (const std::string& version : NamesIn(directory)) {
    const std::string inner = absl::StrCat(directory, "/", version);
    for (const std::string& name : NamesIn(inner)) {
      const std::string path = absl::StrCat(inner, "/", name);
      if (::unlink(path.c_str()) != 0) return base::LastErrnoStatus(absl::StrCat("unlink ", path));
    }
    if (::rmdir(inner.c_str()) != 0) return base::LastErrnoStatus(absl::StrCat("rmdir ", inner));
  }
  if (::rmdir(directory.c_str()) != 0) {
    return base::LastErrnoStatus(absl::StrCat("rmdir ", directory));
  }
  return absl::OkStatus();
}

}  // namespace fairlead::dataplane::dr
