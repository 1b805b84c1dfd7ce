#include "pkg/kube/line_splitter.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace fairlead::kube {
namespace {

bool Hand(absl::string_view line, LineSplitter::OnLine on_line) {
  line = absl::StripSuffix(line, "\r");
  return line.empty() || on_line(line);
}

}  // namespace

bool LineSplitter::Add(absl::string_view data, OnLine on_line) {
  while (!data.empty()) {
    const size_t end = data.find('\n');
    const absl::string_view part = data.substr(0, end);
    if (begun_.size() + part.size() > line_bytes_max_) {
      overflowed_ = true;
      return false;
    }
    if (end == absl::string_view::npos) {
      absl::StrAppend(&begun_, part);
      return true;
    }
    data.remove_prefix(end + 1);
    if (begun_.empty()) {
      if (!Hand(part, on_line)) return false;
      continue;
    }
    absl::StrAppend(&begun_, part);
    const bool wants_more = Hand(begun_, on_line);
    begun_.clear();
    if (!wants_more) return false;
  }
  return true;
}

void LineSplitter::End(OnLine on_line) {
  Hand(begun_, on_line);
  begun_.clear();
}

}  // namespace fairlead::kube
