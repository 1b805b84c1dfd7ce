#include "pkg/source/decode_context.h"

#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "pkg/model/finding_collector.h"
#include "pkg/model/names.h"
#include "pkg/model/suggestion.h"

namespace fairlead::source {
namespace {

using Kind = YamlNode::Kind;

bool AllDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

// [-+]?[0-9]+
bool LooksLikeInteger(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, "-")) absl::ConsumePrefix(&text, "+");
  return AllDigits(text);
}

// YAML 1.2 §10.3.2: [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, and the
// .inf and .nan that nobody should write.
bool LooksLikeNumber(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, "-")) absl::ConsumePrefix(&text, "+");
  if (text.empty()) return false;
  if (absl::EqualsIgnoreCase(text, ".inf") || absl::EqualsIgnoreCase(text, ".nan")) return true;
  double ignored = 0;
  const bool starts_numeric = absl::ascii_isdigit(text.front()) || text.front() == '.';
  const bool numeric_only = text.find_first_not_of("0123456789.eE+-") == absl::string_view::npos;
  return starts_numeric && numeric_only && absl::SimpleAtod(text, &ignored);
}

// The words of YAML 1.1 too, which Kubernetes still reads as booleans.
bool LooksLikeBool(absl::string_view text) {
  for (const absl::string_view word : {"true", "false", "yes", "no", "on", "off", "y", "n"}) {
    if (absl::EqualsIgnoreCase(text, word)) return true;
  }
  return false;
}

bool IsNonString(const YamlNode& node) {
  return node.plain && (LooksLikeNumber(node.text) || LooksLikeBool(node.text));
}

std::nullopt_t Fail(std::string* problem, std::string message) {
  *problem = std::move(message);
  return std::nullopt;
}

// Meant as a name and not as an address, right or wrong.
bool MayBeHostName(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), absl::ascii_isalpha) &&
         text.find_first_of(":/ ") == absl::string_view::npos;
}

std::string MustBe(absl::string_view what, const YamlNode& node) {
  if (node.kind != Kind::kScalar)
    return absl::StrCat("must be ", what, ", not ", DescribeKind(node));
  return absl::StrCat(model::Quoted(node.text), " is not ", what);
}

}  // namespace

void DecodeContext::Error(const YamlNode& at, std::string field, std::string message) {
  if (findings_.size() > kFindingsPerObjectMax) return;
  if (findings_.size() == kFindingsPerObjectMax) {
    message = absl::StrCat("more than ", kFindingsPerObjectMax,
                           " problems in this object; the further ones are not shown");
    field.clear();
  }
  findings_.push_back({model::Severity::kError, object_, LocationOf(at),
                       model::Printable(field, kFieldBytesMax), std::move(message)});
}

std::string DescribeKind(const YamlNode& node) {
  switch (node.kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kSequence:
      return "a list";
    case Kind::kMapping:
      return "a mapping";
    case Kind::kScalar:
      break;
  }
  if (node.plain && LooksLikeNumber(node.text)) return "a number";
  if (node.plain && LooksLikeBool(node.text)) return "a boolean";
  return "a string";
}

std::optional<int64_t> ToInteger(const YamlNode& node, std::string* problem) {
  if (node.kind != Kind::kScalar) return Fail(problem, MustBe("a whole number", node));
  if (!LooksLikeInteger(node.text)) return Fail(problem, MustBe("a whole number", node));
  if (!node.plain) {
    return Fail(problem, absl::StrCat(model::Quoted(node.text),
                                      " is a string; write the number without quotes"));
  }
  // 0100 is 64 to YAML 1.1 and 100 to YAML 1.2.
  const absl::string_view digits = absl::StripPrefix(absl::StripPrefix(node.text, "-"), "+");
  if (digits.size() > 1 && digits.front() == '0') {
    return Fail(problem, absl::StrCat(model::Quoted(node.text),
                                      " is ambiguous (octal or decimal); drop the leading zeros"));
  }
  int64_t value = 0;
  if (!absl::SimpleAtoi(absl::StripPrefix(node.text, "+"), &value)) {
    return Fail(problem, absl::StrCat(model::Quoted(node.text), " is too large a number"));
  }
  return value;
}

std::optional<double> ToNumber(const YamlNode& node, std::string* problem) {
  double value = 0;
  if (node.kind != Kind::kScalar || !LooksLikeNumber(node.text)) {
    return Fail(problem, MustBe("a number of seconds", node));
  }
  if (!node.plain) {
    return Fail(problem, absl::StrCat(model::Quoted(node.text),
                                      " is a string; write the number without quotes"));
  }
  if (!absl::SimpleAtod(absl::StripPrefix(node.text, "+"), &value) || !std::isfinite(value)) {
    return Fail(problem, MustBe("a number of seconds", node));
  }
  return value;
}

std::optional<bool> ToBool(const YamlNode& node, std::string* problem) {
  if (node.kind == Kind::kScalar && node.plain) {
    if (node.text == "true") return true;
    if (node.text == "false") return false;
  }
  return Fail(problem, absl::StrCat(MustBe("a boolean", node), "; write true or false"));
}

std::optional<absl::string_view> ToString(const YamlNode& node, std::string* problem) {
  if (node.kind != Kind::kScalar) return Fail(problem, MustBe("a string", node));
  if (IsNonString(node)) {
    return Fail(problem, absl::StrCat("must be a string, not ", DescribeKind(node),
                                      "; quote it: ", model::Quoted(node.text)));
  }
  return node.text;
}

std::optional<net::IpAddress> ToAddress(const YamlNode& node, std::string* problem) {
  const std::optional<absl::string_view> text = ToString(node, problem);
  if (!text.has_value()) return std::nullopt;
  const absl::StatusOr<net::IpAddress> address = net::IpAddress::Parse(*text);
  if (address.ok()) return *address;
  const size_t slash = text->find('/');
  if (slash != absl::string_view::npos && net::IpAddress::Parse(text->substr(0, slash)).ok()) {
    return Fail(problem, absl::StrCat(model::Quoted(*text), " has a prefix length; write ",
                                      text->substr(0, slash)));
  }
  if (MayBeHostName(*text)) {
    return Fail(problem, absl::StrCat(model::Quoted(*text),
                                      " is a host name, which only real servers can have here; "
                                      "write the IP address"));
  }
  return Fail(problem, std::string(address.status().message()));
}

MapReader::MapReader(DecodeContext& context, const YamlNode& node, std::string path,
                     absl::Span<const absl::string_view> fields)
    : context_(context), node_(node), path_(std::move(path)) {
  if (node_.kind == Kind::kMapping) {
    CheckFields(fields);
  } else if (node_.kind != Kind::kNull) {
    context_.Error(node_, path_, MustBe("a mapping", node_));
  }
}

void MapReader::CheckFields(absl::Span<const absl::string_view> fields) const {
  absl::flat_hash_set<absl::string_view> seen;
  for (const YamlNode& key : node_.keys) {
    if (key.kind != Kind::kScalar) {
      context_.Error(key, path_,
                     absl::StrCat("a field's name must be a word, not ", DescribeKind(key)));
      continue;
    }
    if (!seen.insert(key.text).second) {
      context_.Error(key, PathOf(key.text), "the field is there twice; remove one");
    } else if (std::find(fields.begin(), fields.end(), key.text) == fields.end()) {
      std::string hint = model::DidYouMean(key.text, fields);
      if (hint.empty()) hint = absl::StrCat("; there are ", absl::StrJoin(fields, ", "));
      context_.Error(key, PathOf(key.text), absl::StrCat("unknown field", hint));
    }
  }
}

const YamlNode* MapReader::Find(absl::string_view field) const {
  for (size_t i = 0; i < node_.keys.size(); ++i) {
    if (node_.keys[i].kind != Kind::kScalar || node_.keys[i].text != field) continue;
    return node_.items[i].kind == Kind::kNull ? nullptr : &node_.items[i];
  }
  return nullptr;
}

std::string MapReader::PathOf(absl::string_view field) const {
  return path_.empty() ? std::string(field) : absl::StrCat(path_, ".", field);
}

void MapReader::Error(absl::string_view field, std::string message) const {
  const YamlNode* value = Find(field);
  context_.Error(value == nullptr ? node_ : *value, PathOf(field), std::move(message));
}

void MapReader::RefuseUnsupported(absl::string_view field, absl::string_view what) const {
  if (Find(field) != nullptr) Error(field, model::NotSupportedYet(what));
}

bool MapReader::ReadString(absl::string_view field, std::string* out) const {
  const YamlNode* value = Find(field);
  if (value == nullptr) return false;
  std::string problem;
  const std::optional<absl::string_view> text = ToString(*value, &problem);
  if (!text.has_value()) {
    Error(field, std::move(problem));
    return false;
  }
  *out = std::string(*text);
  return true;
}

bool MapReader::ReadBool(absl::string_view field, bool* out) const {
  const YamlNode* value = Find(field);
  if (value == nullptr) return false;
  std::string problem;
  const std::optional<bool> flag = ToBool(*value, &problem);
  if (!flag.has_value()) {
    Error(field, std::move(problem));
    return false;
  }
  *out = *flag;
  return true;
}

bool MapReader::ReadSeconds(absl::string_view field, const model::Limits<absl::Duration>& limits,
                            absl::Duration* out) const {
  const YamlNode* value = Find(field);
  if (value == nullptr) return false;
  std::string problem;
  const std::optional<double> seconds = ToNumber(*value, &problem);
  if (seconds.has_value() && !limits.Contain(absl::Seconds(*seconds))) {
    problem = absl::StrCat(value->text, " ", model::DescribeLimits(limits));
  }
  if (!problem.empty()) {
    Error(field, std::move(problem));
    return false;
  }
  *out = absl::Seconds(*seconds);
  return true;
}

bool MapReader::ReadAddress(absl::string_view field, net::IpAddress* out) const {
  const YamlNode* value = Find(field);
  if (value == nullptr) return false;
  std::string problem;
  const std::optional<net::IpAddress> address = ToAddress(*value, &problem);
  if (!address.has_value()) {
    Error(field, std::move(problem));
    return false;
  }
  *out = *address;
  return true;
}

bool MapReader::ReadServerAddress(absl::string_view field, model::ServerSpec* out) const {
  const YamlNode* value = Find(field);
  std::string problem;
  const std::optional<absl::string_view> text =
      value == nullptr ? std::nullopt : ToString(*value, &problem);
  if (!text.has_value() || !MayBeHostName(*text)) return ReadAddress(field, &out->address);
  problem = model::HostNameProblem(*text);
  if (!problem.empty()) {
    Error(field, std::move(problem));
    return false;
  }
  // One host has one value, whatever the case; with its last dot it is another name (no search).
  out->host_name = absl::AsciiStrToLower(*text);
  return true;
}

std::optional<int64_t> MapReader::IntegerWithin(absl::string_view field,
                                                const model::Limits<int64_t>& limits) const {
  const YamlNode* value = Find(field);
  if (value == nullptr) return std::nullopt;
  std::string problem;
  const std::optional<int64_t> number = ToInteger(*value, &problem);
  if (number.has_value() && !limits.Contain(*number)) {
    problem = absl::StrCat(*number, " ", model::DescribeLimits(limits));
  }
  if (problem.empty()) return number;
  Error(field, std::move(problem));
  return std::nullopt;
}

std::optional<size_t> MapReader::IndexOfWord(absl::string_view field,
                                             absl::Span<const absl::string_view> words) const {
  const YamlNode* value = Find(field);
  if (value == nullptr) return std::nullopt;
  std::string problem;
  const std::optional<absl::string_view> text = ToString(*value, &problem);
  if (text.has_value()) {
    const auto found = std::find(words.begin(), words.end(), *text);
    if (found != words.end()) return found - words.begin();
    problem = absl::StrCat(model::Quoted(*text), " must be one of ", absl::StrJoin(words, ", "),
                           model::DidYouMean(*text, words));
  }
  Error(field, std::move(problem));
  return std::nullopt;
}

}  // namespace fairlead::source
