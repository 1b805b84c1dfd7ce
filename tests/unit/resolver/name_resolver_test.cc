// The resolver's threads, with lookups that the test decides.
#include "pkg/resolver/name_resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/resolver/host_lookup.h"

namespace fairlead::resolver {
namespace {

using testing::HasSubstr;

net::IpAddress Address(const char* text) { return *net::IpAddress::Parse(text); }

class NameResolverTest : public testing::Test {
 protected:
  void Start(const Lookup& lookup, LookupTimes times = {}) {
    auto resolver = NameResolver::Create({.threads = 4, .times = times}, clock_, lookup,
                                         [this](const Answer& answer) {
                                           base::MutexLock lock(&mutex_);
                                           answers_.push_back(answer);
                                         });
    ASSERT_TRUE(resolver.ok()) << resolver.status();
    resolver_ = *std::move(resolver);
  }
  size_t CountOf(const std::string& name) {
    base::MutexLock lock(&mutex_);
    return std::count_if(answers_.begin(), answers_.end(),
                         [&](const Answer& answer) { return answer.name == name; });
  }
  bool WaitForAnswers(const std::string& name, size_t count) {
    const absl::Time deadline = absl::Now() + absl::Seconds(5);
    while (CountOf(name) < count && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
    return CountOf(name) >= count;
  }

  const base::SystemClock clock_{};
  base::Mutex mutex_;
  std::vector<Answer> answers_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<NameResolver> resolver_;
};

TEST_F(NameResolverTest, AnswersNamesAtOnceAndGoesOnAsking) {
  Start([](const std::string&) { return std::vector<net::IpAddress>{Address("10.0.0.1")}; },
        {.refresh = absl::Milliseconds(5), .retry = absl::Milliseconds(1)});
  resolver_->SetNames({{"a"}, {"b"}});
  EXPECT_TRUE(WaitForAnswers("a", 3));
  EXPECT_TRUE(WaitForAnswers("b", 3));
  base::MutexLock lock(&mutex_);
  EXPECT_EQ(answers_.front().addresses->front(), Address("10.0.0.1"));
}

TEST_F(NameResolverTest, TellsFailures) {
  Start([](const std::string&) -> absl::StatusOr<std::vector<net::IpAddress>> {
    return absl::UnavailableError("no name server");
  });
  resolver_->SetNames({{"a"}});
  ASSERT_TRUE(WaitForAnswers("a", 1));
  base::MutexLock lock(&mutex_);
  EXPECT_EQ(answers_.front().addresses.status().message(), "no name server");
}

TEST_F(NameResolverTest, ASlowNameHoldsNoOther) {
  base::Notification release;
  Start([&](const std::string& name) {
    if (name == "slow") release.WaitForNotification();
    return std::vector<net::IpAddress>{Address("10.0.0.1")};
  });
  resolver_->SetNames({{"slow"}});
  resolver_->SetNames({{"slow"}, {"quick"}});
  EXPECT_TRUE(WaitForAnswers("quick", 1));
  EXPECT_EQ(CountOf("slow"), 0u);
  release.Notify();
  EXPECT_TRUE(WaitForAnswers("slow", 1));
}

TEST_F(NameResolverTest, ADroppedNameHasNoAnswer) {
  struct Gate {
    base::Notification begun;
    base::Notification release;
  };
  auto gate = std::make_shared<Gate>();  // outlives the test in the thread that it holds
  Start([gate](const std::string& name) {
    if (name == "dropped") {
      gate->begun.Notify();
      gate->release.WaitForNotification();
    }
    return std::vector<net::IpAddress>{Address("10.0.0.1")};
  });
  resolver_->SetNames({{"dropped"}});
  gate->begun.WaitForNotification();
  resolver_->SetNames({{"other"}});
  gate->release.Notify();
  EXPECT_TRUE(WaitForAnswers("other", 1));
  EXPECT_EQ(CountOf("dropped"), 0u);
}

TEST_F(NameResolverTest, EndsWhileALookupHangsAndSaysNothingAfterwards) {
  struct Gate {
    base::Notification begun;
    base::Notification release;
    base::Notification returned;
  };
  auto gate = std::make_shared<Gate>();  // outlives the test in the thread that hangs
  Start([gate](const std::string&) {
    gate->begun.Notify();
    gate->release.WaitForNotification();
    gate->returned.Notify();
    return std::vector<net::IpAddress>{Address("10.0.0.1")};
  });
  resolver_->SetNames({{"hangs"}});
  gate->begun.WaitForNotification();
  const absl::Time before = absl::Now();
  resolver_.reset();
  EXPECT_LT(absl::Now() - before, absl::Seconds(1));
  gate->release.Notify();
  gate->returned.WaitForNotification();
  EXPECT_EQ(CountOf("hangs"), 0u);
}

TEST(HostLookupTest, KnowsLocalhost) {
  const auto addresses = LookUpHost("localhost");
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  EXPECT_TRUE(std::all_of(addresses->begin(), addresses->end(),
                          [](const net::IpAddress& address) { return address.is_loopback(); }));
  EXPECT_TRUE(std::is_sorted(addresses->begin(), addresses->end()));
}

TEST(HostLookupTest, FailuresSayWhatToCheck) {
  // RFC 6761 §6.4: names in "invalid" never exist.
  const auto addresses = LookUpHost("no-such-host.invalid");
  ASSERT_FALSE(addresses.ok());
  EXPECT_THAT(std::string(addresses.status().message()),
              testing::AnyOf(HasSubstr("/etc/hosts"), HasSubstr("/etc/resolv.conf")));
}

}  // namespace
}  // namespace fairlead::resolver
