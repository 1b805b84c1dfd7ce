#include "pkg/net/port_set.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace fairlead::net {
namespace {

constexpr uint16_t kPortMax = 65535;

std::string Quoted(absl::string_view item) {
  return absl::StrCat("\"", absl::CHexEscape(item.substr(0, 32)), "\"");
}

absl::StatusOr<uint16_t> ParsePort(absl::string_view text, absl::string_view item) {
  const bool digits_only =
      !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  if (!digits_only) {
    return absl::InvalidArgumentError(
        absl::StrCat("port ", Quoted(item), " is not a number or a range a-b"));
  }
  uint32_t port = 0;
  if (text.size() > 9 || !absl::SimpleAtoi(text, &port) || port > kPortMax) {
    return absl::InvalidArgumentError(absl::StrCat("port ", Quoted(item), " > 65535"));
  }
  if (port == 0) {
    return absl::InvalidArgumentError(absl::StrCat("port ", Quoted(item), ": 0 is not a port"));
  }
  return static_cast<uint16_t>(port);
}

}  // namespace

absl::StatusOr<PortRange> PortSet::ParseItem(absl::string_view item) {
  item = absl::StripAsciiWhitespace(item);
  if (item.empty()) return absl::InvalidArgumentError("empty item in the port list");
  const size_t dash = item.find('-');
  const absl::string_view first_text = absl::StripAsciiWhitespace(item.substr(0, dash));
  const absl::StatusOr<uint16_t> first = ParsePort(first_text, item);
  if (!first.ok()) return first.status();
  if (dash == absl::string_view::npos) return PortRange{*first, *first};
  const absl::string_view last_text = absl::StripAsciiWhitespace(item.substr(dash + 1));
  const absl::StatusOr<uint16_t> last = ParsePort(last_text, item);
  if (!last.ok()) return last.status();
  if (*first > *last) {
    return absl::InvalidArgumentError(
        absl::StrCat("port range ", Quoted(item), " is reversed; write ", *last, "-", *first));
  }
  return PortRange{*first, *last};
}

absl::StatusOr<PortSet> PortSet::Parse(absl::string_view text) {
  PortSet set;
  if (absl::StripAsciiWhitespace(text) == "*") {
    set.Add({1, kPortMax});
    return set;
  }
  std::vector<PortRange> items;
  for (const absl::string_view item : absl::StrSplit(text, ',')) {
    const absl::StatusOr<PortRange> range = ParseItem(item);
    if (!range.ok()) return range.status();
    items.push_back(*range);
  }
  return FromRanges(std::move(items));
}

PortSet PortSet::FromRanges(std::vector<PortRange> ranges) {
  // Sorted first, so that each Add appends: a list of 32 k items stays linear.
  std::sort(ranges.begin(), ranges.end(),
            [](const PortRange& a, const PortRange& b) { return a.first < b.first; });
  PortSet set;
  for (const PortRange& range : ranges) set.Add(range);
  return set;
}

void PortSet::Add(PortRange range) {
  // The first kept range that touches or follows `range`; widened sums avoid wrapping at 65535.
  auto begin = std::lower_bound(ranges_.begin(), ranges_.end(), range,
                                [](const PortRange& kept, const PortRange& added) {
                                  return int{kept.last} + 1 < int{added.first};
                                });
  auto end = begin;
  while (end != ranges_.end() && int{end->first} <= int{range.last} + 1) {
    range.first = std::min(range.first, end->first);
    range.last = std::max(range.last, end->last);
    ++end;
  }
  begin = ranges_.erase(begin, end);
  ranges_.insert(begin, range);
}

void PortSet::Add(const PortSet& other) {
  for (const PortRange& range : other.ranges_) Add(range);
}

bool PortSet::Contains(uint16_t port) const {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), port,
                                      [](uint16_t p, const PortRange& r) { return p < r.first; });
  return after != ranges_.begin() && port <= std::prev(after)->last;
}

bool PortSet::Intersects(const PortSet& other) const { return !Intersection(other).empty(); }

PortSet PortSet::Intersection(const PortSet& other) const {
  PortSet common;
  auto mine = ranges_.begin();
  auto theirs = other.ranges_.begin();
  while (mine != ranges_.end() && theirs != other.ranges_.end()) {
    const uint16_t first = std::max(mine->first, theirs->first);
    const uint16_t last = std::min(mine->last, theirs->last);
    if (first <= last) common.ranges_.push_back({first, last});
    if (mine->last < theirs->last) {
      ++mine;
    } else {
      ++theirs;
    }
  }
  return common;
}

bool PortSet::is_all() const { return ranges_.size() == 1 && count() == kPortMax; }

size_t PortSet::count() const {
  size_t ports_count = 0;
  for (const PortRange& range : ranges_) ports_count += range.last - range.first + 1;
  return ports_count;
}

std::vector<uint16_t> PortSet::ToPorts() const {
  std::vector<uint16_t> ports;
  ports.reserve(count());
  for (const PortRange& range : ranges_) {
    for (int port = range.first; port <= range.last; ++port) {
      ports.push_back(static_cast<uint16_t>(port));
    }
  }
  return ports;
}

std::string PortSet::ToString() const {
  if (is_all()) return "*";
  std::string text;
  for (const PortRange& range : ranges_) {
    absl::StrAppend(&text, text.empty() ? "" : ",", range.first);
    if (range.last != range.first) {
      absl::StrAppend(&text, range.last == range.first + 1 ? "," : "-", range.last);
    }
  }
  return text;
}

}  // namespace fairlead::net
