// Board: what the overview shows, as entries with a number that says when each changed last, so
// that a page is sent only what it has not seen. Single-threaded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairlead::web {

class Board {
 public:
  struct Entry {
    std::string id;    // unique
    std::string text;  // JSON
    uint64_t changed = 0;
  };

  // `entries` is all there is, in the order of the page; their `changed` is filled in here.
  void Update(std::vector<Entry> entries);
  uint64_t revision() const { return revision_; }
  // Whether who has seen `seen` needs everything anew: entries came, went or changed places.
  bool NeedsAll(uint64_t seen) const { return seen < layout_ || seen > revision_; }
  // [entry, ...] of those that changed after `seen`; of all when NeedsAll.
  std::string ChangedSince(uint64_t seen) const;

 private:
  bool HasSameLayout(const std::vector<Entry>& entries) const;

  std::vector<Entry> entries_;
  uint64_t revision_ = 0;
  uint64_t layout_ =
      1;  // the revision of the last change of ids or their order; 0 has seen nothing
};

}  // namespace fairlead::web
