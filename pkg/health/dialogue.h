// Dialogue: what is said to a real server and how its answer is judged. Pure: bytes in, verdict
// out.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "pkg/health/probe.h"

namespace fairlead::health {

// An answer is judged by its first 4,096 bytes: a status line or a banner is far shorter, and a
// server that talks without end cannot cost more than this.
inline constexpr size_t kAnswerBytesMax = 4096;

class Dialogue {
 public:
  virtual ~Dialogue() = default;

  // Sent first; may be empty.
  virtual absl::string_view request() const = 0;
  // `received` is what came so far, never empty. Nothing = more is needed; with `complete` (the
  // server closed, the buffer is full or time is up) there is always an outcome.
  virtual std::optional<ProbeOutcome> Judge(absl::string_view received, bool complete) const = 0;
};

}  // namespace fairlead::health
