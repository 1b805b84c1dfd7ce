#include "pkg/dataplane/dr/flow_table.h"

#include <gtest/gtest.h>

#include "tests/unit/dr/memory_map_store.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr absl::Duration kNow = absl::Seconds(100'000);
constexpr absl::Duration kIdle = absl::Hours(12);
constexpr uint32_t kServer = 5;
constexpr uint32_t kVip = 2;

class FlowTableTest : public testing::Test {
 protected:
  FlowTableTest() {
    load().vip = kVip;
    table_.SetLife(kServer, kIdle, absl::ZeroDuration());
  }
  bpf::DrServerLoad& load() { return store_.tables().loads[kServer]; }
  bpf::DrVipLoad& vip() { return store_.tables().vips[kVip]; }
  // A record as the program writes it at `time`; on the load, if it counts.
  __u64& Add(uint64_t marks, absl::Duration time, uint32_t shift) {
    const auto age = static_cast<uint64_t>(absl::ToInt64Nanoseconds(time)) >> shift;
    __u64& entry = store_.flows()[next_ / 8].entries[next_ % 8];
    entry = (0x1234567890ULL + next_++) << bpf::kDrFlowTagShift |
            (age & bpf::kDrFlowAgeMask) << bpf::kDrFlowAgeShift | marks | kServer;
    if (bpf::DrFlowCounts(entry) != 0) {
      ++load().active;
      ++vip().active;
    }
    return entry;
  }
  __u64& AddFlow(absl::Duration time, uint64_t marks = DR_FLOW_ESTABLISHED) {
    return Add(marks, time, AgeShift(kIdle, absl::ZeroDuration()));
  }

  MemoryMapStore store_;
  FlowTable table_{store_};
  size_t next_ = 0;
};

TEST_F(FlowTableTest, AnIdleFlowIsForgottenAndLeavesTheLoadOnce) {
  const __u64& idle = AddFlow(kNow);
  const __u64& ended = AddFlow(kNow, DR_FLOW_ESTABLISHED | bpf::kDrFlowEnded);
  const __u64& lively = AddFlow(kNow + absl::Hours(10));
  table_.ForgetIdle(kNow + absl::Hours(11));
  EXPECT_EQ(load().active, 2);
  table_.ForgetIdle(kNow + absl::Hours(13));
  EXPECT_EQ(idle, 0u);
  EXPECT_EQ(ended, 0u);
  EXPECT_NE(lively, 0u);
  EXPECT_EQ(load().active, 1);
  EXPECT_EQ(vip().active, 1);
  table_.ForgetIdle(kNow + absl::Hours(13));
  EXPECT_EQ(load().active, 1);
}

TEST_F(FlowTableTest, AHandshakeWithoutProgressIsForgottenSoon) {
  const __u64& handshake = Add(bpf::kDrFlowHandshake, kNow, bpf::kDrHandshakeAgeShift);
  table_.ForgetIdle(kNow + absl::Seconds(60));
  EXPECT_NE(handshake, 0u);
  EXPECT_EQ(load().active, 1);
  table_.ForgetIdle(kNow + absl::Seconds(72));
  EXPECT_EQ(handshake, 0u);
  EXPECT_EQ(load().active, 0);
  EXPECT_EQ(vip().active, 0);
}

TEST_F(FlowTableTest, ClientsHaveALifeOfTheirOwnAndAreOnNoLoad) {
  table_.SetLife(kServer, kIdle, absl::Hours(1));
  const __u64& client = AddFlow(kNow, bpf::kDrFlowClient);
  EXPECT_EQ(load().active, 0);
  table_.ForgetIdle(kNow + absl::Minutes(50));
  EXPECT_NE(client, 0u);
  table_.ForgetIdle(kNow + absl::Minutes(100));
  EXPECT_EQ(client, 0u);
  EXPECT_EQ(load().active, 0);
}

TEST_F(FlowTableTest, ALoadThatIsWrongIsCorrectedAfterSomeRecounts) {
  for (int i = 0; i < 10; ++i) AddFlow(kNow);
  for (const int32_t wrong : {13, 4, -2}) {
    load().active = wrong;
    vip().active = wrong;
    for (int i = 1; i < FlowTable::kRecountsToHeal; ++i) table_.ForgetIdle(kNow);
    EXPECT_EQ(load().active, wrong);
    table_.ForgetIdle(kNow);
    EXPECT_EQ(load().active, 10);
    EXPECT_EQ(vip().active, 10);
  }
  vip().active = 12;
  for (int i = 0; i < FlowTable::kRecountsToHeal; ++i) table_.ForgetIdle(kNow);
  EXPECT_EQ(vip().active, 10);
}

TEST_F(FlowTableTest, ADifferenceThatComesAndGoesIsNone) {
  for (int i = 0; i < 10; ++i) AddFlow(kNow);
  for (int round = 0; round < 10; ++round) {
    load().active = round % 2 == 0 ? 12 : 9;
    table_.ForgetIdle(kNow);
    EXPECT_EQ(load().active, round % 2 == 0 ? 12 : 9);
  }
  // Of differences in a row, the smallest is corrected.
  for (const int32_t active : {19, 12, 17}) {
    load().active = active;
    table_.ForgetIdle(kNow);
  }
  EXPECT_EQ(load().active, 15);
}

TEST_F(FlowTableTest, FlowsOfAServerThatIsGoneEndButKeepTheirRecords) {
  const __u64& flow = AddFlow(kNow);
  const __u64& client = AddFlow(kNow, bpf::kDrFlowClient);
  const __u64& handshake = Add(bpf::kDrFlowHandshake, kNow, bpf::kDrHandshakeAgeShift);
  const __u64 flow_before = flow;
  const __u64 client_before = client;
  table_.EndFlowsOf({kServer + 1});
  EXPECT_EQ(load().active, 2);
  for (int i = 0; i < 2; ++i) {
    table_.EndFlowsOf({kServer});
    EXPECT_EQ(load().active, 0);
    EXPECT_EQ(vip().active, 0);
    EXPECT_EQ(flow, flow_before | bpf::kDrFlowEnded);
    EXPECT_EQ(client, client_before);
    EXPECT_EQ(handshake & bpf::kDrFlowHandshake, 0u);
  }
}

TEST_F(FlowTableTest, RecordsOfOtherServersStay) {
  const __u64& flow = AddFlow(kNow);
  store_.flows()[100].entries[0] = 0x99ULL << bpf::kDrFlowTagShift | (kServer + 1);
  table_.ForgetServers({kServer});
  EXPECT_EQ(flow, 0u);
  EXPECT_EQ(load().active, 0);
  EXPECT_EQ(vip().active, 0);
  EXPECT_NE(store_.flows()[100].entries[0], 0u);
  // Its life is not known: kept.
  table_.ForgetIdle(kNow + absl::Hours(100));
  EXPECT_NE(store_.flows()[100].entries[0], 0u);
}

}  // namespace
}  // namespace fairlead::dataplane::dr
