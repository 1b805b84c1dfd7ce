// DirectoryClaim: one directory in bpffs is one daemon's. Who lives holds a lock on it (flock(2),
// which ends with the process, and is seen from every container); who wrote what is pinned there is
// noted in it, beyond the life of the process:
//
//   <directory>/owner -> "id=<device>:<inode of the state directory> pid=.. state=<its path>"
//
// A symbolic link, because a bpffs holds no files to write into. One thread.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::dataplane::dr {

class DirectoryClaim {
 public:
  // `takeover`: the process that this one takes over may go on in the directory meanwhile.
  DirectoryClaim(std::string directory, std::string state_directory, bool takeover);

  // What is pinned in the directory, which exists, is this daemon's to change from here on. Errors,
  // which name the other daemon and what to do: FailedPrecondition - another one runs in it;
  // Unavailable - another one's was left there less than kStrangerTime ago, and it may come back.
  absl::Status Claim(absl::Duration now);
  // What a daemon that ended left belongs to whoever asks for it so long in vain: a container that
  // was made anew has a new state directory.
  static constexpr absl::Duration kStrangerTime = absl::Seconds(60);

  // During a takeover: holds the directory as soon as the other process has let it go. To be called
  // every few seconds.
  void Renew();

  // Whether what is pinned there is this daemon's own, or of nobody known, so that it may be
  // removed. Holds the directory then, until Release. Error: Unavailable - the process that is
  // taken over still has it; ask again.
  absl::StatusOr<bool> ClaimForRemoval();

  // Another process may have it from here on; what is pinned stays.
  void Release();

  static constexpr char kNoteName[] = "owner";

 private:
  struct Note {
    std::string id;
    std::string pid;
    std::string state_directory;
    friend bool operator==(const Note&, const Note&) = default;
  };

  Note OwnNote() const;
  Note ReadNote() const;  // empty: there is none
  bool IsOwn(const Note& note) const;
  // False: another process has it, or nobody may.
  bool Lock();
  absl::Status WriteNote() const;

  const std::string directory_;
  const std::string state_directory_;
  const bool takeover_;
  base::UniqueFd lock_;  // held while it is valid
  Note stranger_;        // whose directory this one waits for
  absl::Duration stranger_since_;
};

}  // namespace fairlead::dataplane::dr
