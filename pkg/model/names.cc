#include "pkg/model/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "pkg/model/suggestion.h"

namespace fairlead::model {
namespace {

constexpr size_t kNameBytesMax = 253;
constexpr size_t kLabelBytesMax = 63;

bool IsLowerAlnum(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); }

// RFC 1123 §2.1: letters, digits and '-', neither first nor last.
bool IsDnsLabel(absl::string_view text) {
  return !text.empty() && IsLowerAlnum(text.front()) && IsLowerAlnum(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return IsLowerAlnum(c) || c == '-'; });
}

bool IsSubdomain(absl::string_view text) {
  if (text.empty() || text.size() > kNameBytesMax) return false;
  for (const absl::string_view label : absl::StrSplit(text, '.')) {
    if (!IsDnsLabel(label)) return false;
  }
  return true;
}

bool IsLabelName(absl::string_view text) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= kLabelBytesMax && absl::ascii_isalnum(text.front()) &&
         absl::ascii_isalnum(text.back()) && std::all_of(text.begin(), text.end(), allowed);
}

// "Paragon_SRV_1" -> "paragon-srv-1": what the user most likely means; "" when even that is none.
std::string SuggestName(absl::string_view text) {
  std::string name = absl::AsciiStrToLower(text);
  for (char& c : name) {
    if (c == '_' || c == ' ') c = '-';
  }
  return IsSubdomain(name) ? name : "";
}

}  // namespace

std::string NameProblem(absl::string_view text) {
  if (text.empty()) return "must not be empty";
  if (IsSubdomain(text)) return "";
  if (text.size() > kNameBytesMax) {
    return absl::StrCat(Quoted(text), " has ", text.size(), " bytes; a name has at most ",
                        kNameBytesMax);
  }
  const std::string suggestion = SuggestName(text);
  return absl::StrCat(Quoted(text),
                      " is not a name: use lower-case letters, digits, \"-\" and \".\", with a "
                      "letter or digit at both ends (RFC 1123)",
                      suggestion.empty() ? "" : absl::StrCat("; write ", Quoted(suggestion)));
}

std::string NamespaceProblem(absl::string_view text) {
  if (IsDnsLabel(text) && text.size() <= kLabelBytesMax) return "";
  return absl::StrCat(Quoted(text),
                      " is not a namespace: use 1 to 63 lower-case letters, digits and \"-\", with "
                      "a letter or digit at both ends (RFC 1123)");
}

std::string LabelKeyProblem(absl::string_view text) {
  const size_t slash = text.find('/');
  const absl::string_view name = slash == absl::string_view::npos ? text : text.substr(slash + 1);
  const bool prefix_ok = slash == absl::string_view::npos || IsSubdomain(text.substr(0, slash));
  if (prefix_ok && IsLabelName(name)) return "";
  return absl::StrCat(Quoted(text),
                      " is not a label key: use [DNS-NAME/]NAME, where NAME is 1 to 63 letters, "
                      "digits, \"-\", \"_\" and \".\", with a letter or digit at both ends");
}

std::string LabelValueProblem(absl::string_view text) {
  if (text.empty() || IsLabelName(text)) return "";
  return absl::StrCat(Quoted(text),
                      " is not a label value: use at most 63 letters, digits, \"-\", \"_\" and "
                      "\".\", with a letter or digit at both ends");
}

}  // namespace fairlead::model
