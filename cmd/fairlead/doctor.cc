#include "cmd/fairlead/doctor.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cmd/fairlead/table.h"
#include "pkg/base/counted.h"
#include "pkg/doctor/doctor.h"
#include "pkg/source/file_source.h"

namespace fairlead::cmd {
namespace {

using doctor::Finding;
using doctor::Findings;
using doctor::State;

constexpr FlagSpec kDoctorFlags[] = {
    {"config", "PATH", "checks the VIPs of this file or directory too"},
    {"output", "table|json", "default table"},
};

const char* StateName(State state) {
  switch (state) {
    case State::kOk:
      return "ok";
    case State::kWarning:
      return "warning";
    case State::kProblem:
      return "problem";
  }
  return "";
}

Style StyleOf(State state) {
  switch (state) {
    case State::kOk:
      return Style::kGood;
    case State::kWarning:
      return Style::kWarning;
    case State::kProblem:
      return Style::kBad;
  }
  return Style::kPlain;
}

size_t CountOf(const Findings& findings, State state) {
  return static_cast<size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [state](const Finding& finding) { return finding.state == state; }));
}

// Objects that `fairlead check` rejects are not in the state, so that nothing else would tell.
void AddRejected(const model::DesiredState& desired, Findings& findings) {
  for (const model::Finding& finding : desired.findings) {
    if (finding.severity != model::Severity::kError) continue;
    findings.push_back({State::kProblem, "configuration", finding.ToString(),
                        "fairlead check PATH says all that is wrong with it"});
  }
}

Findings DiagnoseThisHost(const model::DesiredState* desired) {
  const doctor::HostTree tree("");
  std::vector<net::IpAddress> addresses;
  std::vector<doctor::DirectVip> direct_vips;
  if (desired != nullptr) {
    for (const model::Vip& vip : desired->vips) {
      addresses.insert(addresses.end(), vip.addresses.begin(), vip.addresses.end());
      if (vip.mode == model::Mode::kSnat) continue;
      doctor::DirectVip& direct = direct_vips.emplace_back();
      direct.addresses = vip.addresses;
      for (const model::VipServer& server : model::ServersOf(*desired, vip)) {
        if (!server.spec.has_host_name()) direct.servers.push_back(server.spec.address);
      }
    }
  }
  Findings findings =
      doctor::Diagnose(tree, doctor::ProbeHost(tree.Interfaces(), addresses, direct_vips), desired);
  if (desired != nullptr) AddRejected(*desired, findings);
  return findings;
}

}  // namespace

const CommandSpec kDoctorCommand = {
    "doctor", "[--config PATH] [--output table|json]",
    "Checks this host: rights, limits, kernel, network; exit 1 when something cannot work.",
    kDoctorFlags};

std::string DoctorText(const Findings& findings, bool colour) {
  std::string text;
  for (const Finding& finding : findings) {
    absl::StrAppend(
        &text,
        Styled(absl::StrFormat("%-7s", StateName(finding.state)), StyleOf(finding.state), colour),
        "  ", Styled(finding.subject, Style::kBold, colour), ": ",
        Styled(finding.seen, Style::kPlain, colour), "\n");
    if (!finding.fix.empty()) {
      absl::StrAppend(&text, "         fix: ", Styled(finding.fix, Style::kPlain, colour), "\n");
    }
  }
  absl::StrAppend(&text, base::Counted(CountOf(findings, State::kProblem), "problem"), ", ",
                  base::Counted(CountOf(findings, State::kWarning), "warning"), "\n");
  return text;
}

std::string DoctorJson(const Findings& findings) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"state", StateName(finding.state)},
                    {"subject", finding.subject},
                    {"seen", finding.seen},
                    {"fix", finding.fix}});
  }
  const nlohmann::ordered_json report = {{"problems", CountOf(findings, State::kProblem)},
                                         {"warnings", CountOf(findings, State::kWarning)},
                                         {"findings", std::move(list)}};
  // Names of files and interfaces may be no UTF-8; JSON must be.
  return report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

int RunDoctor(absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(kDoctorCommand, arguments);
  if (parsed.code >= 0) return parsed.code;
  if (!parsed.flags.positional().empty()) {
    return UsageError(kDoctorCommand, "it takes no argument; manifests are named by --config");
  }
  const std::string output = parsed.flags.Get("output", "table");
  if (output != "table" && output != "json") {
    return UsageError(kDoctorCommand, "--output must be table or json");
  }
  std::shared_ptr<const model::DesiredState> desired;
  if (parsed.flags.Has("config")) desired = source::ReadOnce(parsed.flags.Get("config"));
  const Findings findings = DiagnoseThisHost(desired.get());
  absl::PrintF("%s",
               output == "json" ? DoctorJson(findings) : DoctorText(findings, StdoutTakesColour()));
  return CountOf(findings, State::kProblem) > 0 ? kExitFailure : kExitOk;
}

}  // namespace fairlead::cmd
