#include "pkg/web/board.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::web {

bool Board::HasSameLayout(const std::vector<Entry>& entries) const {
  return std::equal(entries.begin(), entries.end(), entries_.begin(), entries_.end(),
                    [](const Entry& left, const Entry& right) { return left.id == right.id; });
}

void Board::Update(std::vector<Entry> entries) {
  const uint64_t next = revision_ + 1;
  const bool same_layout = revision_ > 0 && HasSameLayout(entries);
  bool changed = !same_layout;
  for (size_t i = 0; i < entries.size(); ++i) {
    const bool same = same_layout && entries[i].text == entries_[i].text;
    entries[i].changed = same ? entries_[i].changed : next;
    changed = changed || !same;
  }
  if (!changed) return;
  entries_ = std::move(entries);
  revision_ = next;
  if (!same_layout) layout_ = next;
}

std::string Board::ChangedSince(uint64_t seen) const {
  const bool all = NeedsAll(seen);
  std::string text = "[";
  for (const Entry& entry : entries_) {
    if (!all && entry.changed <= seen) continue;
    absl::StrAppend(&text, text.size() == 1 ? "" : ",", entry.text);
  }
  text += ']';
  return text;
}

}  // namespace fairlead::web
