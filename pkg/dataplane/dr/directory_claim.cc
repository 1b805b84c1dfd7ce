#include "pkg/dataplane/dr/directory_claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"

namespace fairlead::dataplane::dr {
namespace {

// The state directory's identity: the same one from every container, and another one behind the
// same path in another.
std::string IdOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "";
  return absl::StrCat(info.st_dev, ":", info.st_ino);
}

}  // namespace

DirectoryClaim::DirectoryClaim(std::string directory, std::string state_directory, bool takeover)
    : directory_(std::move(directory)),
      state_directory_(std::move(state_directory)),
      takeover_(takeover) {}

DirectoryClaim::Note DirectoryClaim::OwnNote() const {
  return {IdOf(state_directory_), absl::StrCat(::getpid()), state_directory_};
}

DirectoryClaim::Note DirectoryClaim::ReadNote() const {
  std::array<char, 4096> text;
  const ssize_t size =
      ::readlink(absl::StrCat(directory_, "/", kNoteName).c_str(), text.data(), text.size());
  Note note;
  if (size <= 0) return note;
  // The path comes last: it may hold spaces.
  const std::vector<absl::string_view> words = absl::StrSplit(
      absl::string_view(text.data(), static_cast<size_t>(size)), absl::MaxSplits(' ', 2));
  if (words.size() != 3) return note;
  note.id = std::string(absl::StripPrefix(words[0], "id="));
  note.pid = std::string(absl::StripPrefix(words[1], "pid="));
  note.state_directory = std::string(absl::StripPrefix(words[2], "state="));
  return note;
}

bool DirectoryClaim::IsOwn(const Note& note) const {
  const Note own = OwnNote();
  // A state directory that was not there yet has no identity but its path.
  if (note.id.empty() || own.id.empty()) return note.state_directory == own.state_directory;
  return note.id == own.id;
}

absl::Status DirectoryClaim::WriteNote() const {
  const Note own = OwnNote();
  const std::string text =
      absl::StrCat("id=", own.id, " pid=", own.pid, " state=", own.state_directory);
  const std::string path = absl::StrCat(directory_, "/", kNoteName);
  const std::string fresh = absl::StrCat(path, "-new");
  ::unlink(fresh.c_str());
  if (::symlink(text.c_str(), fresh.c_str()) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0) {
    return base::LastErrnoStatus(absl::StrCat("note the owner of ", directory_));
  }
  return absl::OkStatus();
}

bool DirectoryClaim::Lock() {
  if (lock_.valid()) return true;
  base::UniqueFd fd(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return false;
  // Its last owner may have removed it, and another one made it anew, since it was opened.
  struct stat locked {};
  struct stat present {};
  if (::fstat(fd.get(), &locked) != 0 || ::stat(directory_.c_str(), &present) != 0 ||
      locked.st_ino != present.st_ino) {
    return false;
  }
  lock_ = std::move(fd);
  return true;
}

absl::Status DirectoryClaim::Claim(absl::Duration now) {
  const bool held = Lock();
  const Note note = ReadNote();
  const bool own = IsOwn(note);
  if (!held) {
    if (own && takeover_) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(directory_, " is in use by another daemon that runs (process ", note.pid,
                     " by its own count, state directory ", note.state_directory, "): ",
                     own ? "end it, or start this one with --takeover"
                         : "give this one a directory of its own by --bpf-directory"));
  }
  if (note != Note() && !own) {
    if (note != stranger_) {
      stranger_ = note;
      stranger_since_ = now;
    }
    if (now - stranger_since_ < kStrangerTime) {
      Release();
      return absl::UnavailableError(absl::StrCat(
          directory_, " holds what a daemon left that is not running (state directory ",
          note.state_directory, "); it is taken over when that one stays away for ",
          absl::ToInt64Seconds(kStrangerTime),
          " s, or at once after rm -r, which ends its forwarding; another --bpf-directory needs "
          "no waiting"));
    }
    base::LogWarning("what another daemon left is taken over",
                     {{"directory", directory_}, {"its_state_directory", note.state_directory}});
  }
  return WriteNote();
}

void DirectoryClaim::Renew() {
  if (lock_.valid() || !Lock()) return;
  if (absl::Status status = WriteNote(); !status.ok()) {
    base::LogWarning("the BPF directory has no note of its owner",
                     {{"reason", std::string(status.message())}});
  }
}

absl::StatusOr<bool> DirectoryClaim::ClaimForRemoval() {
  const bool held = Lock();
  const Note note = ReadNote();
  const bool own = note == Note() || IsOwn(note);
  if (held && own) return true;
  if (held) Release();
  if (own && takeover_) {
    return absl::UnavailableError("the process that is taken over still has the BPF directory");
  }
  return false;
}

void DirectoryClaim::Release() { lock_.Reset(); }

}  // namespace fairlead::dataplane::dr
