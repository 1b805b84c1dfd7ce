#include "pkg/source/manifest_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::source {
namespace {

model::Finding PathFinding(const std::string& path, std::string message) {
  return {model::Severity::kError, "", {path, 0, 0}, "", std::move(message)};
}

std::string Advice(int error) {
  switch (error) {
    case ENOENT:
      return "; check the path (in a container: the mount)";
    case EACCES:
    case EPERM:
      return "; give the user of this process the right to read it";
    case ELOOP:
      return "; a symbolic link leads back to itself";
    default:
      return "";
  }
}

std::string CannotRead(int error) {
  return absl::StrCat(base::ErrnoStatus(error, "cannot be read").message(), Advice(error));
}

// The whole file, at most `bytes_max` + 1 bytes of it; the problem in words otherwise.
absl::StatusOr<std::string> ReadWhole(const std::string& file, size_t bytes_max) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer (open(2)).
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return absl::UnavailableError(CannotRead(errno));
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return absl::UnavailableError(CannotRead(errno));
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(
        "is not a regular file; manifests are files, and folders below this one are not read");
  }
  std::string text;
  while (text.size() <= bytes_max) {
    constexpr size_t kStep = 64 << 10;
    const size_t size = text.size();
    const size_t step = std::min(kStep, bytes_max + 1 - size);
    text.resize(size + step);
    const ssize_t got = ::read(fd.get(), text.data() + size, step);
    if (got < 0 && errno != EINTR) return absl::UnavailableError(CannotRead(errno));
    text.resize(size + std::max<ssize_t>(got, 0));
    if (got == 0) return text;
  }
  return text;
}

// The names of the directory's manifests, sorted.
absl::StatusOr<std::vector<std::string>> ListManifests(int directory) {
  const int copy = ::fcntl(directory, F_DUPFD_CLOEXEC, 0);
  DIR* stream = copy < 0 ? nullptr : ::fdopendir(copy);
  if (stream == nullptr) {
    const int error = errno;
    if (copy >= 0) ::close(copy);
    return absl::UnavailableError(CannotRead(error));
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    if (IsManifestName(entry->d_name)) names.emplace_back(entry->d_name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(stream);
  if (error != 0) return absl::UnavailableError(CannotRead(error));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

bool IsManifestName(absl::string_view name) {
  if (name.empty() || name.front() == '.') return false;
  return absl::EndsWith(name, ".yaml") || absl::EndsWith(name, ".yml") ||
         absl::EndsWith(name, ".json");
}

Reading ManifestReader::Read(absl::Duration now) {
  Reading reading;
  const base::UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status;
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) {
    const int error = errno;
    was_missing_ = was_missing_ || error == ENOENT;
    reading.complete = false;
    reading.findings.push_back(PathFinding(path_, CannotRead(error)));
  } else if (S_ISDIR(status.st_mode)) {
    if (status.st_nlink == 0) {
      reading.complete = false;
      reading.findings.push_back(PathFinding(
          path_,
          "the directory was deleted while it was open; create it again (in a container: "
          "mount its parent, or restart)"));
      return reading;
    }
    ReadDirectory(fd.get(), &reading);
    CheckReplaced(IdentityOf(fd.get()), now, &reading);
  } else {
    size_t bytes_left = kManifestTotalBytesMax;
    reading.files.push_back(ReadFile(path_, &bytes_left, &cache_[path_]));
  }
  return reading;
}

void ManifestReader::ReadDirectory(int directory, Reading* reading) {
  const absl::StatusOr<std::vector<std::string>> names = ListManifests(directory);
  if (!names.ok()) {
    reading->complete = false;
    reading->findings.push_back(PathFinding(path_, std::string(names.status().message())));
    return;
  }
  if (names->size() > kManifestFilesMax) {
    reading->complete = false;
    reading->findings.push_back(
        PathFinding(path_, absl::StrCat(names->size(), " manifests > ", kManifestFilesMax,
                                        "; put several objects into one file")));
    return;
  }
  absl::flat_hash_map<std::string, CachedFile> used;
  size_t bytes_left = kManifestTotalBytesMax;
  for (const std::string& name : *names) {
    const std::string file = absl::StrCat(path_, absl::EndsWith(path_, "/") ? "" : "/", name);
    CachedFile& cached = used[file];
    if (const auto known = cache_.find(file); known != cache_.end()) {
      cached = std::move(known->second);
    }
    reading->files.push_back(ReadFile(file, &bytes_left, &cached));
  }
  cache_ = std::move(used);
}

void ManifestReader::CheckReplaced(const DirectoryIdentity& identity, absl::Duration now,
                                   Reading* reading) {
  if (!reading->complete) return;
  if (!identity_.has_value() || (identity == *identity_ && !was_missing_)) {
    identity_ = identity;
    replacement_.reset();
    return;
  }
  if (replacement_ != identity) {
    replacement_ = identity;
    replaced_at_ = now;
  }
  if (reading->files.empty()) {
    reading->complete = false;
    reading->findings.push_back(PathFinding(
        path_,
        "is an empty directory now, and another one than the manifests in force came from; they "
        "stay in force: put manifests there, or one with only a comment to say that nothing is "
        "wanted"));
  } else if (now - replaced_at_ < kReplacedSettle) {
    reading->complete = false;
  } else {
    identity_ = identity;
    was_missing_ = false;
    replacement_.reset();
  }
}

ManifestReader::DirectoryIdentity ManifestReader::IdentityOf(int directory) {
  struct statx status = {};
  ::statx(directory, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &status);
  DirectoryIdentity identity;
  identity.device = (uint64_t{status.stx_dev_major} << 32) | status.stx_dev_minor;
  identity.inode = status.stx_ino;
  if ((status.stx_mask & STATX_BTIME) != 0) {
    identity.born_ns = status.stx_btime.tv_sec * 1'000'000'000 + status.stx_btime.tv_nsec;
  }
  return identity;
}

std::shared_ptr<const DecodeResult> ManifestReader::ReadFile(const std::string& file,
                                                             size_t* bytes_left,
                                                             CachedFile* cached) {
  absl::StatusOr<std::string> text = ReadWhole(file, kManifestBytesMax);
  if (!text.ok()) {
    return std::make_shared<const DecodeResult>(
        UnreadableFile(file, std::string(text.status().message())));
  }
  if (text->size() > *bytes_left) {
    return std::make_shared<const DecodeResult>(UnreadableFile(
        file, absl::StrCat("the files before this one and this one have more than ",
                           kManifestTotalBytesMax, " bytes; remove what is not needed")));
  }
  *bytes_left -= text->size();
  if (cached->decoded == nullptr || cached->text != *text) {
    cached->text = *std::move(text);
    cached->decoded = std::make_shared<const DecodeResult>(
        DecodeManifests(cached->text, file, &cached->documents, origin_));
  }
  return cached->decoded;
}

}  // namespace fairlead::source
