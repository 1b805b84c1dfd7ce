#include "pkg/model/server_state.h"

#include <gtest/gtest.h>

namespace fairlead::model {
namespace {

struct Row {
  AdminState admin;
  OperationalState operational;
  bool all_unknown;
  Eligibility weighted;     // weight > 0
  Eligibility weight_zero;  // weight = 0
};

constexpr auto kAll = Eligibility::kAll;
constexpr auto kPersistentOnly = Eligibility::kPersistentOnly;
constexpr auto kNone = Eligibility::kNone;

// The table of server_state.h, cell by cell, with both values of `all_unknown` everywhere.
constexpr Row kTable[] = {
    {AdminState::kOnline, OperationalState::kUp, false, kAll, kPersistentOnly},
    {AdminState::kOnline, OperationalState::kUp, true, kAll, kPersistentOnly},
    {AdminState::kOnline, OperationalState::kUnknown, true, kAll, kPersistentOnly},
    {AdminState::kOnline, OperationalState::kUnknown, false, kNone, kNone},
    {AdminState::kOnline, OperationalState::kDown, false, kNone, kNone},
    {AdminState::kOnline, OperationalState::kDown, true, kNone, kNone},
    {AdminState::kDrain, OperationalState::kUp, false, kPersistentOnly, kPersistentOnly},
    {AdminState::kDrain, OperationalState::kUp, true, kPersistentOnly, kPersistentOnly},
    {AdminState::kDrain, OperationalState::kUnknown, true, kPersistentOnly, kPersistentOnly},
    {AdminState::kDrain, OperationalState::kUnknown, false, kNone, kNone},
    {AdminState::kDrain, OperationalState::kDown, false, kNone, kNone},
    {AdminState::kDrain, OperationalState::kDown, true, kNone, kNone},
    {AdminState::kHalt, OperationalState::kUp, false, kNone, kNone},
    {AdminState::kHalt, OperationalState::kUp, true, kNone, kNone},
    {AdminState::kHalt, OperationalState::kUnknown, true, kNone, kNone},
    {AdminState::kHalt, OperationalState::kUnknown, false, kNone, kNone},
    {AdminState::kHalt, OperationalState::kDown, false, kNone, kNone},
    {AdminState::kHalt, OperationalState::kDown, true, kNone, kNone},
};

TEST(JoinStatesTest, AgreesWithTheTableInEveryCell) {
  static_assert(std::size(kTable) == 3 * 3 * 2);
  for (const Row& row : kTable) {
    SCOPED_TRACE(testing::Message()
                 << AdminStateName(row.admin) << " " << OperationalStateName(row.operational)
                 << (row.all_unknown ? " all unknown" : ""));
    EXPECT_EQ(JoinStates(row.admin, row.operational, false, row.all_unknown), row.weighted);
    EXPECT_EQ(JoinStates(row.admin, row.operational, true, row.all_unknown), row.weight_zero);
  }
}

}  // namespace
}  // namespace fairlead::model
