#include "pkg/arp/arp_watch.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::arp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

net::IpAddress Address(const char* text) { return *net::IpAddress::Parse(text); }

Interface Made(uint32_t ifindex, const char* address, int prefix_length, bool asks = true) {
  return {.ifindex = ifindex,
          .name = "eth",
          .mac = {2, 0, 0, 0, 0, 1},
          .asks = asks,
          .addresses = {{Address(address), prefix_length}}};
}

TEST(QuestionsTest, AsksWhereTheVipIsAndWhereItsServersAre) {
  const Interfaces interfaces = {{1, Made(1, "127.0.0.1", 8, /*asks=*/false)},
                                 {2, Made(2, "10.2.0.100", 32)},
                                 {3, Made(3, "10.3.0.1", 24)}};
  const Question here = {2, Address("10.2.0.100")};
  const Question there = {3, Address("10.2.0.100")};
  EXPECT_THAT(QuestionsOf({{Address("10.2.0.100"), {3}}}, interfaces), ElementsAre(here, there));
  EXPECT_THAT(QuestionsOf({{Address("10.2.0.100"), {2}}}, interfaces), ElementsAre(here));
}

TEST(QuestionsTest, DoesNotAskForWhatIsNotHere) {
  const Interfaces interfaces = {{2, Made(2, "10.2.0.1", 24)}};
  EXPECT_THAT(QuestionsOf({{Address("10.2.0.100"), {2}}}, interfaces), IsEmpty());
}

TEST(QuestionsTest, AVipOnLoopbackIsAskedForWhereItsServersAre) {
  const Interfaces interfaces = {{1, Made(1, "10.2.0.100", 32, /*asks=*/false)},
                                 {2, Made(2, "10.2.0.1", 24)}};
  EXPECT_THAT(QuestionsOf({{Address("10.2.0.100"), {2}}}, interfaces),
              ElementsAre(Question{2, Address("10.2.0.100")}));
}

TEST(InterfacesTest, SolicitationsComeFromALinkLocalAddressIfThereIsOne) {
  Interface interface = Made(2, "fd02::1", 64);
  EXPECT_EQ(SolicitationSource(interface, Address("fd02::100")), Address("fd02::1"));
  EXPECT_EQ(SolicitationSource(interface, Address("fd02::1")), std::nullopt);
  interface.addresses.push_back({Address("fe80::1"), 64});
  EXPECT_EQ(SolicitationSource(interface, Address("fd02::100")), Address("fe80::1"));
  EXPECT_EQ(SolicitationSource(Made(2, "10.2.0.1", 24), Address("fd02::100")), std::nullopt);
}

TEST(InterfacesTest, ReachesWhatIsInOneOfItsNetworks) {
  const Interface interface = Made(2, "10.2.0.1", 24);
  EXPECT_TRUE(interface.Reaches(Address("10.2.0.11")));
  EXPECT_FALSE(interface.Reaches(Address("10.3.0.11")));
  EXPECT_FALSE(interface.Reaches(Address("fd02::11")));
}

TEST(InterfacesTest, ReadsThoseOfThisHost) {
  bool loopback = false;
  for (const auto& [ifindex, interface] : ReadInterfaces()) {
    if (interface.Has(Address("127.0.0.1"))) {
      loopback = true;
      EXPECT_FALSE(interface.asks);
      EXPECT_TRUE(interface.Reaches(Address("127.1.2.3")));
    }
  }
  EXPECT_TRUE(loopback);
}

}  // namespace
}  // namespace fairlead::arp
