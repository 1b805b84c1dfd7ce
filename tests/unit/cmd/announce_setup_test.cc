#include "cmd/fairlead/announce_setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::cmd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

net::IpAddress Address(const char* text) { return *net::IpAddress::Parse(text); }

model::Vip MakeVip(const char* address, model::Mode mode) {
  model::Vip vip;
  vip.addresses = {Address(address)};
  vip.mode = mode;
  vip.advertise.type = model::Advertise::Type::kL2;
  return vip;
}

TEST(AnnounceSetupTest, WantsTheAddressesOfEnabledVipsThatAdvertiseByL2) {
  model::DesiredState desired;
  desired.vips = {MakeVip("10.0.0.1", model::Mode::kSnat), MakeVip("10.0.0.2", model::Mode::kDr),
                  MakeVip("10.0.0.3", model::Mode::kSnat), MakeVip("10.0.0.4", model::Mode::kSnat)};
  desired.vips[1].advertise.interface = "eth1";
  desired.vips[2].enabled = false;
  desired.vips[3].advertise.type = model::Advertise::Type::kNone;
  // What the kernel forwards goes on without the daemon.
  EXPECT_THAT(WantedAddresses(desired, "eth0"),
              ElementsAre(ha::WantedAddress{Address("10.0.0.1"), "eth0", false},
                          ha::WantedAddress{Address("10.0.0.2"), "eth1", true}));
}

TEST(AnnounceSetupTest, MulticastSpeaksTheFamilyOfTheAddresses) {
  model::Pair pair;
  pair.transport = model::Pair::Transport::kMulticast;
  const auto family = [&](std::vector<ha::WantedAddress> addresses) {
    return ToPairSettings(pair, "eth0", addresses).transport.family;
  };
  EXPECT_EQ(family({}), net::IpFamily::kIpv4);
  EXPECT_EQ(family({{Address("fd00::1"), "", false}}), net::IpFamily::kIpv6);
  EXPECT_EQ(family({{Address("fd00::1"), "", false}, {Address("10.0.0.1"), "", false}}),
            net::IpFamily::kIpv4);
}

TEST(AnnounceSetupTest, IsImpairedWhenNoAnnouncedVipHasARealServerLeft) {
  controller::ControlView view;
  EXPECT_EQ(ImpairmentOf(view), "");
  controller::VipView vip;
  vip.announced = true;
  vip.servers.resize(2);
  vip.servers[0].eligibility = model::Eligibility::kNone;
  vip.servers[1].eligibility = model::Eligibility::kNone;
  view.vips = {vip, vip};
  EXPECT_THAT(ImpairmentOf(view), HasSubstr("no announced VIP has a real server"));
  view.vips[1].servers[1].eligibility = model::Eligibility::kPersistentOnly;
  EXPECT_EQ(ImpairmentOf(view), "");
  view.vips[1].announced = false;
  EXPECT_NE(ImpairmentOf(view), "");
  view.vips[0].servers.clear();  // nothing is configured that could serve
  EXPECT_EQ(ImpairmentOf(view), "");
}

}  // namespace
}  // namespace fairlead::cmd
