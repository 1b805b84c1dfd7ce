#include "pkg/net/port_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bitset>
#include <random>

namespace fairlead::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

PortSet Ports(absl::string_view text) { return *PortSet::Parse(text); }
std::string Canonical(absl::string_view text) { return Ports(text).ToString(); }
std::string ErrorOf(absl::string_view text) {
  return std::string(PortSet::Parse(text).status().message());
}

TEST(PortSetTest, TheGuidesListIsItsOwnCanonicalForm) {
  EXPECT_EQ(Canonical("80,443,5014-5019,5021,5022,50001,50003"),
            "80,443,5014-5019,5021,5022,50001,50003");
}

TEST(PortSetTest, CanonicalFormIsSortedMergedAndWithoutDuplicates) {
  EXPECT_EQ(Canonical("443,80"), "80,443");
  EXPECT_EQ(Canonical("80,80,80"), "80");
  EXPECT_EQ(Canonical("1-5,3-8"), "1-8");
  EXPECT_EQ(Canonical("1-3,4-6"), "1-6");
  EXPECT_EQ(Canonical("5,4,3"), "3-5");
  EXPECT_EQ(Canonical("10-20,12"), "10-20");
  EXPECT_EQ(Canonical("65535,1"), "1,65535");
  EXPECT_EQ(Canonical("65534-65535"), "65534,65535");
  EXPECT_EQ(Canonical("7-7"), "7");
}

TEST(PortSetTest, TwoAdjacentPortsPrintAsAList) { EXPECT_EQ(Canonical("5021-5022"), "5021,5022"); }

TEST(PortSetTest, BlanksAroundItemsAreAllowed) {
  EXPECT_EQ(Canonical(" 80 ,\t443 , 5014 - 5019 "), "80,443,5014-5019");
}

TEST(PortSetTest, StarIsEveryPort) {
  EXPECT_TRUE(Ports("*").is_all());
  EXPECT_TRUE(Ports("1-65535").is_all());
  EXPECT_EQ(Ports(" * ").ToString(), "*");
  EXPECT_EQ(Ports("*").count(), 65535u);
  EXPECT_FALSE(Ports("1-65534").is_all());
}

TEST(PortSetTest, CanonicalFormParsesToTheSameSet) {
  for (const char* text : {"80,443", "1-65535", "5014-5019,5021,5022", "1,3,5,7"}) {
    EXPECT_EQ(Ports(Canonical(text)), Ports(text));
  }
}

TEST(PortSetTest, RejectsPortZeroAndNamesIt) {
  EXPECT_THAT(ErrorOf("80,0"), HasSubstr("\"0\": 0 is not a port"));
  EXPECT_THAT(ErrorOf("0-80"), HasSubstr("0 is not a port"));
}

TEST(PortSetTest, RejectsPortsAbove65535AndNamesThem) {
  EXPECT_THAT(ErrorOf("70000"), HasSubstr("\"70000\" > 65535"));
  EXPECT_THAT(ErrorOf("65536"), HasSubstr("> 65535"));
  EXPECT_THAT(ErrorOf("99999999999999999999"), HasSubstr("> 65535"));
}

TEST(PortSetTest, RejectsReversedRangeAndSaysTheRightOne) {
  EXPECT_THAT(ErrorOf("5019-5014"), HasSubstr("\"5019-5014\" is reversed; write 5014-5019"));
}

TEST(PortSetTest, RejectsEmptyItems) {
  for (const char* text : {"", " ", "80,", ",80", "80,,443"}) {
    EXPECT_THAT(ErrorOf(text), HasSubstr("empty item")) << text;
  }
}

TEST(PortSetTest, RejectsWhatIsNoNumber) {
  for (const char* text :
       {"http", "80;443", "80-", "-80", "8-9-10", "+80", "0x50", "8 0", "*,80"}) {
    EXPECT_FALSE(PortSet::Parse(text).ok()) << text;
  }
}

TEST(PortSetTest, AnswersWhatItContains) {
  const PortSet ports = Ports("80,5014-5019,65535");
  for (const int port : {80, 5014, 5016, 5019, 65535}) EXPECT_TRUE(ports.Contains(port)) << port;
  for (const int port : {1, 79, 81, 5013, 5020, 65534}) EXPECT_FALSE(ports.Contains(port)) << port;
  EXPECT_FALSE(PortSet().Contains(80));
}

TEST(PortSetTest, IntersectionHoldsWhatIsInBoth) {
  EXPECT_EQ(Ports("1-10,20-30").Intersection(Ports("5-25")).ToString(), "5-10,20-25");
  EXPECT_THAT(Ports("80").Intersection(Ports("443")).ToString(), IsEmpty());
  EXPECT_TRUE(Ports("80,443").Intersects(Ports("443-500")));
  EXPECT_FALSE(Ports("80").Intersects(Ports("81")));
}

TEST(PortSetTest, UnionOfPresetsIsCanonical) {
  PortSet ports = Ports("443,5021,5022");
  ports.Add(Ports("80,443,5023"));
  EXPECT_EQ(ports.ToString(), "80,443,5021-5023");
}

TEST(PortSetTest, CountsAndListsPorts) {
  EXPECT_EQ(Ports("80,5014-5019").count(), 7u);
  EXPECT_THAT(Ports("5,7-9").ToPorts(), ElementsAre(5, 7, 8, 9));
  EXPECT_EQ(Ports("443,80").first(), 80);
  EXPECT_TRUE(PortSet().empty());
  EXPECT_EQ(PortSet().ToString(), "");
}

// Against the plainest set there is: one bit per port.
TEST(PortSetTest, AgreesWithABitmapOnRandomSets) {
  constexpr uint32_t kSeed = 20260102;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 300; ++round) {
    PortSet ports;
    std::bitset<65536> expected;
    std::vector<PortRange> ranges;
    for (int i = 0; i < 20; ++i) {
      // Near the upper end too, where a sum could wrap.
      const int first = 65535 - static_cast<int>(random() % 200);
      const int last = std::min<int>(65535, first + static_cast<int>(random() % 10));
      ranges.push_back({static_cast<uint16_t>(first), static_cast<uint16_t>(last)});
      ports.Add(ranges.back());
      for (int port = first; port <= last; ++port) expected.set(port);
    }
    ASSERT_EQ(ports.count(), expected.count()) << "seed " << kSeed << " round " << round;
    for (int port = 65300; port <= 65535; ++port) {
      ASSERT_EQ(ports.Contains(port), expected[port]) << "seed " << kSeed << " port " << port;
    }
    ASSERT_EQ(PortSet::FromRanges(ranges), ports);
    ASSERT_EQ(Ports(ports.ToString()), ports);
  }
}

}  // namespace
}  // namespace fairlead::net
