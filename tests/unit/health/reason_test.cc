#include "pkg/health/reason.h"

#include <cerrno>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::health {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Verdict = ProbeOutcome::Verdict;

const net::Endpoint kPrinter = *net::Endpoint::Parse("10.0.0.3:5122");

TEST(ReasonTest, ConnectFailuresSayWhoAndWhat) {
  struct Fact {
    int error;
    const char* reason;
    Verdict verdict;
    bool unreachable;
  } facts[] = {
      {ECONNREFUSED, "connect refused by 10.0.0.3:5122", Verdict::kUnhealthy, false},
      {ECONNRESET, "10.0.0.3:5122 reset the connection", Verdict::kUnhealthy, false},
      {ETIMEDOUT, "connect to 10.0.0.3:5122 timed out", Verdict::kUnhealthy, true},
      {EHOSTUNREACH, "no route to host 10.0.0.3", Verdict::kUnhealthy, true},
      {ENETUNREACH, "network unreachable: this host has no route to 10.0.0.3", Verdict::kUnhealthy,
       true},
  };
  for (const auto& fact : facts) {
    const ProbeOutcome outcome = ConnectFailure(kPrinter, fact.error);
    EXPECT_EQ(outcome.reason, fact.reason);
    EXPECT_EQ(outcome.verdict, fact.verdict) << fact.reason;
    EXPECT_EQ(outcome.unreachable, fact.unreachable) << fact.reason;
  }
}

TEST(ReasonTest, ShortagesOfThisHostAreNotTheServersFault) {
  for (int error : {EADDRNOTAVAIL, EAGAIN, ENOBUFS, ENOMEM}) {
    const ProbeOutcome outcome = ConnectFailure(kPrinter, error);
    EXPECT_EQ(outcome.verdict, Verdict::kInconclusive) << error;
    EXPECT_FALSE(outcome.unreachable);
    EXPECT_THAT(outcome.reason, StartsWith("cannot check 10.0.0.3:5122: "));
  }
  EXPECT_THAT(SocketFailure(kPrinter, "socket", EMFILE).reason, HasSubstr("ulimit -n"));
}

TEST(ReasonTest, WhatWouldFailForClientsTooIsUnreachable) {
  for (int error : {EACCES, EPERM, EINVAL, ENOPROTOOPT}) {
    const ProbeOutcome outcome = ConnectFailure(kPrinter, error);
    EXPECT_EQ(outcome.verdict, Verdict::kUnhealthy) << error;
    EXPECT_TRUE(outcome.unreachable) << error;
    EXPECT_THAT(outcome.reason, StartsWith("connect to 10.0.0.3:5122: "));
  }
}

TEST(ReasonTest, QuotesForeignBytesSafely) {
  EXPECT_EQ(Quoted("220 ready\r\n"), "\"220 ready\\r\\n\"");
  EXPECT_EQ(Quoted(std::string("\x1b[2J\0", 5)), "\"\\x1b[2J\\x00\"");
  const std::string quoted = Quoted(std::string(10000, 'x'));
  EXPECT_EQ(quoted, "\"" + std::string(80, 'x') + "...\"");
}

TEST(ReasonTest, FormatsDurationsAndRanges) {
  EXPECT_EQ(LatencyText(absl::Microseconds(412)), "0.4 ms");
  EXPECT_EQ(LatencyText(absl::Milliseconds(12)), "12.0 ms");
  EXPECT_EQ(LatencyText(absl::Milliseconds(1320)), "1.3 s");
  EXPECT_EQ(StatusRangesText({{200, 200}, {204, 204}, {300, 399}}), "200,204,300-399");
}

TEST(ReasonTest, IcmpTargetsHaveNoPort) {
  EXPECT_EQ(TargetName(net::Endpoint{kPrinter.address, 0}), "10.0.0.3");
  EXPECT_EQ(TargetName(kPrinter), "10.0.0.3:5122");
}

}  // namespace
}  // namespace fairlead::health
