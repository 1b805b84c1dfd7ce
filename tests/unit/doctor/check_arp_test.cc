#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/doctor/fabricated_host.h"

namespace fairlead::doctor {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ArpProblemTest : public testing::Test {
 protected:
  ArpProblemTest() {
    model::Vip vip;
    vip.id = {model::ObjectKind::kVip, "default", "web"};
    vip.mode = model::Mode::kDr;
    vip.addresses = {vip_};
    vip.ports = *net::PortSet::Parse("80");
    model::InlineServer server;
    server.name = "srv-1";
    server.spec.address = server_;
    vip.inline_servers = {server};
    desired_.vips = {vip};
    host_.desired = &desired_;
    host_.probes.asked = {vip_, server_};
    host_.probes.claims = {{server_, mac_}};
  }
  std::vector<std::string> Told() const { return host_.About("VIP default/web"); }

  const net::IpAddress vip_ = *net::IpAddress::Parse("10.2.0.100");
  const net::IpAddress server_ = *net::IpAddress::Parse("10.2.0.11");
  const net::MacAddress mac_ = {2, 0, 0, 0, 0, 0x11};
  FabricatedHost host_;
  model::DesiredState desired_;
};

TEST_F(ArpProblemTest, SilentServersAreFine) {
  EXPECT_THAT(Told(), Contains("ok: no other host answers ARP for 10.2.0.100"));
}

TEST_F(ArpProblemTest, AServerThatAnswersIsNamedWithTheRemedy) {
  host_.probes.claims.insert({vip_, mac_});
  EXPECT_THAT(Told(), Contains(testing::AllOf(
                          HasSubstr("problem: real server srv-1 (10.2.0.11) answers ARP"),
                          HasSubstr("prepare-realserver --os linux --vip 10.2.0.100"))));
}

TEST_F(ArpProblemTest, AnotherBalancerIsNoRealServer) {
  host_.probes.claims.insert({vip_, {2, 0, 0, 0, 0, 0x99}});
  EXPECT_THAT(Told(), Contains(HasSubstr("warning: unknown host, MAC 02:00:00:00:00:99")));
  EXPECT_THAT(Told(), Not(Contains(HasSubstr("problem: real server"))));
}

TEST_F(ArpProblemTest, SaysWhatItCouldNotAsk) {
  host_.probes.asked.clear();
  host_.probes.ask_refusal = "packet socket: Operation not permitted (EPERM)";
  EXPECT_THAT(host_.About("ARP problem"), Contains(HasSubstr("EPERM")));
  EXPECT_THAT(Told(), Not(Contains(HasSubstr("ARP for"))));
}

TEST_F(ArpProblemTest, ModeSnatHasNone) {
  desired_.vips[0].mode = model::Mode::kSnat;
  EXPECT_THAT(Told(), Not(Contains(HasSubstr("ARP for"))));
}

}  // namespace
}  // namespace fairlead::doctor
