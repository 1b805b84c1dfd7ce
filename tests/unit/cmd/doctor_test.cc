#include "cmd/fairlead/doctor.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fairlead::cmd {
namespace {

const doctor::Findings kFindings = {
    {doctor::State::kOk, "kernel", "Linux 6.18", ""},
    {doctor::State::kWarning, "bpffs", "not mounted", "mount -t bpf bpf /sys/fs/bpf"},
    {doctor::State::kProblem, "VIP default/web", "10.0.0.1 is not on this host\x1b[2J", "ip a"},
};

TEST(DoctorCommandTest, TextHasAFixBelowWhatNeedsOne) {
  EXPECT_EQ(DoctorText(kFindings, /*colour=*/false),
            "ok       kernel: Linux 6.18\n"
            "warning  bpffs: not mounted\n"
            "         fix: mount -t bpf bpf /sys/fs/bpf\n"
            "problem  VIP default/web: 10.0.0.1 is not on this host?[2J\n"
            "         fix: ip a\n"
            "1 problem, 1 warning\n");
}

TEST(DoctorCommandTest, JsonHasCountsAndStates) {
  const auto json = nlohmann::json::parse(DoctorJson(kFindings));
  EXPECT_EQ(json["problems"], 1);
  EXPECT_EQ(json["warnings"], 1);
  EXPECT_EQ(json["findings"][2]["state"], "problem");
  EXPECT_EQ(json["findings"][1]["fix"], "mount -t bpf bpf /sys/fs/bpf");
}

}  // namespace
}  // namespace fairlead::cmd
