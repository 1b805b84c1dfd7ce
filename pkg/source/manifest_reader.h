// Reads manifests from the disk: one file, or every *.yaml, *.yml and *.json of a directory (not
// its subdirectories, not hidden files), by name. Symbolic links are followed, so that a mounted
// ConfigMap works. Used on one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pkg/source/manifest_store.h"

namespace fairlead::source {

// Of one directory. Further files and bytes are refused, so that a wrong path (/, /proc) neither
// fills the memory nor takes for ever.
inline constexpr size_t kManifestFilesMax = 4096;
inline constexpr size_t kManifestTotalBytesMax = 64 << 20;

// Whether a directory's entry of this name is read.
bool IsManifestName(absl::string_view name);

// How long a directory that took the place of another one is given to be filled.
inline constexpr absl::Duration kReplacedSettle = absl::Seconds(2);

class ManifestReader {
 public:
  explicit ManifestReader(std::string path, Origin origin = Origin::kFiles)
      : path_(std::move(path)), origin_(origin) {}

  // Never fails: what could not be read is told in the findings and leaves the reading or the file
  // incomplete. Files whose text is unchanged are not decoded again. `now` is monotonic.
  Reading Read(absl::Duration now);

  const std::string& path() const { return path_; }

 private:
  // Inode numbers are used again; the time of birth tells two directories with one number apart.
  struct DirectoryIdentity {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t born_ns = 0;  // 0 where the file system does not know it (statx(2))
    friend bool operator==(const DirectoryIdentity&, const DirectoryIdentity&) = default;
  };
  static DirectoryIdentity IdentityOf(int directory);

  struct CachedFile {
    std::string text;
    DocumentCache documents;
    std::shared_ptr<const DecodeResult> decoded;
  };

  std::shared_ptr<const DecodeResult> ReadFile(const std::string& file, size_t* bytes_left,
                                               CachedFile* cached);
  void ReadDirectory(int directory, Reading* reading);
  // Another directory in place of the one that had manifests may still be filled: what it lacks
  // counts as deleted kReplacedSettle later only. While it is empty (an unmounted volume?) it is
  // no wish for nothing.
  void CheckReplaced(const DirectoryIdentity& identity, absl::Duration now, Reading* reading);

  const std::string path_;
  const Origin origin_;
  absl::flat_hash_map<std::string, CachedFile> cache_;
  std::optional<DirectoryIdentity> identity_;  // of the directory of the manifests in force
  bool was_missing_ = false;                   // since the last reading of that directory
  std::optional<DirectoryIdentity> replacement_;
  absl::Duration replaced_at_;
};

}  // namespace fairlead::source
