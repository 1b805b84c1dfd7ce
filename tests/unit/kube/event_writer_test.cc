#include "pkg/kube/event_writer.h"

#include "tests/unit/kube/kube_testing.h"
#include "tests/unit/kube/scripted_client.h"
#include "tests/unit/kube/still_clock.h"

namespace fairlead::kube {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

NodeEvent Event(const std::string& note = "real server is down: srv1: refused") {
  return {.time = absl::FromUnixSeconds(1),
          .is_warning = true,
          .message = "real server is down",
          .note = note,
          .name_space = "default",
          .vip = "web",
          .vip_uid = "uid-web",
          .server = "srv1"};
}

class EventWriterTest : public testing::Test {
 protected:
  StillClock clock_;
  ScriptedClient client_;
  EventWriter writer_{client_, clock_, "n1"};
};

TEST_F(EventWriterTest, WritesAnEventAboutTheVipAndItsServer) {
  writer_.Add(Event());
  ASSERT_TRUE(writer_.Turn().ok());
  ASSERT_THAT(client_.requests, SizeIs(1));
  EXPECT_EQ(client_.requests[0].method, "POST");
  EXPECT_EQ(client_.requests[0].target, "/apis/events.k8s.io/v1/namespaces/default/events");
  Json body = Json::parse(client_.requests[0].body);
  EXPECT_EQ(body["metadata"]["name"], "web.f4240-1");
  body.erase("metadata");
  const Json expected = {{"apiVersion", "events.k8s.io/v1"},
                         {"kind", "Event"},
                         {"eventTime", "1970-01-01T00:00:01.000000Z"},
                         {"reportingController", "lb.fairlead.dev/node"},
                         {"reportingInstance", "fairlead-node-n1"},
                         {"action", "Balance"},
                         {"reason", "RealServerIsDown"},
                         {"note", "real server is down: srv1: refused"},
                         {"type", "Warning"},
                         {"regarding",
                          {{"apiVersion", "lb.fairlead.dev/v1alpha1"},
                           {"kind", "VIP"},
                           {"namespace", "default"},
                           {"name", "web"},
                           {"uid", "uid-web"}}},
                         {"related",
                          {{"apiVersion", "lb.fairlead.dev/v1alpha1"},
                           {"kind", "RealServer"},
                           {"namespace", "default"},
                           {"name", "srv1"}}}};
  EXPECT_EQ(body, expected);
}

TEST_F(EventWriterTest, AFloodIsSpreadAndBounded) {
  for (int i = 0; i < 150; ++i) writer_.Add(Event());
  EXPECT_EQ(writer_.left_out_total(), 50u);
  ASSERT_TRUE(writer_.Turn().ok());
  EXPECT_THAT(client_.requests, SizeIs(EventWriter::kWritesPerTurn));
}

TEST_F(EventWriterTest, WaitsInAnOutage) {
  client_.SetStatus(500);
  writer_.Add(Event());
  EXPECT_TRUE(absl::IsUnavailable(writer_.Turn()));
  client_.SetStatus(201);
  ASSERT_TRUE(writer_.Turn().ok());
  client_.requests.clear();
  ASSERT_TRUE(writer_.Turn().ok());
  EXPECT_THAT(client_.requests, IsEmpty());
}

TEST_F(EventWriterTest, WithoutTheApiGroupNoneIsWrittenForAWhile) {
  client_.SetStatus(404);
  writer_.Add(Event());
  writer_.Add(Event());
  ASSERT_TRUE(writer_.Turn().ok());
  EXPECT_THAT(client_.requests, SizeIs(1));
  clock_.Advance(absl::Minutes(9));
  ASSERT_TRUE(writer_.Turn().ok());
  EXPECT_THAT(client_.requests, SizeIs(1));
  clock_.Advance(absl::Minutes(1));
  client_.SetStatus(201);
  writer_.Add(Event());
  ASSERT_TRUE(writer_.Turn().ok());
  EXPECT_THAT(client_.requests, SizeIs(2));
}

TEST(ReasonWordTest, IsOneWordForPrograms) {
  EXPECT_EQ(ReasonWord("VIP has no real server left"), "VIPHasNoRealServerLeft");
  EXPECT_EQ(ReasonWord("state directory: mkdir -p"), "StateDirectoryMkdirP");
}

}  // namespace
}  // namespace fairlead::kube
