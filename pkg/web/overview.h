// Overview: the page's picture of the daemon, made of the view at most twice a second however many
// pages look at it, and sent as what has changed. Thread-safe.
//
//   {"epoch": "...", "revision": 7, "full": false, "now": "...", "entries": [
//     {"id": "meta", ...}, {"id": "events", ...}, {"id": "findings", ...},
//     {"id": "v default/web", ...}, {"id": "s default/web srv-1", "vip": "v default/web", ...}]}
//
// A page asks with the epoch and the revision that it has; another epoch (a restart) brings
// everything anew. Why not server-sent events: each stream would hold a thread for as long as a
// page is open; a question every two seconds holds none, and costs next to nothing when nothing
// has changed.
#pragma once

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "pkg/admin/backend.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/web/board.h"

namespace fairlead::web {

class Overview {
 public:
  // `clock` outlives it.
  Overview(const admin::AdminBackend& backend, const base::Clock& clock);

  // JSON as above. `epoch` and `seen` as an earlier answer told; "" and 0 for everything.
  std::string Answer(absl::string_view epoch, uint64_t seen);
  // Something was changed: the next answer looks anew.
  void Expire();

 private:
  void Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const admin::AdminBackend& backend_;
  const base::Clock& clock_;
  const std::string epoch_;
  base::Mutex mutex_;
  Board board_ ABSL_GUARDED_BY(mutex_);
  absl::Duration refreshed_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

}  // namespace fairlead::web
