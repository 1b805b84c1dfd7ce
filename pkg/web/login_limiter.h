// LoginLimiter: how often passwords may be tried. Thread-safe.
//
//   one client    5 wrong passwords in a row are free; each further one doubles its wait, from 2 s
//                 to 5 min. A client is an IPv4 address or an IPv6 /64.
//   all together  60 wrong ones within a minute: those who have not signed in from their address
//                 wait for the next minute. Whoever has may go on, so that a flood of guesses locks
//                 no operator out; sessions and the command line never depend on this.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/controller/view.h"

namespace fairlead::web {

class LoginLimiter {
 public:
  static constexpr int kFreeFailures = 5;
  static constexpr absl::Duration kFirstWait = absl::Seconds(2);
  static constexpr absl::Duration kLongestWait = absl::Minutes(5);
  static constexpr int kFailuresPerMinute = 60;
  // A client without a failure for so long starts anew.
  static constexpr absl::Duration kForgottenAfter = absl::Minutes(15);
  static constexpr size_t kClientsMax = 4096;  // the one that tried longest ago makes room

  // `clock` outlives it.
  explicit LoginLimiter(const base::Clock& clock) : clock_(clock) {}

  // How long the client must still wait before its next try; 0 = it may try.
  absl::Duration WaitOf(const net::IpAddress& client);
  void Failed(const net::IpAddress& client);
  void Succeeded(const net::IpAddress& client);

 private:
  struct Entry {
    int failures = 0;
    absl::Duration tried;      // its last try
    absl::Duration may_again;  // when it may try again
    bool known = false;        // it has signed in
  };

  Entry& EntryOf(const net::IpAddress& client) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const base::Clock& clock_;
  base::Mutex mutex_;
  absl::flat_hash_map<net::IpAddress, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  absl::Duration minute_begun_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  int failures_of_minute_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace fairlead::web
