#include "pkg/base/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <thread>
#include <vector>

namespace fairlead::base {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <typename T>
bool IsReadable(const Mailbox<T>& mailbox) {
  pollfd wait = {mailbox.wake_fd(), POLLIN, 0};
  return ::poll(&wait, 1, 0) == 1;
}

TEST(MailboxTest, DrainsInTheOrderOfPosting) {
  const auto mailbox = *Mailbox<int>::Create(8);
  EXPECT_TRUE(mailbox->TryPost(1));
  EXPECT_TRUE(mailbox->TryPost(2));
  EXPECT_TRUE(mailbox->TryPost(3));
  EXPECT_THAT(mailbox->Drain(), ElementsAre(1, 2, 3));
  EXPECT_THAT(mailbox->Drain(), IsEmpty());
}

TEST(MailboxTest, IsReadableExactlyWhileMessagesWait) {
  const auto mailbox = *Mailbox<int>::Create(8);
  EXPECT_FALSE(IsReadable(*mailbox));
  ASSERT_TRUE(mailbox->TryPost(1));
  ASSERT_TRUE(mailbox->TryPost(2));
  EXPECT_TRUE(IsReadable(*mailbox));
  mailbox->Drain();
  EXPECT_FALSE(IsReadable(*mailbox));
}

TEST(MailboxTest, RefusesWhenFullAndTakesAgainAfterADrain) {
  const auto mailbox = *Mailbox<int>::Create(2);
  EXPECT_TRUE(mailbox->TryPost(1));
  EXPECT_TRUE(mailbox->TryPost(2));
  EXPECT_FALSE(mailbox->TryPost(3));
  EXPECT_THAT(mailbox->Drain(), ElementsAre(1, 2));
  EXPECT_TRUE(mailbox->TryPost(4));
  EXPECT_THAT(mailbox->Drain(), ElementsAre(4));
}

TEST(MailboxTest, CarriesMoveOnlyMessages) {
  const auto mailbox = *Mailbox<std::unique_ptr<int>>::Create(1);
  ASSERT_TRUE(mailbox->TryPost(std::make_unique<int>(7)));
  const std::vector<std::unique_ptr<int>> messages = mailbox->Drain();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(*messages[0], 7);
}

TEST(MailboxTest, LosesNothingBetweenThreads) {
  constexpr int kThreads = 4;
  constexpr int kMessages = 5000;
  const auto mailbox = *Mailbox<int>::Create(64);
  std::vector<std::thread> posters;
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&mailbox] {
      for (int i = 0; i < kMessages; ++i) {
        while (!mailbox->TryPost(i)) std::this_thread::yield();
      }
    });
  }
  size_t received = 0;
  while (received < size_t{kThreads} * kMessages) {
    pollfd wait = {mailbox->wake_fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&wait, 1, 10'000), 1) << "a wake-up was lost after " << received;
    received += mailbox->Drain().size();
  }
  for (std::thread& poster : posters) poster.join();
  EXPECT_EQ(received, size_t{kThreads} * kMessages);
}

}  // namespace
}  // namespace fairlead::base
