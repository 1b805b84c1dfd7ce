#include "pkg/cluster/pool_allocator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/cluster/cluster_testing.h"

namespace fairlead::cluster {
namespace {

using model::AddressPool;
using testing::HasSubstr;

AddressPool Pool(const std::string& name, const std::vector<std::string>& ranges) {
  AddressPool pool;
  pool.id = {model::ObjectKind::kAddressPool, "", name};
  for (const std::string& range : ranges) pool.ranges.push_back(*net::IpRange::Parse(range));
  return pool;
}

PoolClaim Claim(const std::string& name, int created, const std::string& pool = "office") {
  PoolClaim claim;
  claim.name_space = "default";
  claim.name = name;
  claim.created = absl::FromUnixSeconds(created);
  claim.pool = pool;
  return claim;
}

std::vector<PoolClaim> Claims(int count) {
  std::vector<PoolClaim> claims(count);
  for (int i = 0; i < count; ++i) claims[i] = Claim(absl::StrCat("vip", i), i);
  return claims;
}

PoolClaim Holding(const std::string& name, int created, const std::string& address,
                  const std::string& held_pool = "office") {
  PoolClaim claim = Claim(name, created);
  claim.held = Ip(address);
  claim.held_pool = held_pool;
  return claim;
}

std::string AddressOf(const PoolGrant& grant) {
  return grant.address.has_value() ? grant.address->ToString() : "";
}

const std::vector<AddressPool> kOffice = {Pool("office", {"10.0.0.1-10.0.0.3", "fd00::1"})};

TEST(PoolAllocatorTest, GivesTheFirstFreeAddressesInTheOrderOfCreation) {
  const PoolPlan plan = PlanPools({Claim("young", 9), Claim("old", 1)}, kOffice, {});
  EXPECT_EQ(AddressOf(plan.grants[0]), "10.0.0.2");
  EXPECT_EQ(AddressOf(plan.grants[1]), "10.0.0.1");
  EXPECT_TRUE(plan.grants[0].is_new);
  EXPECT_EQ(plan.grants[0].pool, "office");
  EXPECT_EQ(plan.uses.at("office").given, 2u);
  EXPECT_EQ(plan.uses.at("office").size, 4u);
}

TEST(PoolAllocatorTest, TheOrderOfTheClaimsDoesNotMatter) {
  const auto forward = PlanPools({Claim("a", 1), Claim("b", 1), Claim("c", 0)}, kOffice, {});
  const auto backward = PlanPools({Claim("c", 0), Claim("b", 1), Claim("a", 1)}, kOffice, {});
  EXPECT_EQ(AddressOf(forward.grants[0]), "10.0.0.2");
  EXPECT_EQ(AddressOf(backward.grants[2]), "10.0.0.2");
  EXPECT_EQ(AddressOf(forward.grants[2]), AddressOf(backward.grants[0]));
}

TEST(PoolAllocatorTest, WhatIsHeldComesFirstEvenOfAYoungerVip) {
  const PoolPlan plan = PlanPools({Claim("old", 1), Holding("young", 9, "10.0.0.1")}, kOffice, {});
  EXPECT_EQ(AddressOf(plan.grants[0]), "10.0.0.2");
  EXPECT_EQ(AddressOf(plan.grants[1]), "10.0.0.1");
  EXPECT_FALSE(plan.grants[1].is_new);
}

TEST(PoolAllocatorTest, OfTwoThatHoldOneAddressTheEarlierKeepsIt) {
  const PoolPlan plan =
      PlanPools({Holding("young", 9, "10.0.0.1"), Holding("old", 1, "10.0.0.1")}, kOffice, {});
  EXPECT_EQ(AddressOf(plan.grants[0]), "10.0.0.2");
  EXPECT_EQ(AddressOf(plan.grants[1]), "10.0.0.1");
}

TEST(PoolAllocatorTest, AddressesThatVipsNameThemselvesAreNotGivenOut) {
  const PoolPlan plan = PlanPools({Claim("a", 1)}, kOffice, {Ip("10.0.0.1"), Ip("10.0.0.2")});
  EXPECT_EQ(AddressOf(plan.grants[0]), "10.0.0.3");
  EXPECT_EQ(plan.uses.at("office").given, 3u);
}

TEST(PoolAllocatorTest, GoesOnToTheNextRangeAndThenIsExhausted) {
  const std::vector<PoolClaim> claims = Claims(5);
  const PoolPlan plan = PlanPools(claims, kOffice, {});
  EXPECT_EQ(AddressOf(plan.grants[3]), "fd00::1");
  EXPECT_EQ(plan.grants[4].verdict, PoolVerdict::kExhausted);
  EXPECT_EQ(AddressOf(plan.grants[4]), "");
  EXPECT_THAT(plan.grants[4].message, HasSubstr("AddressPool office has no address left"));
}

TEST(PoolAllocatorTest, GivesAnAddressOfTheFamilyThatIsAskedFor) {
  PoolClaim claim = Claim("a", 1);
  claim.family = net::IpFamily::kIpv6;
  EXPECT_EQ(AddressOf(PlanPools({claim}, kOffice, {}).grants[0]), "fd00::1");
}

TEST(PoolAllocatorTest, AWishIsFulfilledOrRefusedInWords) {
  PoolClaim wish = Claim("a", 9);
  wish.wished = Ip("10.0.0.3");
  EXPECT_EQ(AddressOf(PlanPools({wish}, kOffice, {}).grants[0]), "10.0.0.3");
  const PoolPlan taken = PlanPools({wish, Holding("b", 1, "10.0.0.3")}, kOffice, {});
  EXPECT_EQ(taken.grants[0].verdict, PoolVerdict::kWishTaken);
  EXPECT_EQ(AddressOf(taken.grants[0]), "");
  wish.wished = Ip("10.9.9.9");
  const PoolPlan outside = PlanPools({wish}, kOffice, {});
  EXPECT_EQ(outside.grants[0].verdict, PoolVerdict::kWishNotInPool);
}

TEST(PoolAllocatorTest, AWishMovesAVipThatHasAnAddressOnlyIfItCanBeFulfilled) {
  PoolClaim wish = Holding("a", 1, "10.0.0.1");
  wish.wished = Ip("10.0.0.2");
  EXPECT_EQ(AddressOf(PlanPools({wish}, kOffice, {}).grants[0]), "10.0.0.2");
  const PoolPlan taken = PlanPools({wish, Holding("b", 2, "10.0.0.2")}, kOffice, {});
  EXPECT_EQ(AddressOf(taken.grants[0]), "10.0.0.1");
  EXPECT_EQ(taken.grants[0].verdict, PoolVerdict::kGiven);
  EXPECT_THAT(taken.grants[0].message, HasSubstr("10.0.0.2 is another VIP's"));
}

TEST(PoolAllocatorTest, AnEditOfAPoolTakesNoAddressAway) {
  const PoolPlan shrunk =
      PlanPools({Holding("a", 1, "10.0.0.1")}, {Pool("office", {"10.0.0.2"})}, {});
  EXPECT_EQ(AddressOf(shrunk.grants[0]), "10.0.0.1");
  EXPECT_EQ(shrunk.grants[0].verdict, PoolVerdict::kKeptOutside);
  EXPECT_THAT(shrunk.grants[0].message, HasSubstr("holds it no longer"));
  const PoolPlan deleted = PlanPools({Holding("a", 1, "10.0.0.1")}, {}, {});
  EXPECT_EQ(AddressOf(deleted.grants[0]), "10.0.0.1");
  EXPECT_EQ(deleted.grants[0].verdict, PoolVerdict::kKeptOutside);
  AddressPool closed = kOffice[0];
  closed.namespaces = {"printing"};
  EXPECT_EQ(AddressOf(PlanPools({Holding("a", 1, "10.0.0.1")}, {closed}, {}).grants[0]),
            "10.0.0.1");
}

TEST(PoolAllocatorTest, AVipMovesToAnotherPoolWhenThatHasAnAddress) {
  PoolClaim claim = Holding("a", 1, "10.0.0.1");
  claim.pool = "lab";
  const std::vector<AddressPool> pools = {kOffice[0], Pool("lab", {"10.1.0.1"})};
  const PoolPlan moved = PlanPools({claim}, pools, {});
  EXPECT_EQ(AddressOf(moved.grants[0]), "10.1.0.1");
  EXPECT_EQ(moved.grants[0].pool, "lab");
  // Until then it stays, and nobody else gets the address.
  const PoolPlan full = PlanPools({claim, Claim("b", 2)}, pools, {Ip("10.1.0.1")});
  EXPECT_EQ(AddressOf(full.grants[0]), "10.0.0.1");
  EXPECT_EQ(full.grants[0].pool, "office");
  EXPECT_EQ(full.grants[0].verdict, PoolVerdict::kExhausted);
  EXPECT_EQ(AddressOf(full.grants[1]), "10.0.0.2");
}

TEST(PoolAllocatorTest, APoolIsForItsNamespaces) {
  AddressPool pool = kOffice[0];
  pool.namespaces = {"printing"};
  const PoolPlan plan = PlanPools({Claim("a", 1)}, {pool}, {});
  EXPECT_EQ(plan.grants[0].verdict, PoolVerdict::kNotAllowed);
  PoolClaim printing = Claim("a", 1);
  printing.name_space = "printing";
  EXPECT_EQ(AddressOf(PlanPools({printing}, {pool}, {}).grants[0]), "10.0.0.1");
}

TEST(PoolAllocatorTest, WhoNamesNoPoolGetsAnAddressOfOneWithAutoAssign) {
  AddressPool reserved = Pool("a-reserved", {"10.2.0.1"});
  reserved.auto_assign = false;
  const std::vector<AddressPool> pools = {reserved, Pool("b", {"10.3.0.1"}),
                                          Pool("c", {"10.4.0.1"})};
  const PoolPlan plan =
      PlanPools({Claim("x", 1, ""), Claim("y", 2, ""), Claim("z", 3, "")}, pools, {});
  EXPECT_EQ(AddressOf(plan.grants[0]), "10.3.0.1");
  EXPECT_EQ(plan.grants[0].pool, "b");
  EXPECT_EQ(AddressOf(plan.grants[1]), "10.4.0.1");
  EXPECT_EQ(plan.grants[2].verdict, PoolVerdict::kExhausted);
  PoolClaim wish = Claim("x", 1, "");
  wish.wished = Ip("10.2.0.1");
  EXPECT_EQ(PlanPools({wish}, pools, {}).grants[0].pool, "a-reserved") << "a wish names it";
  EXPECT_EQ(PlanPools({Claim("x", 1, "")}, {reserved}, {}).grants[0].verdict,
            PoolVerdict::kPoolNotFound);
}

TEST(PoolAllocatorTest, AnAddressWhosePoolWasNotRecordedIsAdoptedIfAPoolHoldsIt) {
  PoolClaim claim = Holding("a", 1, "10.0.0.2", "");
  EXPECT_EQ(AddressOf(PlanPools({claim}, kOffice, {}).grants[0]), "10.0.0.2");
  claim.pool = "";
  EXPECT_EQ(PlanPools({claim}, kOffice, {}).grants[0].pool, "office");
  claim.held = Ip("192.0.2.1");
  EXPECT_EQ(AddressOf(PlanPools({claim}, kOffice, {}).grants[0]), "10.0.0.1");
}

TEST(PoolAllocatorTest, CountsEachAddressOnceAndSaturates) {
  EXPECT_EQ(PoolSize(Pool("p", {"10.0.0.0/24", "10.0.0.128-10.0.1.9", "10.0.0.7"})), 266u);
  EXPECT_EQ(PoolSize(Pool("p", {"10.0.0.5", "fd00::/120"})), 257u);
  EXPECT_EQ(PoolSize(Pool("p", {"fd00::/64"})), UINT64_MAX);
  EXPECT_EQ(PoolSize(Pool("p", {"::/0"})), UINT64_MAX);
}

TEST(PoolAllocatorTest, AHugeRangeIsAsQuickAsASmallOne) {
  const std::vector<PoolClaim> claims = Claims(300);
  const PoolPlan plan = PlanPools(claims, {Pool("office", {"fd00::/64"})}, {});
  EXPECT_EQ(AddressOf(plan.grants[0]), "fd00::");
  EXPECT_EQ(AddressOf(plan.grants[299]), "fd00::12b");
}

TEST(PoolAllocatorTest, TheLastAddressOfTheSpaceIsNoTrap) {
  const std::vector<AddressPool> pools = {Pool("office", {"255.255.255.253-255.255.255.254"})};
  const PoolPlan plan = PlanPools({Claim("a", 1), Claim("b", 2), Claim("c", 3)}, pools, {});
  EXPECT_EQ(AddressOf(plan.grants[1]), "255.255.255.254");
  EXPECT_EQ(plan.grants[2].verdict, PoolVerdict::kExhausted);
}

}  // namespace
}  // namespace fairlead::cluster
