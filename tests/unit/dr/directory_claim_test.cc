#include "pkg/dataplane/dr/directory_claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"

namespace fairlead::dataplane::dr {
namespace {

using testing::HasSubstr;

constexpr absl::Duration kNow = absl::Seconds(1000);

// On an ordinary file system: locks and symbolic links are the same in a bpffs.
class DirectoryClaimTest : public testing::Test {
 protected:
  void SetUp() override {
    char made[] = "/tmp/fairlead-claim-XXXXXX";
    ASSERT_NE(::mkdtemp(made), nullptr);
    root_ = made;
    for (const char* name : {"bpf", "state-1", "state-2"}) {
      ASSERT_EQ(::mkdir(absl::StrCat(root_, "/", name).c_str(), 0700), 0);
    }
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  // As a process of its own would: a lock is of the open directory.
  std::unique_ptr<DirectoryClaim> Daemon(int state, bool takeover = false) {
    return std::make_unique<DirectoryClaim>(absl::StrCat(root_, "/bpf"),
                                            absl::StrCat(root_, "/state-", state), takeover);
  }

  std::string root_;
};

TEST_F(DirectoryClaimTest, ALivingDaemonKeepsOthersOutAndIsNamed) {
  const auto first = Daemon(1);
  ASSERT_TRUE(first->Claim(kNow).ok());
  const auto second = Daemon(2);
  const absl::Status refused = second->Claim(kNow + absl::Hours(1));
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr(absl::StrCat(root_, "/state-1")));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--bpf-directory"));
  EXPECT_FALSE(*second->ClaimForRemoval());
}

TEST_F(DirectoryClaimTest, TheSameStateDirectoryTwiceIsForATakeover) {
  const auto first = Daemon(1);
  ASSERT_TRUE(first->Claim(kNow).ok());
  EXPECT_THAT(std::string(Daemon(1)->Claim(kNow).message()), HasSubstr("--takeover"));
  const auto next = Daemon(1, /*takeover=*/true);
  EXPECT_TRUE(next->Claim(kNow).ok());
  EXPECT_TRUE(absl::IsUnavailable(next->ClaimForRemoval().status()));
  next->Renew();  // in vain
  EXPECT_FALSE(Daemon(2)->Claim(kNow).ok());
  first->Release();
  next->Renew();
  EXPECT_FALSE(Daemon(1)->Claim(kNow).ok()) << "the next one holds it now";
  EXPECT_TRUE(*next->ClaimForRemoval());
}

TEST_F(DirectoryClaimTest, ARestartFindsItsOwn) {
  ASSERT_TRUE(Daemon(1)->Claim(kNow).ok());  // and ends at once
  EXPECT_TRUE(Daemon(1)->Claim(kNow).ok());
  EXPECT_TRUE(*Daemon(1)->ClaimForRemoval());
}

TEST_F(DirectoryClaimTest, WhatAStrangerLeftIsNotRemovedAndTakenOverAfterAMinuteAlone) {
  ASSERT_TRUE(Daemon(1)->Claim(kNow).ok());
  const auto stranger = Daemon(2);
  EXPECT_FALSE(*stranger->ClaimForRemoval());
  EXPECT_TRUE(absl::IsUnavailable(stranger->Claim(kNow)));
  EXPECT_TRUE(absl::IsUnavailable(
      stranger->Claim(kNow + DirectoryClaim::kStrangerTime - absl::Seconds(1))));
  EXPECT_TRUE(Daemon(1)->Claim(kNow).ok()) << "it may come back meanwhile";
  EXPECT_TRUE(stranger->Claim(kNow + DirectoryClaim::kStrangerTime).ok());
  EXPECT_TRUE(*stranger->ClaimForRemoval());
}

TEST_F(DirectoryClaimTest, AStrangerThatCameBackIsWaitedForAnew) {
  const std::string note = absl::StrCat(root_, "/bpf/owner");
  std::filesystem::create_symlink("id=1:1 pid=7 state=/var/lib/fairlead", note);
  const auto stranger = Daemon(2);
  EXPECT_TRUE(absl::IsUnavailable(stranger->Claim(kNow)));
  std::filesystem::remove(note);
  std::filesystem::create_symlink("id=1:1 pid=8 state=/var/lib/fairlead", note);
  EXPECT_TRUE(absl::IsUnavailable(stranger->Claim(kNow + DirectoryClaim::kStrangerTime)));
}

TEST_F(DirectoryClaimTest, WhatNobodyNotedMayBeRemoved) {
  EXPECT_TRUE(*Daemon(1)->ClaimForRemoval());
  std::filesystem::remove(absl::StrCat(root_, "/bpf"));
  EXPECT_FALSE(*Daemon(2)->ClaimForRemoval()) << "there is nothing";
}

}  // namespace
}  // namespace fairlead::dataplane::dr
