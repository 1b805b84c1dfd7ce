#include <gtest/gtest.h>

#include "tests/unit/source/source_testing.h"

namespace fairlead::source {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

DecodeResult DecodePool(absl::string_view spec) {
  return DecodeManifests(absl::StrCat(Header("AddressPool", "office"), "spec: ", spec, "\n"),
                         "t.yaml");
}

std::vector<std::string> Bad(absl::string_view spec) {
  const DecodeResult result = DecodePool(spec);
  EXPECT_THAT(result.address_pools, IsEmpty()) << spec;
  EXPECT_EQ(result.rejected.size(), 1u) << spec;
  return LinesOf(result.findings);
}

TEST(AddressPoolDecoderTest, ReadsEveryFieldAndSaysThatNothingInFilesUsesIt) {
  const DecodeResult result = DecodePool(
      "{ranges: [10.10.10.150-10.10.10.199, \"fd00:10::/120\"], autoAssign: false, namespaces: "
      "[printing, default]}");
  EXPECT_THAT(LinesOf(result.findings),
              ElementsAre(AllOf(HasSubstr("warning: AddressPool office"),
                                HasSubstr("no VIP in files takes its address from a pool"))));
  ASSERT_EQ(result.address_pools.size(), 1u);
  const model::AddressPool& pool = result.address_pools[0];
  EXPECT_EQ(pool.id.QualifiedName(), "office");
  ASSERT_EQ(pool.ranges.size(), 2u);
  EXPECT_EQ(pool.ranges[0].ToString(), "10.10.10.150-10.10.10.199");
  EXPECT_EQ(pool.ranges[1].ToString(), "fd00:10::-fd00:10::ff");
  EXPECT_FALSE(pool.auto_assign);
  EXPECT_THAT(pool.namespaces, ElementsAre("printing", "default"));
}

TEST(AddressPoolDecoderTest, DefaultsAreEveryVipOfEveryNamespace) {
  const DecodeResult result = DecodePool("{ranges: [10.0.0.1]}");
  ASSERT_EQ(result.address_pools.size(), 1u);
  EXPECT_TRUE(result.address_pools[0].auto_assign);
  EXPECT_THAT(result.address_pools[0].namespaces, IsEmpty());
}

TEST(AddressPoolDecoderTest, NeedsOneToSixtyFourRanges) {
  EXPECT_THAT(Bad("{}"), Contains(HasSubstr("spec.ranges: a pool has 1 to 64 ranges, not 0")));
  EXPECT_THAT(Bad("{ranges: []}"), Contains(HasSubstr("spec.ranges")));
  std::string ranges = "10.0.0.0";
  for (int i = 1; i <= 64; ++i) absl::StrAppend(&ranges, ", 10.0.0.", i);
  EXPECT_THAT(Bad(absl::StrCat("{ranges: [", ranges, "]}")), Contains(HasSubstr("not 65")));
}

TEST(AddressPoolDecoderTest, NamesTheBadRange) {
  EXPECT_THAT(Bad("{ranges: [10.0.0.1, 10.0.0.9-10.0.0.8]}"),
              Contains(HasSubstr("t.yaml:4:27: error: AddressPool office: spec.ranges[1]: "
                                 "\"10.0.0.9-10.0.0.8\" is reversed")));
  EXPECT_THAT(Bad("{ranges: [224.0.0.0/24]}"), Contains(HasSubstr("is a multicast address")));
  EXPECT_THAT(Bad("{ranges: [255.255.255.0/24]}"), Contains(HasSubstr("is the broadcast address")));
  EXPECT_THAT(Bad("{ranges: 10.0.0.1}"),
              Contains(HasSubstr("spec.ranges: must be a list such as")));
}

TEST(AddressPoolDecoderTest, NamesTheBadNamespace) {
  EXPECT_THAT(Bad("{ranges: [10.0.0.1], namespaces: [a, A]}"),
              Contains(HasSubstr("spec.namespaces[1]: \"A\" is not a namespace")));
  EXPECT_THAT(Bad("{ranges: [10.0.0.1], namespaces: [a, a]}"),
              Contains(HasSubstr("spec.namespaces[1]: \"a\" is listed twice")));
  EXPECT_THAT(Bad("{ranges: [10.0.0.1], namespaces: [5]}"),
              Contains(HasSubstr("spec.namespaces[0]: must be a string")));
}

TEST(AddressPoolDecoderTest, BelongsToNoNamespace) {
  const DecodeResult result = DecodeManifests(
      Header("AddressPool", "office, namespace: default") + "spec: {ranges: [10.0.0.1]}\n",
      "t.yaml");
  EXPECT_THAT(LinesOf(result.findings),
              Contains(HasSubstr("metadata.namespace: kind AddressPool belongs to no namespace")));
}

}  // namespace
}  // namespace fairlead::source
