#include "pkg/health/send_expect_dialogue.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pkg/health/reason.h"

namespace fairlead::health {

SendExpectDialogue::SendExpectDialogue(const net::Endpoint& endpoint,
                                       const model::HealthCheck& check)
    : name_(TargetName(endpoint)), send_(check.send), expect_(check.expect) {}

std::optional<ProbeOutcome> SendExpectDialogue::Judge(absl::string_view received,
                                                      bool complete) const {
  if (absl::StrContains(received, expect_)) {
    return ProbeOutcome::Healthy("expected answer");
  }
  if (!complete) return std::nullopt;
  return ProbeOutcome::Unhealthy(absl::StrCat("answer of ", name_, " does not contain ",
                                              Quoted(expect_), "; got ", Quoted(received)));
}

}  // namespace fairlead::health
