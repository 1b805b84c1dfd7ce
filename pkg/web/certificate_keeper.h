// CertificateKeeper: the certificate in use: read from tls.crt and tls.key of a directory, read
// again when those change, and made there when they are absent. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/web/certificate.h"

namespace fairlead::web {

struct CertificateOptions {
  std::string directory;           // holds tls.crt (PEM, the leaf first) and tls.key
  bool make = false;               // when they are absent, and anew before ours runs out
  std::vector<std::string> names;  // of a made one
  std::vector<net::IpAddress> addresses;
};

class CertificateKeeper {
 public:
  // A new pair of files is in use so long after it was written, at most.
  static constexpr absl::Duration kLookInterval = absl::Seconds(2);
  // A made one is made anew so long before it runs out.
  static constexpr absl::Duration kRenewBefore = absl::Hours(24 * 30);

  // Error: the files cannot be read or understood, or cannot be made. `clock` outlives it.
  static absl::StatusOr<std::unique_ptr<CertificateKeeper>> Create(CertificateOptions options,
                                                                   const base::Clock& clock);

  // The newest good one. Files that are broken, or only half replaced, are logged once, and the
  // last good pair stays.
  Certificate Current();

 private:
  // What tells that a file is another one than before.
  struct Stamp {
    int64_t changed_ns = 0;
    uint64_t inode = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  struct Stamps {
    Stamp chain;
    Stamp key;
    friend bool operator==(const Stamps&, const Stamps&) = default;
  };

  CertificateKeeper(CertificateOptions options, const base::Clock& clock)
      : options_(std::move(options)), clock_(clock) {}

  std::string ChainPath() const { return options_.directory + "/tls.crt"; }
  std::string KeyPath() const { return options_.directory + "/tls.key"; }
  Stamps LookAtFiles() const;
  absl::Status Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Make() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const CertificateOptions options_;
  const base::Clock& clock_;
  base::Mutex mutex_;
  Certificate current_ ABSL_GUARDED_BY(mutex_);
  Stamps read_ ABSL_GUARDED_BY(mutex_);        // of the files that current_ is from
  Stamps complained_ ABSL_GUARDED_BY(mutex_);  // of the files that were broken
  absl::Duration looked_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
};

}  // namespace fairlead::web
