#include "pkg/dataplane/dr/ring_window.h"

#include <gtest/gtest.h>

#include <vector>

namespace fairlead::dataplane::dr {
namespace {

using Ring = std::vector<uint16_t>;
constexpr uint16_t kDirty = 0x8000;

TEST(RingWindowTest, TheFirstRingIsClean) {
  EXPECT_EQ(ChangeOwners({}, Ring{1, 2, 3, 1}), (RingState{{1, 2, 3, 1}, {}}));
}

TEST(RingWindowTest, ASlotThatChangesHandsIsDirtyAndKeepsItsFirstOwnerAsBase) {
  const RingState first = {{1, 2, 3, 1}, {}};
  const RingState second = ChangeOwners(first, Ring{1, 4, 3, 4});
  EXPECT_EQ(second, (RingState{{1, 4 | kDirty, 3, 4 | kDirty}, {1, 2, 3, 1}}));
  const RingState third = ChangeOwners(second, Ring{5, 5, 3, 1});
  EXPECT_EQ(third, (RingState{{5 | kDirty, 5 | kDirty, 3, 1 | kDirty}, {1, 2, 3, 1}}));
}

TEST(RingWindowTest, ASlotThatHadNoServerHadNoFlows) {
  EXPECT_EQ(ChangeOwners({{0, 0, 1, 0}, {}}, Ring{2, 0, 1, 2}), (RingState{{2, 0, 1, 2}, {}}));
  EXPECT_EQ(ChangeOwners({{1, 1, 1, 1}, {}}, Ring{0, 0, 0, 0}),
            (RingState{{kDirty, kDirty, kDirty, kDirty}, {1, 1, 1, 1}}));
}

TEST(RingWindowTest, KnowsWhetherOwnersAreTheSame) {
  EXPECT_TRUE(HasOwners({{1, 2 | kDirty}, {1, 1}}, Ring{1, 2}));
  EXPECT_FALSE(HasOwners({{1, 2 | kDirty}, {1, 1}}, Ring{1, 1}));
  EXPECT_FALSE(HasOwners({}, Ring{1, 1}));
}

TEST(RingWindowTest, TheWindowEndsWhereNoForeignFlowLives) {
  const RingState state = {{1, 4 | kDirty, 3, 4 | kDirty}, {1, 2, 3, 1}};
  EXPECT_EQ(EndWindow(state, [](uint32_t, uint16_t) { return false; }),
            (RingState{{1, 4, 3, 4}, {}}));
  EXPECT_EQ(EndWindow(state, [](uint32_t slot, uint16_t) { return slot == 3; }),
            (RingState{{1, 4, 3, 4 | kDirty}, {1, 4, 3, 4}}));
}

}  // namespace
}  // namespace fairlead::dataplane::dr
