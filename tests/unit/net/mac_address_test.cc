#include "pkg/net/mac_address.h"

#include "gtest/gtest.h"

namespace fairlead::net {
namespace {

TEST(MacAddressTest, ReadsWhatItWrites) {
  const MacAddress mac = {0x02, 0x00, 0x5e, 0x1a, 0xBC, 0xff};
  EXPECT_EQ(MacText(mac), "02:00:5e:1a:bc:ff");
  EXPECT_EQ(ParseMac("02:00:5e:1a:bc:ff").value(), mac);
  EXPECT_EQ(ParseMac("02-00-5E-1A-BC-FF").value(), mac);
}

TEST(MacAddressTest, RefusesWhatIsNone) {
  for (const char* text :
       {"", "02:00:5e:1a:bc", "02:00:5e:1a:bc:ff:00", "02:00:5e:1a:bc:fg", "02:00:5e:1a:bc-ff",
        "0200:5e:1a:bc:ff:", "02:00:5e:1a:bc: f", "02.00.5e.1a.bc.ff", "+2:00:5e:1a:bc:ff"}) {
    EXPECT_EQ(ParseMac(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace fairlead::net
