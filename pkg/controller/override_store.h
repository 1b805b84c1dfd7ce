// OverrideStore: the states that operators set on this node (`fairlead drain`), kept in
// <state directory>/overrides.json so that they survive a restart.
//
//   {"version": 1, "overrides": [{"vip": "default/dispatcher", "server": "srv-1",
//     "address": "10.10.10.151", "state": "Drain", "manifestState": "Online",
//     "since": "2026-01-02T03:04:05Z"}]}
//
// The file is replaced atomically (write, fsync, rename). Controller thread only.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/model/vip.h"

namespace fairlead::controller {

struct Override {
  // Of the server at that time, as the manifest said: an address or a host name. Another one makes
  // the override void; what a host name resolves to does not matter.
  std::string address;
  model::AdminState state = model::AdminState::kOnline;
  // The manifest's value at that time; when the manifest changes it, the manifest wins.
  model::AdminState manifest_state = model::AdminState::kOnline;
  absl::Time since;

  friend bool operator==(const Override&, const Override&) = default;
};

// (VIP's qualified name, server name) -> override.
using Overrides = std::map<std::pair<std::string, std::string>, Override>;

// Servers that left the configuration keep their override (they may come back); this many in all.
inline constexpr size_t kOverridesMax = 16384;

class OverrideStore {
 public:
  // `directory` "" = nothing is kept.
  explicit OverrideStore(std::string directory);

  // Empty when there is no file yet. Errors: the file cannot be read or understood (it is left
  // alone until the next Save).
  absl::StatusOr<Overrides> Load() const;
  // Errors name the file, the cause and the fix. Creates the directory when its parent exists.
  absl::Status Save(const Overrides& overrides) const;
  // Whether Save would work, without changing anything that is kept.
  absl::Status CheckWritable() const;

  const std::string& path() const { return path_; }

 private:
  const std::string directory_;
  const std::string path_;
};

// Pure. The file's text and back; errors name what is wrong.
std::string EncodeOverrides(const Overrides& overrides);
absl::StatusOr<Overrides> DecodeOverrides(const std::string& text);

}  // namespace fairlead::controller
