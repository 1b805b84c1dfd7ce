#include "pkg/model/names.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
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

std::string HostNameProblem(absl::string_view text) {
  const absl::string_view name = absl::StripSuffix(text, ".");
  const std::vector<absl::string_view> labels = absl::StrSplit(name, '.');
  const bool labels_ok = std::all_of(labels.begin(), labels.end(), [](absl::string_view label) {
    return label.size() <= kLabelBytesMax && IsDnsLabel(absl::AsciiStrToLower(label));
  });
  const bool is_number =
      std::all_of(labels.back().begin(), labels.back().end(), absl::ascii_isdigit);
  if (labels_ok && !is_number && name.size() <= kNameBytesMax) return "";
  return absl::StrCat(
      Quoted(text),
      " is neither an IP address nor a host name: labels of 1 to 63 letters, digits "
      "and \"-\" with dots between them, the last one not a number (RFC 1123)");
}

std::string NamespaceProblem(absl::string_view text) {
  if (IsDnsLabel(text) && text.size() <= kLabelBytesMax) return "";
  return absl::StrCat(Quoted(text),
                      " is not a namespace: use 1 to 63 lower-case letters, digits and \"-\", with "
                      "a letter or digit at both ends (RFC 1123)");
}

std::string ServiceNameProblem(absl::string_view text) {
  if (IsDnsLabel(text) && text.size() <= kLabelBytesMax && absl::ascii_islower(text.front())) {
    return "";
  }
  return absl::StrCat(Quoted(text),
                      " is not the name of a Service: use 1 to 63 lower-case letters, digits and "
                      "\"-\", with a letter at the begin and no \"-\" at the end (RFC 1035)");
}

std::string PortNameProblem(absl::string_view text) {
  const bool has_letter = std::any_of(text.begin(), text.end(), absl::ascii_islower);
  if (IsDnsLabel(text) && text.size() <= kLabelBytesMax && has_letter) return "";
  return absl::StrCat(Quoted(text),
                      " is not the name of a port: use 1 to 63 lower-case letters, digits and "
                      "\"-\", at least one of them a letter, or write the number without quotes");
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
