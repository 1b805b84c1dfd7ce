#include "pkg/base/counted.h"

#include <gtest/gtest.h>

namespace fairlead::base {
namespace {

TEST(CountedTest, OnlyOneIsSingular) {
  EXPECT_EQ(Counted(0, "VIP"), "0 VIPs");
  EXPECT_EQ(Counted(1, "VIP"), "1 VIP");
  EXPECT_EQ(Counted(2, "real server"), "2 real servers");
}

}  // namespace
}  // namespace fairlead::base
