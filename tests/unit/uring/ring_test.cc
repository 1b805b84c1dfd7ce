// The contract of ring.h, on both engines, with real sockets.
#include "pkg/uring/ring.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <map>
#include <thread>

#include "pkg/base/unique_fd.h"

namespace fairlead::uring {
namespace {

using base::UniqueFd;

constexpr uint64_t kReceive = 0x1000;
constexpr uint64_t kSend = 0x2000;
constexpr uint64_t kAccept = 0x3000;
constexpr uint64_t kConnect = 0x4000;
constexpr uint64_t kPoll = 0x5000;

struct Pair {
  UniqueFd near;
  UniqueFd far;
};

Pair MakePair() {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

class RingTest : public testing::TestWithParam<Engine> {
 protected:
  void Make(uint32_t buffers_start, uint32_t buffers_max) {
    RingOptions options;
    options.engine = GetParam();
    options.buffers_start = buffers_start;
    options.buffers_max = buffers_max;
    options.buffer_size = 4096;
    absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create(options, nullptr);
    if (!ring.ok()) GTEST_SKIP() << ring.status();
    ring_ = *std::move(ring);
  }
  void SetUp() override { Make(8, 64); }

  // The next completion of `user_data`; others are kept for later calls.
  Completion Next(uint64_t user_data) {
    for (int turn = 0; turn < 200; ++turn) {
      auto& waiting = seen_[user_data];
      if (!waiting.empty()) {
        const Completion completion = waiting.front();
        waiting.erase(waiting.begin());
        return completion;
      }
      for (const Completion& completion : ring_->Wait(absl::Milliseconds(50))) {
        seen_[completion.user_data].push_back(completion);
      }
    }
    ADD_FAILURE() << "no completion of " << user_data;
    return {};
  }
  bool IsQuiet(uint64_t user_data) {
    for (const Completion& completion : ring_->Wait(absl::Milliseconds(30))) {
      seen_[completion.user_data].push_back(completion);
    }
    return seen_[user_data].empty();
  }

  std::unique_ptr<Ring> ring_;
  std::map<uint64_t, std::vector<Completion>> seen_;
};

INSTANTIATE_TEST_SUITE_P(Engines, RingTest, testing::Values(Engine::kIoUring, Engine::kEpoll),
                         [](const auto& info) { return EngineName(info.param); });

TEST_P(RingTest, ReceivesManyPiecesWithOneOperation) {
  Pair pair = MakePair();
  ring_->Receive(pair.near.get(), kReceive);
  for (const std::string text : {"one", "two", "three"}) {
    ASSERT_EQ(::write(pair.far.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    const Completion completion = Next(kReceive);
    ASSERT_TRUE(completion.has_buffer);
    EXPECT_TRUE(completion.more);
    EXPECT_EQ(std::string(completion.slice.data, completion.slice.size), text);
    ring_->ReleaseBuffer(completion.slice);
  }
  pair.far.Reset();
  const Completion end = Next(kReceive);
  EXPECT_EQ(end.result, 0);
  EXPECT_FALSE(end.more);
}

TEST_P(RingTest, SendsEverythingThoughTheSocketIsSmall) {
  Pair pair = MakePair();
  const std::string data(1 << 20, 'x');
  ring_->Send(pair.near.get(), data.data(), data.size(), kSend);
  std::string got;
  std::thread reader([&] {
    char buffer[8192];
    while (got.size() < data.size()) {
      pollfd wait{pair.far.get(), POLLIN, 0};
      ::poll(&wait, 1, 1000);
      const ssize_t size = ::read(pair.far.get(), buffer, sizeof(buffer));
      if (size > 0) got.append(buffer, static_cast<size_t>(size));
    }
  });
  EXPECT_EQ(Next(kSend).result, static_cast<int>(data.size()));
  reader.join();
  EXPECT_TRUE(got == data);
}

TEST_P(RingTest, SendsThePiecesOfAMessageInOrder) {
  Pair pair = MakePair();
  char one[] = "one ";
  char two[] = "two";
  iovec pieces[] = {{one, 4}, {two, 3}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  ring_->SendMessage(pair.near.get(), &message, kSend);
  EXPECT_EQ(Next(kSend).result, 7);
  char buffer[16] = {};
  EXPECT_EQ(::read(pair.far.get(), buffer, sizeof(buffer)), 7);
  EXPECT_STREQ(buffer, "one two");
}

TEST_P(RingTest, ReportsABrokenPipeInsteadOfASignal) {
  Pair pair = MakePair();
  pair.far.Reset();
  ring_->Send(pair.near.get(), "x", 1, kSend);
  EXPECT_EQ(Next(kSend).result, -EPIPE);
}

TEST_P(RingTest, CancelsAReceiveAndLosesNoData) {
  Pair pair = MakePair();
  ring_->Receive(pair.near.get(), kReceive);
  EXPECT_TRUE(IsQuiet(kReceive));
  ring_->Cancel(kReceive);
  const Completion cancelled = Next(kReceive);
  EXPECT_EQ(cancelled.result, -ECANCELED);
  EXPECT_FALSE(cancelled.more);
  ASSERT_EQ(::write(pair.far.get(), "later", 5), 5);
  EXPECT_TRUE(IsQuiet(kReceive));
  ring_->Receive(pair.near.get(), kReceive);
  EXPECT_EQ(Next(kReceive).result, 5);
}

TEST_P(RingTest, CancellingWhatDoesNotExistDoesNothing) {
  ring_->Cancel(0x7000);
  EXPECT_TRUE(IsQuiet(0x7000));
}

TEST_P(RingTest, AcceptsAndConnects) {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
  ring_->Accept(listener.get(), kAccept);
  for (int i = 0; i < 3; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    static const int kOn = 1;
    ring_->SetOption(fd, IPPROTO_TCP, TCP_NODELAY, &kOn);
    ring_->Connect(fd, reinterpret_cast<sockaddr*>(&address), length, kConnect);
    EXPECT_EQ(Next(kConnect).result, 0);
    int value = 0;
    socklen_t size = sizeof(value);
    ::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size);
    EXPECT_NE(value, 0);
    const Completion accepted = Next(kAccept);
    EXPECT_GE(accepted.result, 0);
    EXPECT_TRUE(accepted.more);
    ring_->Close(fd);
    ring_->Close(accepted.result);
  }
  listener.Reset();
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ring_->Cancel(kAccept);
  EXPECT_EQ(Next(kAccept).result, -ECANCELED);
  ring_->Connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length, kConnect);
  EXPECT_EQ(Next(kConnect).result, -ECONNREFUSED);
}

TEST_P(RingTest, PollsOnceAndTellsWhatIsReady) {
  Pair pair = MakePair();
  ring_->Poll(pair.near.get(), POLLIN, kPoll);
  EXPECT_TRUE(IsQuiet(kPoll));
  ASSERT_EQ(::write(pair.far.get(), "x", 1), 1);
  const Completion ready = Next(kPoll);
  EXPECT_NE(ready.result & POLLIN, 0);
  EXPECT_FALSE(ready.more);
  EXPECT_TRUE(IsQuiet(kPoll));
}

TEST_P(RingTest, AReceiveEndsAfterItsBytes) {
  Pair pair = MakePair();
  ring_->Receive(pair.near.get(), kReceive);
  const std::string data(16384, 'd');
  size_t got = 0;
  bool more = true;
  for (int i = 0; i < 64 && more; ++i) {
    ASSERT_EQ(::write(pair.far.get(), data.data(), data.size()), 16384);
    for (size_t size = 0; size < data.size() && more;) {
      const Completion completion = Next(kReceive);
      if (!completion.has_buffer) {
        // Where the kernel does not know the limit (before Linux 6.17) buffers may run out instead.
        GTEST_SKIP() << "ended with " << completion.result;
      }
      size += completion.slice.size;
      got += completion.slice.size;
      more = completion.more;
      ring_->ReleaseBuffer(completion.slice);
    }
  }
  if (GetParam() == Engine::kIoUring && more) GTEST_SKIP() << "this kernel knows no limit";
  EXPECT_FALSE(more);
  EXPECT_NEAR(got, 128 * 1024, 16384);
}

TEST_P(RingTest, WakeEndsAWait) {
  std::thread waker([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ring_->Wake();
  });
  EXPECT_TRUE(ring_->Wait(absl::Seconds(20)).empty());
  waker.join();
}

TEST_P(RingTest, ExhaustedBuffersEndTheReceiveAndNothingIsLost) {
  Make(2, 4);  // 16 KiB in all
  Pair pair = MakePair();
  ring_->Receive(pair.near.get(), kReceive);
  const std::string data(20000, 'd');
  ASSERT_EQ(::write(pair.far.get(), data.data(), data.size()), 20000);
  std::vector<BufferSlice> held;
  size_t got = 0;
  while (true) {
    const Completion completion = Next(kReceive);
    if (!completion.has_buffer) {
      ASSERT_EQ(completion.result, -ENOBUFS);
      if (ring_->counters().buffers_in_use == 4) break;
      ring_->Receive(pair.near.get(), kReceive);  // the first time buffers were added
      continue;
    }
    held.push_back(completion.slice);
    got += completion.slice.size;
    if (!completion.more) ring_->Receive(pair.near.get(), kReceive);
  }
  EXPECT_EQ(got, 4 * 4096);
  EXPECT_GE(ring_->counters().buffers_exhausted, 1);
  for (const BufferSlice& slice : held) ring_->ReleaseBuffer(slice);
  ring_->Receive(pair.near.get(), kReceive);
  while (got < data.size()) {
    const Completion completion = Next(kReceive);
    ASSERT_TRUE(completion.has_buffer);
    got += completion.slice.size;
    ring_->ReleaseBuffer(completion.slice);
    if (!completion.more) ring_->Receive(pair.near.get(), kReceive);
  }
  EXPECT_EQ(got, data.size());
}

TEST_P(RingTest, BuffersGrowWithUseAndShrinkAfterwards) {
  Make(2, 64);
  Pair pair = MakePair();
  ring_->Receive(pair.near.get(), kReceive);
  std::vector<BufferSlice> held;
  size_t got = 0;
  const std::string data(32 * 4096, 'd');
  size_t written = 0;
  while (got < data.size()) {
    const ssize_t more =
        ::write(pair.far.get(), data.data(), std::min<size_t>(8192, data.size() - written));
    if (more > 0) written += static_cast<size_t>(more);
    const Completion completion = Next(kReceive);
    if (completion.has_buffer) {
      held.push_back(completion.slice);
      got += completion.slice.size;
    }
    if (!completion.more) ring_->Receive(pair.near.get(), kReceive);
  }
  EXPECT_GE(ring_->counters().buffers_provided, 32);
  ring_->EndPeriod();
  for (const BufferSlice& slice : held) ring_->ReleaseBuffer(slice);
  EXPECT_EQ(ring_->counters().buffers_in_use, 0);
  EXPECT_GE(ring_->counters().buffers_provided, 32);  // the peak was a moment ago
  ring_->EndPeriod();
  ring_->EndPeriod();
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(::write(pair.far.get(), data.data(), 4096), 4096);
    for (size_t size = 0; size < 4096;) {
      const Completion completion = Next(kReceive);
      ASSERT_TRUE(completion.has_buffer);
      size += completion.slice.size;
      ring_->ReleaseBuffer(completion.slice);
      if (!completion.more) ring_->Receive(pair.near.get(), kReceive);
    }
  }
  EXPECT_LT(ring_->counters().buffers_provided, 32);
}

TEST(RingEngineTest, NamesAreTheWordsOfTheFlag) {
  EXPECT_EQ(*ParseEngine("epoll"), Engine::kEpoll);
  EXPECT_EQ(*ParseEngine("io_uring"), Engine::kIoUring);
  EXPECT_FALSE(ParseEngine("kqueue").ok());
}

}  // namespace
}  // namespace fairlead::uring
