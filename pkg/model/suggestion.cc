#include "pkg/model/suggestion.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fairlead::model {
namespace {

constexpr size_t kQuotedBytesMax = 64;
// Longer words are never a slip of a word of ours; keeps the distance cheap on hostile input.
constexpr size_t kWordBytesMax = 64;
constexpr size_t kChangesMax = 3;
constexpr size_t kPrefixBytesMin = 4;

// Levenshtein distance, ignoring case, in one row of the table.
size_t EditDistance(absl::string_view left, absl::string_view right) {
  std::vector<size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < left.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < right.size(); ++j) {
      const bool same = absl::ascii_tolower(left[i]) == absl::ascii_tolower(right[j]);
      const size_t replaced = diagonal + (same ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

absl::string_view NearestWord(absl::string_view text,
                              absl::Span<const absl::string_view> candidates) {
  if (text.empty() || text.size() > kWordBytesMax) return "";
  absl::string_view nearest;
  size_t nearest_changes = std::min(kChangesMax, (text.size() + 2) / 3) + 1;
  absl::string_view completed;
  for (const absl::string_view candidate : candidates) {
    if (absl::EqualsIgnoreCase(text, candidate)) return candidate;
    const size_t changes = EditDistance(text, candidate);
    if (changes < nearest_changes) {
      nearest = candidate;
      nearest_changes = changes;
    }
    const bool starts = text.size() >= kPrefixBytesMin && candidate.size() > text.size() &&
                        EditDistance(text, candidate.substr(0, text.size())) <= 1;
    if (completed.empty() && starts) completed = candidate;
  }
  return nearest.empty() ? completed : nearest;
}

std::string DidYouMean(absl::string_view text, absl::Span<const absl::string_view> candidates) {
  const absl::string_view nearest = NearestWord(text, candidates);
  return nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?");
}

std::string Printable(absl::string_view text, size_t bytes_max) {
  const bool cut = text.size() > bytes_max;
  if (cut) {
    text = text.substr(0, bytes_max);
    // Not in the middle of a UTF-8 sequence (RFC 3629 §3: continuation bytes are 10xxxxxx).
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80) != 0) {
      const bool leads = (static_cast<unsigned char>(text.back()) & 0x40) != 0;
      text.remove_suffix(1);
      if (leads) break;
    }
  }
  std::string printable;
  for (const char c : text) {
    const bool control = absl::ascii_iscntrl(static_cast<unsigned char>(c));
    if (control || c == '"' || c == '\\') {
      printable.append(absl::CHexEscape(absl::string_view(&c, 1)));
    } else {
      printable.push_back(c);
    }
  }
  if (cut) printable.append("...");
  return printable;
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", Printable(text, kQuotedBytesMax), "\"");
}

}  // namespace fairlead::model
