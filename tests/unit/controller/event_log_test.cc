#include "pkg/controller/event_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/unit/controller/fakes.h"

namespace fairlead::controller {
namespace {

using testing::HasSubstr;

Event Down(const std::string& server) {
  Event event;
  event.level = base::LogLevel::kWarning;
  event.message = "real server is down";
  event.kind = "vip";
  event.subject = "default/web";
  event.server = server;
  event.reason = "refused";
  return event;
}

TEST(EventLogTest, KeepsWhatWasTold) {
  const FakeClock clock;
  EventLog log(clock);
  log.Record(Down("srv-1"));
  ASSERT_EQ(log.Recent().size(), 1u);
  EXPECT_EQ(log.Recent()[0].object, "default/web srv-1");
  EXPECT_EQ(log.Recent()[0].level, "warning");
  EXPECT_EQ(log.Recent()[0].reason, "refused");
  EXPECT_EQ(log.Recent()[0].time, clock.Now());
}

TEST(EventLogTest, FloodOfOneEventIsBoundedAndCounted) {
  FakeClock clock;
  EventLog log(clock);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) log.Record(Down("srv-1"));
  log.Record(Down("srv-2"));  // another one is not held back
  EXPECT_EQ(log.Recent().size(), EventLog::kLinesPerWindow + 1u);
  EXPECT_EQ(log.suppressed_total(), 1000u - EventLog::kLinesPerWindow);
  clock.Advance(EventLog::kWindow);
  log.Tick();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("count=994"));
  log.Record(Down("srv-1"));
  EXPECT_EQ(log.Recent().size(), EventLog::kLinesPerWindow + 2u);
}

TEST(EventLogTest, ListAndMemoryAreBounded) {
  const FakeClock clock;
  EventLog log(clock);
  testing::internal::CaptureStderr();
  for (size_t i = 0; i < 2 * EventLog::kWindowsMax; ++i) log.Record(Down(absl::StrCat("s", i)));
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(log.Recent().size(), EventLog::kEventsKept);
}

TEST(EventLogTest, AudienceDecidesBetweenLogAndList) {
  const FakeClock clock;
  EventLog log(clock);
  Event event = Down("srv-1");
  event.audience = Event::Audience::kLogOnly;
  testing::internal::CaptureStderr();
  log.Record(event);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("server=srv-1"));
  EXPECT_TRUE(log.Recent().empty());
  event.audience = Event::Audience::kListOnly;
  testing::internal::CaptureStderr();
  log.Record(event);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(log.Recent().size(), 1u);
}

}  // namespace
}  // namespace fairlead::controller
