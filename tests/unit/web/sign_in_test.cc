// Passwords, users, sessions and the limit of tries, each for itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "pkg/web/login_limiter.h"
#include "pkg/web/password.h"
#include "pkg/web/random.h"
#include "pkg/web/session_table.h"
#include "pkg/web/user_store.h"
#include "tests/unit/web/fake_clock.h"

namespace fairlead::web {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

net::IpAddress Address(const char* text) { return *net::IpAddress::Parse(text); }

TEST(PasswordTest, HashesWithSaltAndParameters) {
  const auto first = HashPassword("correct horse");
  const auto second = HashPassword("correct horse");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_THAT(*first, StartsWith("$scrypt$ln=15,r=8,p=3$"));
  EXPECT_NE(*first, *second);
  EXPECT_TRUE(VerifyPassword("correct horse", *first));
  EXPECT_FALSE(VerifyPassword("correct horsf", *first));
  EXPECT_FALSE(VerifyPassword("", *first));
}

// RFC 7914 §12, the second vector, shortened to our 32 bytes: scrypt's output of a shorter length
// is a prefix of the longer one's (PBKDF2).
TEST(PasswordTest, IsTheScryptOfTheRfc) {
  EXPECT_TRUE(VerifyPassword("password",
                             "$scrypt$ln=10,r=8,p=16$TmFDbA==$"
                             "/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI="));
}

TEST(PasswordTest, RefusesBrokenAndOversizedHashes) {
  const std::string good = *HashPassword("correct horse");
  for (const char* hash : {"", "$", "plain", "$scrypt$ln=15,r=8,p=3$AAAA$AAAA", "$scrypt$$$",
                           "$scrypt$ln=30,r=8,p=1$AAAA$AAAA", "$bcrypt$1$2$3"}) {
    EXPECT_FALSE(VerifyPassword("correct horse", hash)) << hash;
  }
  // Asks for 1 GiB.
  EXPECT_FALSE(
      VerifyPassword("correct horse", absl::StrReplaceAll(good, {{"ln=15,r=8", "ln=20,r=8"}})));
}

TEST(PasswordTest, AsksForTenCharacters) {
  EXPECT_THAT(CheckNewPassword("123456789").message(), HasSubstr("at least 10"));
  EXPECT_TRUE(CheckNewPassword("1234567890").ok());
  EXPECT_FALSE(CheckNewPassword(std::string(257, 'x')).ok());
}

TEST(RandomTest, CodesAndTokensDiffer) {
  EXPECT_THAT(RandomSetupCode(), MatchesRegex("([a-z2-9]{4}-){3}[a-z2-9]{4}"));
  EXPECT_NE(RandomSetupCode(), RandomSetupCode());
  EXPECT_THAT(RandomToken(32), MatchesRegex("[A-Za-z0-9_-]{43}"));
  EXPECT_NE(RandomToken(32), RandomToken(32));
  EXPECT_TRUE(EqualSecrets("abc", "abc"));
  EXPECT_FALSE(EqualSecrets("abc", "abd"));
  EXPECT_FALSE(EqualSecrets("abc", "ab"));
  EXPECT_FALSE(EqualSecrets("", "a"));
}

class UserStoreTest : public testing::Test {
 protected:
  std::string path_ = absl::StrCat(testing::TempDir(), "/users-", RandomToken(6), ".json");
};

TEST_F(UserStoreTest, KeepsUsersForTheOwnerAlone) {
  {
    auto store = UserStore::Create(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_TRUE((*store)->IsEmpty());
    EXPECT_TRUE((*store)->PutFirst({"admin", Role::kOperator, "hash"}).ok());
    EXPECT_TRUE((*store)->Put({"night.shift", Role::kViewer, "other"}).ok());
  }
  struct stat status;
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  auto store = UserStore::Create(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->Find("night.shift"), (User{"night.shift", Role::kViewer, "other"}));
  EXPECT_EQ((*store)->Find("nobody"), std::nullopt);
}

TEST_F(UserStoreTest, OnlyTheFirstIsFirst) {
  auto store = *UserStore::Create(path_);
  EXPECT_TRUE(store->PutFirst({"admin", Role::kOperator, "hash"}).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(store->PutFirst({"evil", Role::kOperator, "hash"})));
  EXPECT_EQ(store->List().size(), 1u);
}

TEST_F(UserStoreTest, TheLastOperatorStays) {
  auto store = *UserStore::Create(path_);
  ASSERT_TRUE(store->PutFirst({"admin", Role::kOperator, "hash"}).ok());
  ASSERT_TRUE(store->Put({"viewer", Role::kViewer, "hash"}).ok());
  EXPECT_THAT(store->Remove("admin").message(), HasSubstr("last operator"));
  EXPECT_THAT(store->Put({"admin", Role::kViewer, "hash"}).message(), HasSubstr("last operator"));
  EXPECT_TRUE(absl::IsNotFound(store->Remove("nobody")));
  EXPECT_TRUE(store->Remove("viewer").ok());
}

// Whoever can break the file must not get a first password by it.
TEST_F(UserStoreTest, ABrokenFileIsNotAnEmptyOne) {
  for (const char* text :
       {"", "{", "[]", "{\"users\": 3}", "{\"users\": [3]}", "{\"users\": [{\"name\": \"a b\"}]}",
        "{\"users\": [{\"name\": \"a\", \"role\": \"Root\"}]}",
        "{\"users\": [{\"name\": \"a\", \"role\": \"Viewer\"}, {\"name\": \"a\", \"role\": "
        "\"Viewer\"}]}"}) {
    std::ofstream(path_) << text;
    const auto store = UserStore::Create(path_);
    EXPECT_FALSE(store.ok()) << text;
    EXPECT_THAT(store.status().message(), HasSubstr(path_));
  }
}

TEST(UserNameTest, TakesPlainNamesOnly) {
  EXPECT_TRUE(CheckUserName("j.doe-2@site_1").ok());
  for (const char* name : {"", "a b", "<script>", "a\n", "\xc3\xa4"}) {
    EXPECT_FALSE(CheckUserName(name).ok()) << name;
  }
  EXPECT_FALSE(CheckUserName(std::string(65, 'a')).ok());
}

TEST(SessionTableTest, EndsWhenItsUserIsIdle) {
  FakeClock clock;
  SessionTable table(clock);
  const std::string secret = table.Begin("admin", Role::kOperator);
  clock.Advance(absl::Minutes(29));
  ASSERT_TRUE(table.Find(secret, /*by_user=*/true).has_value());
  clock.Advance(absl::Minutes(29));
  // The page's own looking does not count.
  ASSERT_TRUE(table.Find(secret, /*by_user=*/false).has_value());
  clock.Advance(absl::Minutes(2));
  EXPECT_FALSE(table.Find(secret, /*by_user=*/false).has_value());
}

TEST(SessionTableTest, EndsAfterTwelveHoursWhateverItsUserDoes) {
  FakeClock clock;
  SessionTable table(clock);
  const std::string secret = table.Begin("admin", Role::kOperator);
  for (int i = 0; i < 12 * 3 - 1; ++i) {
    clock.Advance(absl::Minutes(20));
    ASSERT_TRUE(table.Find(secret, /*by_user=*/true).has_value());
  }
  clock.Advance(absl::Minutes(20));
  EXPECT_FALSE(table.Find(secret, /*by_user=*/true).has_value());
}

TEST(SessionTableTest, SignsOutOneOrAllOthers) {
  FakeClock clock;
  SessionTable table(clock);
  const std::string first = table.Begin("admin", Role::kOperator);
  const std::string second = table.Begin("admin", Role::kOperator);
  const std::string other = table.Begin("viewer", Role::kViewer);
  EXPECT_NE(table.Find(first, true)->csrf_token, table.Find(second, true)->csrf_token);
  table.EndAllOf("admin", second);
  EXPECT_FALSE(table.Find(first, true).has_value());
  EXPECT_TRUE(table.Find(second, true).has_value());
  table.End(other);
  EXPECT_FALSE(table.Find(other, true).has_value());
  EXPECT_FALSE(table.Find("", true).has_value());
}

TEST(SessionTableTest, TheLongestIdleMakesRoom) {
  FakeClock clock;
  SessionTable table(clock);
  const std::string first = table.Begin("admin", Role::kOperator);
  clock.Advance(absl::Seconds(1));
  std::string last;
  for (size_t i = 0; i < SessionTable::kSessionsMax; ++i) last = table.Begin("b", Role::kViewer);
  EXPECT_FALSE(table.Find(first, true).has_value());
  EXPECT_TRUE(table.Find(last, true).has_value());
}

TEST(LoginLimiterTest, EachFurtherFailureDoublesTheWait) {
  FakeClock clock;
  LoginLimiter limiter(clock);
  const net::IpAddress client = Address("10.0.0.9");
  for (int i = 0; i < LoginLimiter::kFreeFailures - 1; ++i) {
    limiter.Failed(client);
    EXPECT_EQ(limiter.WaitOf(client), absl::ZeroDuration());
  }
  limiter.Failed(client);
  EXPECT_EQ(limiter.WaitOf(client), absl::Seconds(2));
  EXPECT_EQ(limiter.WaitOf(Address("10.0.0.10")), absl::ZeroDuration());
  clock.Advance(absl::Seconds(2));
  EXPECT_EQ(limiter.WaitOf(client), absl::ZeroDuration());
  limiter.Failed(client);
  EXPECT_EQ(limiter.WaitOf(client), absl::Seconds(4));
  for (int i = 0; i < 20; ++i) limiter.Failed(client);
  EXPECT_EQ(limiter.WaitOf(client), LoginLimiter::kLongestWait);
}

TEST(LoginLimiterTest, SuccessStartsAnew) {
  FakeClock clock;
  LoginLimiter limiter(clock);
  const net::IpAddress client = Address("10.0.0.9");
  for (int i = 0; i < LoginLimiter::kFreeFailures; ++i) limiter.Failed(client);
  limiter.Succeeded(client);
  EXPECT_EQ(limiter.WaitOf(client), absl::ZeroDuration());
}

TEST(LoginLimiterTest, AHostIsOneClientWhateverItsIpv6Address) {
  FakeClock clock;
  LoginLimiter limiter(clock);
  for (int i = 0; i < LoginLimiter::kFreeFailures; ++i) {
    limiter.Failed(Address(absl::StrCat("fd00:1::", i + 1).c_str()));
  }
  EXPECT_GT(limiter.WaitOf(Address("fd00:1::ffff")), absl::ZeroDuration());
  EXPECT_EQ(limiter.WaitOf(Address("fd00:2::1")), absl::ZeroDuration());
}

TEST(LoginLimiterTest, AFloodOfGuessesLocksOutStrangersOnly) {
  FakeClock clock;
  LoginLimiter limiter(clock);
  const net::IpAddress known = Address("10.0.0.1");
  limiter.Succeeded(known);
  for (int i = 0; i < LoginLimiter::kFailuresPerMinute; ++i) {
    limiter.Failed(Address(absl::StrCat("10.1.0.", i + 1).c_str()));
  }
  EXPECT_EQ(limiter.WaitOf(Address("10.2.0.1")), absl::Minutes(1));
  EXPECT_EQ(limiter.WaitOf(known), absl::ZeroDuration());
  clock.Advance(absl::Minutes(1));
  EXPECT_EQ(limiter.WaitOf(Address("10.2.0.1")), absl::ZeroDuration());
}

}  // namespace
}  // namespace fairlead::web
