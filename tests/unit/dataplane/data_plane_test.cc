#include "pkg/dataplane/data_plane.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace fairlead::dataplane {
namespace {

TEST(RejectionNameTest, EveryRejectionHasANameOfItsOwn) {
  std::set<std::string> names;
  for (size_t i = 0; i < kRejectionCount; ++i) {
    names.insert(RejectionName(static_cast<Rejection>(i)));
  }
  EXPECT_EQ(names.size(), kRejectionCount);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace fairlead::dataplane
