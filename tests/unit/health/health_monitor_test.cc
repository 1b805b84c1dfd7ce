#include "pkg/health/health_monitor.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pkg/base/mutex.h"
#include "tests/unit/health/test_server.h"

namespace fairlead::health {
namespace {

using model::HealthCheck;
using model::OperationalState;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The changes that a monitor told, and a way to wait for them.
class Changes {
 public:
  void Add(const HealthReport& report) {
    base::MutexLock lock(&mutex_);
    changes_.push_back(report);
  }
  // The first report of `id` in `state`, or one of state Unknown after 5 s.
  HealthReport WaitFor(const std::string& id, OperationalState state) {
    for (int turn = 0; turn < 5000; ++turn) {
      {
        base::MutexLock lock(&mutex_);
        for (const HealthReport& change : changes_) {
          if (change.target_id == id && change.state == state) return change;
        }
      }
      absl::SleepFor(absl::Milliseconds(1));
    }
    return {};
  }
  size_t count() {
    base::MutexLock lock(&mutex_);
    return changes_.size();
  }
  void Clear() {
    base::MutexLock lock(&mutex_);
    changes_.clear();
  }

 private:
  base::Mutex mutex_;
  std::vector<HealthReport> changes_ ABSL_GUARDED_BY(mutex_);
};

ProbeTarget Target(const std::string& id, const net::Endpoint& endpoint) {
  ProbeTarget target;
  target.id = id;
  target.endpoint = endpoint;
  target.check.interval = absl::Milliseconds(100);
  target.check.timeout = absl::Milliseconds(300);
  return target;
}

class HealthMonitorTest : public ::testing::TestWithParam<uring::Engine> {
 protected:
  void SetUp() override {
    uring::RingOptions options;
    options.engine = GetParam();
    options.buffers_max = 0;
    absl::StatusOr<std::unique_ptr<uring::Ring>> ring = uring::Ring::Create(options, nullptr);
    if (!ring.ok()) GTEST_SKIP() << ring.status();
  }

  std::unique_ptr<HealthMonitor> Start(uint32_t probes_concurrent_max = 64) {
    HealthMonitorOptions options;
    options.engine = GetParam();
    options.probes_concurrent_max = probes_concurrent_max;
    options.jitter_seed = 1;
    auto monitor = HealthMonitor::Create(
        options, clock_, [this](const HealthReport& report) { changes_.Add(report); });
    EXPECT_TRUE(monitor.ok()) << monitor.status();
    return *std::move(monitor);
  }

  base::SystemClock clock_;
  Changes changes_;
};

INSTANTIATE_TEST_SUITE_P(Engines, HealthMonitorTest,
                         ::testing::Values(uring::Engine::kIoUring, uring::Engine::kEpoll),
                         [](const ::testing::TestParamInfo<uring::Engine>& info) {
                           return std::string(uring::EngineName(info.param));
                         });

TEST_P(HealthMonitorTest, NewServersHaveAVerdictAtOnce) {
  TestServer server(Silent());
  const net::Endpoint refusing = RefusingEndpoint();
  auto monitor = Start();
  const absl::Time begin = absl::Now();
  monitor->SetTargets({Target("good", server.endpoint()), Target("bad", refusing)});
  const HealthReport good = changes_.WaitFor("good", OperationalState::kUp);
  const HealthReport bad = changes_.WaitFor("bad", OperationalState::kDown);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(1));  // 1 ms on an idle host
  EXPECT_THAT(good.reason, StartsWith("TCP connect in "));
  EXPECT_EQ(bad.reason, absl::StrCat("connect refused by ", refusing.ToString()));
  EXPECT_FALSE(bad.unreachable);
  EXPECT_EQ(bad.failures, 1u);
}

TEST_P(HealthMonitorTest, TellsFlipsAndNothingElse) {
  TestServer server(Silent());
  auto monitor = Start();
  monitor->SetTargets({Target("a", server.endpoint())});
  changes_.WaitFor("a", OperationalState::kUp);
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_EQ(changes_.count(), 1u);
  const std::vector<HealthReport> reports = monitor->Snapshot();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_GE(reports[0].probes, 3u);
  EXPECT_LE(reports[0].probes, 8u);
  EXPECT_EQ(reports[0].failures, 0u);
}

TEST_P(HealthMonitorTest, GoesDownAfterTheThresholdAndComesBack) {
  auto server = std::make_unique<TestServer>(Silent());
  const net::Endpoint endpoint = server->endpoint();
  auto monitor = Start();
  monitor->SetTargets({Target("a", endpoint)});
  changes_.WaitFor("a", OperationalState::kUp);
  server.reset();
  const HealthReport down = changes_.WaitFor("a", OperationalState::kDown);
  EXPECT_EQ(down.reason, absl::StrCat("connect refused by ", endpoint.ToString()));
  EXPECT_EQ(down.failures, 3u);
  changes_.Clear();
  TestServer again(Silent(), "127.0.0.1", endpoint.port);
  const HealthReport up = changes_.WaitFor("a", OperationalState::kUp);
  EXPECT_GT(up.since, down.since);
}

TEST_P(HealthMonitorTest, TimeoutsAreUnreachable) {
  FullListener listener;
  auto monitor = Start();
  monitor->SetTargets({Target("a", listener.endpoint())});
  const HealthReport down = changes_.WaitFor("a", OperationalState::kDown);
  EXPECT_EQ(down.reason,
            absl::StrCat("connect to ", listener.endpoint().ToString(), " timed out after 300ms"));
  EXPECT_TRUE(down.unreachable);
  EXPECT_GE(down.latency, absl::Milliseconds(299));
  // Deciding again and again the same way is no change.
  absl::SleepFor(absl::Milliseconds(700));
  EXPECT_EQ(changes_.count(), 1u);
}

TEST_P(HealthMonitorTest, TellsAChangeOfReasonWhileDown) {
  TestServer server(AnswersHttp("HTTP/1.1 400 Bad Request\r\n\r\n"));
  ProbeTarget target = Target("a", server.endpoint());
  target.check.type = HealthCheck::Type::kHttp;
  auto monitor = Start();
  monitor->SetTargets({target});
  HealthReport down = changes_.WaitFor("a", OperationalState::kDown);
  EXPECT_EQ(down.reason, absl::StrCat("HTTP 400 from ", server.endpoint().ToString(),
                                      ": Bad Request (expected 200-399)"));
  changes_.Clear();
  target.check.expected_statuses = {{200, 299}};
  monitor->SetTargets({target});
  down = changes_.WaitFor("a", OperationalState::kDown);
  EXPECT_THAT(down.reason, HasSubstr("(expected 200-299)"));
}

TEST_P(HealthMonitorTest, UnchangedTargetsKeepTheirState) {
  TestServer server(Silent());
  auto monitor = Start();
  const ProbeTarget kept = Target("kept", server.endpoint());
  monitor->SetTargets({kept, Target("gone", server.endpoint())});
  changes_.WaitFor("kept", OperationalState::kUp);
  changes_.WaitFor("gone", OperationalState::kUp);
  const absl::Time since = monitor->Snapshot()[1].since;
  changes_.Clear();
  monitor->SetTargets({kept, Target("new", server.endpoint())});
  changes_.WaitFor("new", OperationalState::kUp);
  EXPECT_EQ(changes_.count(), 1u);
  const std::vector<HealthReport> reports = monitor->Snapshot();
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].target_id, "kept");
  EXPECT_EQ(reports[0].since, since);
  EXPECT_EQ(reports[1].target_id, "new");
}

TEST_P(HealthMonitorTest, TypeNoneIsUpWithoutAProbe) {
  ProbeTarget target = Target("a", RefusingEndpoint());
  target.check.type = HealthCheck::Type::kNone;
  auto monitor = Start();
  monitor->SetTargets({target});
  const HealthReport up = changes_.WaitFor("a", OperationalState::kUp);
  EXPECT_EQ(up.reason, "not checked");
  EXPECT_EQ(up.probes, 0u);
  EXPECT_EQ(up.checked, absl::InfinitePast());
}

// One slot, held by a server that never answers: the others still get their turn.
TEST_P(HealthMonitorTest, OneSlotServesAllTargetsInTurn) {
  FullListener silent;
  TestServer server(Silent());
  auto monitor = Start(/*probes_concurrent_max=*/1);
  std::vector<ProbeTarget> targets = {Target("silent", silent.endpoint())};
  for (int i = 0; i < 20; ++i) targets.push_back(Target(absl::StrCat("n", i), server.endpoint()));
  monitor->SetTargets(targets);
  EXPECT_EQ(changes_.WaitFor("n19", OperationalState::kUp).state, OperationalState::kUp);
  EXPECT_EQ(changes_.WaitFor("silent", OperationalState::kDown).state, OperationalState::kDown);
  EXPECT_EQ(monitor->counters().probes_concurrent_max, 1u);
  EXPECT_GT(monitor->counters().turns_full, 0u);
}

TEST_P(HealthMonitorTest, StopsPromptlyWithProbesUnderWay) {
  FullListener silent;
  auto monitor = Start();
  std::vector<ProbeTarget> targets;
  for (int i = 0; i < 50; ++i) {
    targets.push_back(Target(absl::StrCat("n", i), silent.endpoint()));
    targets.back().check.timeout = absl::Seconds(30);
  }
  monitor->SetTargets(targets);
  absl::SleepFor(absl::Milliseconds(150));
  const absl::Time begin = absl::Now();
  monitor.reset();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(2));
  EXPECT_EQ(changes_.count(), 0u);
}

}  // namespace
}  // namespace fairlead::health
