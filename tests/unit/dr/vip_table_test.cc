#include "pkg/dataplane/dr/vip_table.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace fairlead::dataplane::dr {
namespace {

VipKey Key(const std::string& address, uint8_t protocol) {
  return {*net::IpAddress::Parse(address), protocol};
}

TEST(VipTableTest, KeysSurviveTheMap) {
  for (const VipKey& key : {Key("10.10.10.150", IPPROTO_TCP), Key("10.10.10.150", IPPROTO_UDP),
                            Key("fd00::150", IPPROTO_TCP), Key("::a0a:a96", IPPROTO_UDP)}) {
    const auto read = KeyOfVipSlot(MakeVipSlot(key));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(*read, key);
  }
  EXPECT_FALSE(KeyOfVipSlot(bpf::DrVipSlot{}).ok());
}

TEST(VipTableTest, EveryVipOfAFullTableHasAPlaceOfItsOwn) {
  std::vector<bpf::DrVipSlot> vips;
  for (uint32_t i = 0; i < bpf::kDrPortTables; ++i) {
    vips.push_back(MakeVipSlot(i % 2 == 0 ? Key(absl::StrCat("10.0.0.", i), IPPROTO_TCP)
                                          : Key(absl::StrCat("fd00::", i), IPPROTO_UDP)));
    vips.back().port_table = i;
  }
  const auto table = BuildVipTable(vips);
  ASSERT_TRUE(table.ok()) << table.status();
  for (const bpf::DrVipSlot& vip : vips) {
    const bpf::DrVipSlot& slot = table->slots[bpf::DrVipIndex(vip.address, vip.kind, table->seed)];
    EXPECT_EQ(slot.port_table, vip.port_table);
    EXPECT_EQ(slot.kind, vip.kind);
  }
}

}  // namespace
}  // namespace fairlead::dataplane::dr
