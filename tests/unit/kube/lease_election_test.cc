#include "pkg/kube/lease_election.h"

#include <gtest/gtest.h>

namespace fairlead::kube {
namespace {

constexpr absl::Duration kStart = absl::Seconds(1000);
const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

LeaseRecord HeldBy(const std::string& holder, const std::string& version = "7") {
  return {holder, absl::Seconds(15), kNow, kNow, 3, version};
}

// An election that leads since kStart, by the write of version "8".
LeaseElection Leader() {
  LeaseElection election("us", {});
  const auto wanted = election.Decide(std::nullopt, kStart, kNow);
  election.OnWritten(*wanted, "8", kStart);
  return election;
}

TEST(LeaseElectionTest, CreatesTheLeaseThatIsNotThere) {
  LeaseElection election("us", {});
  const auto wanted = election.Decide(std::nullopt, kStart, kNow);
  ASSERT_TRUE(wanted.has_value());
  EXPECT_EQ(*wanted, (LeaseRecord{"us", absl::Seconds(15), kNow, kNow, 0, ""}));
  EXPECT_FALSE(election.IsLeader(kStart)) << "before the server took it";
  election.OnWritten(*wanted, "8", kStart);
  EXPECT_TRUE(election.IsLeader(kStart));
}

TEST(LeaseElectionTest, TakesALeaseThatNobodyHoldsAtOnce) {
  LeaseElection election("us", {});
  const auto wanted = election.Decide(HeldBy(""), kStart, kNow);
  ASSERT_TRUE(wanted.has_value());
  EXPECT_EQ(wanted->holder, "us");
  EXPECT_EQ(wanted->transitions, 4);
  EXPECT_EQ(wanted->resource_version, "7") << "the server compares it";
}

TEST(LeaseElectionTest, WaitsUntilALeaseWasSeenUnchangedForItsDuration) {
  LeaseElection election("us", {});
  EXPECT_FALSE(election.Decide(HeldBy("them"), kStart, kNow).has_value());
  EXPECT_FALSE(election.Decide(HeldBy("them"), kStart + absl::Seconds(14.9), kNow).has_value());
  EXPECT_TRUE(election.Decide(HeldBy("them"), kStart + absl::Seconds(15), kNow).has_value());
}

TEST(LeaseElectionTest, ARenewalStartsTheWaitAgain) {
  LeaseElection election("us", {});
  EXPECT_FALSE(election.Decide(HeldBy("them"), kStart, kNow).has_value());
  EXPECT_FALSE(election.Decide(HeldBy("them", "9"), kStart + absl::Seconds(14), kNow).has_value());
  EXPECT_FALSE(election.Decide(HeldBy("them", "9"), kStart + absl::Seconds(28), kNow).has_value());
  EXPECT_TRUE(election.Decide(HeldBy("them", "9"), kStart + absl::Seconds(29), kNow).has_value());
}

TEST(LeaseElectionTest, TheHoldersClockCountsForNothing) {
  LeaseElection election("us", {});
  LeaseRecord ancient = HeldBy("them");
  ancient.renewed = absl::UnixEpoch();
  EXPECT_FALSE(election.Decide(ancient, kStart, kNow).has_value());
}

TEST(LeaseElectionTest, TheDurationIsTheHolders) {
  LeaseElection election("us", {});
  LeaseRecord lease = HeldBy("them");
  lease.duration = absl::Seconds(60);
  EXPECT_FALSE(election.Decide(lease, kStart, kNow).has_value());
  EXPECT_FALSE(election.Decide(lease, kStart + absl::Seconds(59), kNow).has_value());
  EXPECT_TRUE(election.Decide(lease, kStart + absl::Seconds(60), kNow).has_value());
}

TEST(LeaseElectionTest, RenewsWithoutATransition) {
  LeaseElection election = Leader();
  ASSERT_TRUE(election.known().has_value());
  const absl::Time later = kNow + absl::Seconds(2);
  const auto wanted = election.Decide(election.known(), kStart + absl::Seconds(2), later);
  ASSERT_TRUE(wanted.has_value());
  EXPECT_EQ(*wanted, (LeaseRecord{"us", absl::Seconds(15), kNow, later, 0, "8"}));
}

TEST(LeaseElectionTest, LeadsNoLongerThanTheDeadlineAfterTheLastRenewal) {
  LeaseElection election = Leader();
  EXPECT_TRUE(election.IsLeader(kStart + absl::Seconds(9.9)));
  EXPECT_FALSE(election.IsLeader(kStart + absl::Seconds(10)))
      << "another one may lead from 15 s on, and a request takes at most 5 s";
}

TEST(LeaseElectionTest, AProcessOfTheSameNameGoesOnAtOnce) {
  LeaseElection election("us", {});  // restarted
  const auto wanted = election.Decide(HeldBy("us"), kStart, kNow);
  ASSERT_TRUE(wanted.has_value());
  EXPECT_EQ(wanted->transitions, 3);
}

TEST(LeaseElectionTest, WhoSeesAnotherHolderLeadsNoLonger) {
  LeaseElection election = Leader();
  election.OnConflict();
  EXPECT_FALSE(election.known().has_value()) << "to be read again";
  EXPECT_FALSE(election.Decide(HeldBy("them", "9"), kStart + absl::Seconds(1), kNow).has_value());
  EXPECT_FALSE(election.IsLeader(kStart + absl::Seconds(1)));
  EXPECT_EQ(election.holder(), "them");
}

TEST(LeaseElectionTest, AReleaseLetsTheNextOneLeadAtOnce) {
  LeaseElection election = Leader();
  const auto released = election.Release(kStart + absl::Seconds(1), kNow);
  ASSERT_TRUE(released.has_value());
  EXPECT_EQ(released->holder, "");
  EXPECT_EQ(released->duration, absl::Seconds(1)) << "0 is refused";
  EXPECT_EQ(released->resource_version, "8");
  EXPECT_FALSE(election.IsLeader(kStart + absl::Seconds(1)));
  LeaseElection next("them", {});
  EXPECT_TRUE(next.Decide(*released, kStart, kNow).has_value());
}

TEST(LeaseElectionTest, WhoDoesNotLeadReleasesNothing) {
  LeaseElection election("us", {});
  EXPECT_FALSE(election.Decide(HeldBy("them"), kStart, kNow).has_value());
  EXPECT_FALSE(election.Release(kStart, kNow).has_value());
  LeaseElection late = Leader();
  EXPECT_FALSE(late.Release(kStart + absl::Seconds(11), kNow).has_value())
      << "it may be another's by now";
}

TEST(LeaseRecordTest, MicroTimeHasSixDecimals) {
  EXPECT_EQ(MicroTime(absl::FromUnixSeconds(0)), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(MicroTime(absl::FromUnixMicros(1'000'050)), "1970-01-01T00:00:01.000050Z");
}

TEST(LeaseRecordTest, ReadsWhatItWrites) {
  const LeaseRecord record = HeldBy("us", "12");
  const auto read = ParseLease(LeaseObject("ns", "fairlead-operator", record));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, record);
}

TEST(LeaseRecordTest, ANewLeaseNamesNoVersion) {
  const nlohmann::json object = LeaseObject("ns", "fairlead-operator", HeldBy("us", ""));
  EXPECT_FALSE(object["metadata"].contains("resourceVersion"));
}

TEST(LeaseRecordTest, ToleratesAnyShape) {
  for (const char* text : {"null", "[]", "3", R"({"metadata":1})"}) {
    EXPECT_FALSE(ParseLease(nlohmann::json::parse(text)).ok()) << text;
  }
  const auto odd = ParseLease(nlohmann::json::parse(
      R"({"metadata":{},"spec":{"holderIdentity":7,"leaseDurationSeconds":"x","renewTime":[]}})"));
  ASSERT_TRUE(odd.ok());
  EXPECT_EQ(odd->holder, "");
}

}  // namespace
}  // namespace fairlead::kube
