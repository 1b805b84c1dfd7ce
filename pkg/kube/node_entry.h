// NodeEntry: what a daemon says of a VIP in the VIP's status.nodes, and its JSON. Values.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "pkg/kube/reflector.h"

namespace fairlead::kube {

// The bounds of crds/vips.yaml.
inline constexpr size_t kEntryServersMax = 64;
inline constexpr size_t kEntryReasonBytesMax = 256;
inline constexpr size_t kEntryMessageBytesMax = 1024;

struct NodeEntry {
  struct Address {
    std::string address;
    std::string interface;  // "" = none has it
  };
  struct Server {
    std::string name;
    std::string state;   // "Online", "Drain", "Halt"
    std::string health;  // "Unknown", "Up", "Down"
    std::string reason;
  };

  int64_t observed_generation = 0;
  bool programmed = false;
  std::string reason;   // one word: "Applied"
  std::string message;  // a sentence; ""
  std::string engine;
  std::vector<Address> addresses;
  uint64_t servers_ready = 0;
  uint64_t servers_total = 0;
  std::vector<Server> servers_not_ready;  // by name; further ones than the bound are left out
};

// Texts are cut to the bounds, and made valid UTF-8.
nlohmann::json EntryJson(absl::string_view node, const NodeEntry& entry);

// The entry of `node` in a VIP as it was sent; null when there is none.
nlohmann::json OwnEntry(const nlohmann::json& vip, absl::string_view node);

// Whether both say the same of everything but the reasons of single servers, whose words hold
// figures that change all the time.
bool DifferInWordsAlone(const nlohmann::json& left, const nlohmann::json& right);

// At most `bytes_max` bytes, cut between two characters; what is no UTF-8 becomes "?".
std::string CutText(absl::string_view text, size_t bytes_max);

}  // namespace fairlead::kube
