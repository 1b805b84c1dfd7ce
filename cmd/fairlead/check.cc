#include "cmd/fairlead/check.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cmd/fairlead/admin_address.h"
#include "cmd/fairlead/table.h"
#include "pkg/base/counted.h"
#include "pkg/source/file_source.h"

namespace fairlead::cmd {
namespace {

using base::Counted;
using model::DesiredState;
using model::Finding;
using model::Severity;

constexpr FlagSpec kCheckFlags[] = {
    {"output", "text|json", "default text"},
    {"admin", "ADDR:PORT", "as of `fairlead run`; default the Node object's or 127.0.0.1:9080"},
    {"kubernetes", "",
     "the manifests are for kubectl apply: address pools and Services may be named"},
};

size_t CountOf(const DesiredState& desired, Severity severity) {
  return static_cast<size_t>(
      std::count_if(desired.findings.begin(), desired.findings.end(),
                    [severity](const Finding& finding) { return finding.severity == severity; }));
}

const char* SeverityName(Severity severity) {
  return severity == Severity::kError ? "error" : "warning";
}

std::string FindingLine(const Finding& finding, bool colour) {
  const std::string place = finding.location.ToString();
  const bool is_error = finding.severity == Severity::kError;
  std::string rest = finding.object;
  for (const std::string* part : {&finding.field, &finding.message}) {
    if (!part->empty()) absl::StrAppend(&rest, rest.empty() ? "" : ": ", *part);
  }
  return absl::StrCat(
      Styled(place, Style::kBold, colour), place.empty() ? "" : ": ",
      Styled(SeverityName(finding.severity), is_error ? Style::kBad : Style::kWarning, colour),
      ": ", Styled(rest, Style::kPlain, colour), "\n");
}

template <typename T>
nlohmann::ordered_json NamesOf(const std::vector<T>& objects) {
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (const T& object : objects) names.push_back(object.id.QualifiedName());
  return names;
}

}  // namespace

const CommandSpec kCheckSpec = {"check",
                                "PATH [--output text|json] [--admin ADDR:PORT] [--kubernetes]",
                                "Validates the manifests of a file or a directory; exit 1 when "
                                "one has an error.",
                                kCheckFlags};

std::string CheckText(const DesiredState& desired, bool colour) {
  std::string text;
  for (const Finding& finding : desired.findings) text += FindingLine(finding, colour);
  const size_t errors_count = CountOf(desired, Severity::kError);
  const size_t warnings_count = CountOf(desired, Severity::kWarning);
  absl::StrAppend(
      &text, Counted(desired.vips.size(), "VIP"), ", ",
      Counted(desired.real_servers.size(), "real server"), ", ",
      Styled(Counted(errors_count, "error"), errors_count > 0 ? Style::kBad : Style::kGood, colour),
      ", ",
      Styled(Counted(warnings_count, "warning"),
             warnings_count > 0 ? Style::kWarning : Style::kGood, colour),
      "\n");
  return text;
}

std::string CheckJson(const DesiredState& desired) {
  nlohmann::ordered_json findings = nlohmann::ordered_json::array();
  for (const Finding& finding : desired.findings) {
    findings.push_back({{"severity", SeverityName(finding.severity)},
                        {"file", finding.location.file},
                        {"line", finding.location.line},
                        {"column", finding.location.column},
                        {"object", finding.object},
                        {"field", finding.field},
                        {"message", finding.message}});
  }
  const nlohmann::ordered_json report = {{"vips", NamesOf(desired.vips)},
                                         {"realServers", NamesOf(desired.real_servers)},
                                         {"errors", CountOf(desired, Severity::kError)},
                                         {"warnings", CountOf(desired, Severity::kWarning)},
                                         {"findings", std::move(findings)}};
  // File names may be no UTF-8; JSON must be.
  return report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

int RunCheck(absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(kCheckSpec, arguments);
  if (parsed.code >= 0) return parsed.code;
  const std::vector<std::string>& paths = parsed.flags.positional();
  if (paths.size() != 1) {
    return UsageError(kCheckSpec, paths.empty()
                                      ? "the PATH of a manifest or of a directory is missing"
                                      : "one PATH at a time; put the manifests into one "
                                        "directory to check them together");
  }
  const std::string output = parsed.flags.Get("output", "text");
  if (output != "text" && output != "json") {
    return UsageError(kCheckSpec, "--output must be text or json");
  }
  source::FileSourceOptions options;
  if (parsed.flags.Has(kAdminFlag.name)) {
    const auto admin = ParseAdminAddress(parsed.flags.Get(kAdminFlag.name));
    if (!admin.ok()) return UsageError(kCheckSpec, admin.status().message());
    options.admin = *admin;
  }
  if (parsed.flags.Has("kubernetes")) options.origin = source::Origin::kCluster;
  const std::shared_ptr<const DesiredState> desired = source::ReadOnce(paths.front(), options);
  absl::PrintF("%s",
               output == "json" ? CheckJson(*desired) : CheckText(*desired, StdoutTakesColour()));
  return CountOf(*desired, Severity::kError) > 0 ? kExitFailure : kExitOk;
}

}  // namespace fairlead::cmd
