// The elector's thread against a server in memory that keeps one Lease as the API server does.
#include "pkg/kube/lease_elector.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace fairlead::kube {
namespace {

using nlohmann::json;

// GET, POST and PUT of one Lease, with optimistic concurrency. Thread-safe.
class LeaseServer final : public ApiClient {
 public:
  absl::StatusOr<ApiResponse> Send(const ApiRequest& request) override {
    base::MutexLock lock(&mutex_);
    if (!reachable_) return absl::UnavailableError("connection refused");
    if (request.method == "GET") return Answer(lease_.is_null() ? 404 : 200);
    const json wanted = json::parse(request.body);
    if (request.method == "POST") {
      if (!lease_.is_null()) return Answer(409);
      return Keep(wanted);
    }
    if (lease_.is_null()) return Answer(404);
    if (wanted["metadata"]["resourceVersion"] != lease_["metadata"]["resourceVersion"]) {
      return Answer(409);
    }
    return Keep(wanted);
  }
  absl::StatusOr<ApiResponse> Stream(const ApiRequest&,
                                     absl::FunctionRef<bool(absl::string_view)>) override {
    return absl::UnimplementedError("no streams");
  }
  void Cancel() override {}
  std::string server() const override { return "memory"; }

  void SetReachable(bool reachable) {
    base::MutexLock lock(&mutex_);
    reachable_ = reachable;
  }
  std::string Holder() {
    base::MutexLock lock(&mutex_);
    return lease_.is_null() ? "" : lease_["spec"]["holderIdentity"].get<std::string>();
  }

 private:
  ApiResponse Answer(int status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return {.status = status, .body = lease_.is_null() ? "{}" : lease_.dump(), .retry_after = {}};
  }
  ApiResponse Keep(const json& lease) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    lease_ = lease;
    lease_["metadata"]["resourceVersion"] = absl::StrCat(++version_);
    return Answer(200);
  }

  base::Mutex mutex_;
  bool reachable_ ABSL_GUARDED_BY(mutex_) = true;
  json lease_ ABSL_GUARDED_BY(mutex_);
  int version_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A hundredth of the real times, but for the duration, which is in whole seconds.
constexpr LeaseTimes kTimes = {absl::Seconds(1), absl::Milliseconds(400), absl::Milliseconds(20)};

std::unique_ptr<LeaseElector> StartElector(ApiClient& client, const base::Clock& clock,
                                           const std::string& identity) {
  auto elector = LeaseElector::Start(
      client, clock,
      {.name_space = "ns", .name = "fairlead-operator", .identity = identity, .times = kTimes});
  EXPECT_TRUE(elector.ok()) << elector.status();
  return *std::move(elector);
}

bool WaitUntil(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

TEST(LeaseElectorTest, OneOfTwoLeadsAndTheOtherTakesOverWhenItStops) {
  LeaseServer server;
  const base::SystemClock clock;
  auto first = StartElector(server, clock, "first");
  ASSERT_TRUE(WaitUntil([&] { return first->IsLeader(); }));
  auto second = StartElector(server, clock, "second");
  ASSERT_TRUE(WaitUntil([&] { return second->Health().holder == "first"; }));
  EXPECT_FALSE(second->IsLeader());
  first.reset();
  EXPECT_EQ(server.Holder(), "") << "given up";
  EXPECT_TRUE(WaitUntil([&] { return second->IsLeader(); }));
}

TEST(LeaseElectorTest, LeadsNoLongerWhenTheServerIsAwayAndAgainWhenItIsBack) {
  LeaseServer server;
  const base::SystemClock clock;
  auto elector = StartElector(server, clock, "only");
  ASSERT_TRUE(WaitUntil([&] { return elector->IsLeader(); }));
  server.SetReachable(false);
  EXPECT_TRUE(WaitUntil([&] { return !elector->IsLeader(); }));
  EXPECT_TRUE(WaitUntil([&] { return elector->Health().problem == "connection refused"; }));
  EXPECT_EQ(server.Holder(), "only") << "nobody told the server";
  server.SetReachable(true);
  EXPECT_TRUE(WaitUntil([&] { return elector->IsLeader(); }));
  EXPECT_TRUE(WaitUntil([&] { return elector->Health().problem.empty(); }));
  EXPECT_GT(elector->Health().failures_total, 0u);
}

TEST(LeaseElectorTest, TakesOverFromOneThatDiedWithoutAWord) {
  LeaseServer server;
  const base::SystemClock clock;
  LeaseRecord dead = {"dead", absl::Seconds(1), clock.Now(), clock.Now(), 0, ""};
  ASSERT_EQ(
      server
          .Send({.method = "POST", .target = "leases", .body = LeaseObject("ns", "x", dead).dump()})
          ->status,
      200);
  auto elector = StartElector(server, clock, "next");
  EXPECT_TRUE(WaitUntil([&] { return elector->IsLeader(); }));
  EXPECT_EQ(server.Holder(), "next");
}

}  // namespace
}  // namespace fairlead::kube
