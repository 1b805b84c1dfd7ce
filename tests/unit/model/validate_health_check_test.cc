#include <gtest/gtest.h>

#include "tests/unit/model/model_testing.h"

namespace fairlead::model {
namespace {

using ::testing::IsEmpty;
using Type = HealthCheck::Type;

Vip WithCheck(Type type) {
  Vip vip = GoodVip();
  vip.health_check = HealthCheck();
  vip.health_check.type = type;
  if (type == Type::kSendExpect) vip.health_check.expect = "220";
  FillDefaults(vip);
  return vip;
}

TEST(ValidateHealthCheckTest, EveryTypeIsGoodWithItsDefaults) {
  for (const Type type :
       {Type::kTcp, Type::kSendExpect, Type::kHttp, Type::kHttps, Type::kIcmp, Type::kNone}) {
    EXPECT_THAT(Lines(Validate(WithCheck(type))), IsEmpty()) << HealthCheckTypeName(type);
  }
}

TEST(ValidateHealthCheckTest, HalfOpenIsForTcpOnly) {
  for (const Type type : {Type::kSendExpect, Type::kHttp, Type::kHttps, Type::kIcmp, Type::kNone}) {
    Vip vip = WithCheck(type);
    vip.health_check.half_open = true;
    EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.halfOpen", "type TCP only"));
  }
  Vip vip = WithCheck(Type::kTcp);
  vip.health_check.half_open = true;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
}

TEST(ValidateHealthCheckTest, PortlessTypesHaveNoPort) {
  for (const Type type : {Type::kIcmp, Type::kNone}) {
    Vip vip = WithCheck(type);
    vip.health_check.each_port = true;
    EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.port", "has no port"));
    vip = WithCheck(type);
    vip.health_check.port = 80;
    EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.port", "has no port"));
  }
}

TEST(ValidateHealthCheckTest, EachPortGoesWithTheOthers) {
  for (const Type type : {Type::kTcp, Type::kSendExpect, Type::kHttp, Type::kHttps}) {
    Vip vip = WithCheck(type);
    vip.health_check.port = 0;
    vip.health_check.each_port = true;
    EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  }
}

TEST(ValidateHealthCheckTest, WarnsOfVeryManyPorts) {
  Vip vip = WithCheck(Type::kTcp);
  vip.health_check.port = 0;
  vip.health_check.each_port = true;
  vip.ports = Ports("1000-2000");
  EXPECT_THAT(Lines(Validate(vip)), IsWarning("spec.healthCheck.port", "1001 ports"));
}

TEST(ValidateHealthCheckTest, WarnsThatAConnectToARawPrintPortIsAJob) {
  Vip vip = WithCheck(Type::kTcp);
  vip.health_check.port = 9100;
  EXPECT_THAT(Lines(Validate(vip)), IsWarning("spec.healthCheck.port", "halfOpen: true"));
  vip.health_check.half_open = true;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip = WithCheck(Type::kTcp);
  vip.ports = Ports("515,9100");
  vip.health_check.port = 0;
  vip.health_check.each_port = true;
  EXPECT_THAT(Lines(Validate(vip)), IsWarning("spec.healthCheck.port", "halfOpen: true"));
}

TEST(ValidateHealthCheckTest, NumbersHaveBounds) {
  const auto check = [](auto change, const std::string& field) {
    Vip vip = WithCheck(Type::kTcp);
    change(vip.health_check);
    EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck." + field, "must be "));
  };
  check([](HealthCheck& c) { c.interval = absl::Milliseconds(99); }, "intervalSeconds");
  check([](HealthCheck& c) { c.interval = absl::Seconds(3601); }, "intervalSeconds");
  check([](HealthCheck& c) { c.timeout = absl::Milliseconds(49); }, "timeoutSeconds");
  check([](HealthCheck& c) { c.timeout = absl::Seconds(61); }, "timeoutSeconds");
  check([](HealthCheck& c) { c.unhealthy_threshold = 0; }, "unhealthyThreshold");
  check([](HealthCheck& c) { c.unhealthy_threshold = 101; }, "unhealthyThreshold");
  check([](HealthCheck& c) { c.healthy_threshold = 0; }, "healthyThreshold");
}

TEST(ValidateHealthCheckTest, TheTimeoutMayBeLongerThanTheInterval) {
  Vip vip = WithCheck(Type::kTcp);
  vip.health_check.interval = absl::Seconds(1);
  vip.health_check.timeout = absl::Seconds(10);
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
}

TEST(ValidateHealthCheckTest, HttpPathStartsWithASlash) {
  for (const char* path : {"", "health", "http://x/"}) {
    Vip vip = WithCheck(Type::kHttp);
    vip.health_check.http_path = path;
    EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.http.path", "start with \"/\""));
  }
}

TEST(ValidateHealthCheckTest, HttpPathCannotEndTheRequestLine) {
  for (const std::string& path :
       {std::string("/a b"), std::string("/a\r\nX: y"), std::string("/a\tb"), std::string("/\0", 2),
        std::string("/\x7f"), std::string("/\xc3\xa9"), "/" + std::string(1024, 'x')}) {
    Vip vip = WithCheck(Type::kHttps);
    vip.health_check.http_path = path;
    EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.http.path", "visible ASCII"));
  }
}

TEST(ValidateHealthCheckTest, HttpHostCannotInjectAHeader) {
  for (const char* host : {"a\r\nX: y", "a b", "a/b", "a?b", "user@a", "\xc3\xa9"}) {
    Vip vip = WithCheck(Type::kHttp);
    vip.health_check.http_host = host;
    EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.http.host", "not a host name"));
  }
  for (const char* host : {"", "print.example.com", "10.0.0.1:8080", "[fd00::1]:80"}) {
    Vip vip = WithCheck(Type::kHttp);
    vip.health_check.http_host = host;
    EXPECT_THAT(Lines(Validate(vip)), IsEmpty()) << host;
  }
}

TEST(ValidateHealthCheckTest, StatusesAreRangesOfHttpStatuses) {
  for (const StatusRange range : {StatusRange{99, 200}, {200, 600}, {300, 200}, {0, 0}}) {
    Vip vip = WithCheck(Type::kHttp);
    vip.health_check.expected_statuses = {range};
    EXPECT_THAT(Lines(Validate(vip)),
                IsError("spec.healthCheck.http.expectedStatuses", "not a range"));
  }
  Vip vip = WithCheck(Type::kHttp);
  vip.health_check.expected_statuses.clear();
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.http.expectedStatuses", "1 to 16"));
}

TEST(ValidateHealthCheckTest, SendExpectNeedsAnExpectation) {
  Vip vip = WithCheck(Type::kSendExpect);
  vip.health_check.expect.clear();
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.sendExpect.expect", "type TCP"));
  vip = WithCheck(Type::kSendExpect);
  vip.health_check.expect = std::string(1025, 'x');
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.sendExpect.expect", "1025 bytes"));
  vip = WithCheck(Type::kSendExpect);
  vip.health_check.send = std::string(1025, 'x');
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.sendExpect.send", "1025 bytes"));
}

TEST(FillDefaultsTest, TheCheckPortIsThePresetsOrElseTheFirst) {
  Vip vip = GoodVip("a", "10.0.0.1", "443,80");
  EXPECT_EQ(vip.health_check.port, 80);
  EXPECT_FALSE(vip.health_check.port_from_manifest);
  vip.health_check.port = 0;
  vip.presets = {"hp", "konica-minolta"};
  FillDefaults(vip);
  EXPECT_EQ(vip.health_check.port, 5122);
}

TEST(FillDefaultsTest, ThePortOfTheManifestStays) {
  Vip vip = GoodVip();
  vip.presets = {"konica-minolta"};
  vip.health_check.port = 8080;
  FillDefaults(vip);
  EXPECT_EQ(vip.health_check.port, 8080);
}

TEST(FillDefaultsTest, TheSelectorIsTheVipsNameUnlessThereIsAList) {
  Vip vip = GoodVip("dispatcher");
  EXPECT_EQ(vip.selector, (std::map<std::string, std::string>{{kVipLabel, "dispatcher"}}));
  Vip with_list = GoodVip();
  with_list.selector.clear();
  with_list.inline_servers = {MakeInline("a", "10.0.0.1")};
  FillDefaults(with_list);
  EXPECT_TRUE(with_list.selector.empty());
}

}  // namespace
}  // namespace fairlead::model
