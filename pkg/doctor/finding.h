// Finding: one thing that `fairlead doctor` looked at.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace fairlead::doctor {

enum class State {
  kOk,
  kWarning,  // it works, but slower, or some feature does not
  kProblem   // something that is asked for cannot work
};

struct Finding {
  State state = State::kOk;
  std::string subject;  // what was looked at: "io_uring", "interface eth0"
  std::string seen;     // the value, and what it means
  std::string fix;      // a command line, or what to do; "" when nothing need be done
};

using Findings = std::vector<Finding>;

inline void AddOk(Findings& findings, std::string subject, std::string seen) {
  findings.push_back({State::kOk, std::move(subject), std::move(seen), ""});
}

}  // namespace fairlead::doctor
