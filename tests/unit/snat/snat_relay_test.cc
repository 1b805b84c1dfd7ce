// SnatDataPlane end to end on loopback: real sockets, real rings, both engines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/unit/snat/snat_plane_test.h"

namespace fairlead::dataplane::snat {
namespace {

using base::UniqueFd;
using net::Endpoint;

using SnatRelayTest = SnatPlaneTest;

INSTANTIATE_TEST_SUITE_P(Engines, SnatRelayTest,
                         testing::Values(uring::Engine::kIoUring, uring::Engine::kEpoll),
                         [](const auto& info) { return uring::EngineName(info.param); });

TEST_P(SnatRelayTest, RelaysBothDirectionsAndForwardsHalfClose) {
  Server server(EchoAfterFin("one"));
  AddServer("one", server.endpoint());
  const ApplyResult result = Apply();
  ASSERT_TRUE(result.services.at(0).status.ok()) << result.services.at(0).status;
  EXPECT_EQ(result.services.at(0).addresses.at(0).interface, "lo");
  EXPECT_EQ(Ask("hello"), "hello|one");
  WaitForNoSessions();
  EXPECT_EQ(Observed().connections_total, 1);
  EXPECT_EQ(Observed().servers.at(0).bytes_to_server_total, 5);
  EXPECT_EQ(Observed().servers.at(0).bytes_from_server_total, 9);
  EXPECT_EQ(Observed().ports.at(0).connections_total, 1);
}

TEST_P(SnatRelayTest, KeepsEveryByteOfABulkTransferInBothDirections) {
  Server server(EchoAfterFin("bulk"));
  AddServer("bulk", server.endpoint());
  Apply();
  std::string data(48 << 20, '\0');
  uint64_t x = 88172645463325252;
  for (char& c : data) c = static_cast<char>((x = x * 6364136223846793005 + 1) >> 56);
  EXPECT_TRUE(Ask(data) == data + "|bulk");
  WaitForNoSessions();
  EXPECT_GE(plane_->Observe().splice_promotions_total, 2);
}

TEST_P(SnatRelayTest, SpreadsByWeight) {
  Server light(EchoAfterFin("light"));
  Server heavy(EchoAfterFin("heavy"));
  AddServer("light", light.endpoint(), 50);
  AddServer("heavy", heavy.endpoint(), 150);
  for (const auto scheduler :
       {model::Scheduler::kWeightedRoundRobin, model::Scheduler::kWeightedLeastConnections}) {
    service_.scheduler = scheduler;
    Apply();
    const int before = heavy.accepted();
    for (int i = 0; i < 200; ++i) Ask("x");
    // Two shards round on their own; least connections also sees those that have not quite ended.
    const bool by_turn = scheduler == model::Scheduler::kWeightedRoundRobin;
    EXPECT_NEAR(heavy.accepted() - before, 150, by_turn ? 4 : 40);
  }
}

// Without the effective capabilities of the calling thread, which alone has them taken away.
TEST_P(SnatRelayTest, AServerThatComesBackGetsItsShareAndNoBurst) {
  Server one(EchoAfterFin("one"));
  Server two(EchoAfterFin("two"));
  AddServer("one", one.endpoint());
  AddServer("two", two.endpoint());
  service_.servers[1].eligibility = model::Eligibility::kNone;
  Apply();
  for (int i = 0; i < 200; ++i) EXPECT_EQ(Ask("x"), "x|one");
  service_.servers[1].eligibility = model::Eligibility::kAll;
  Apply();
  for (int i = 0; i < 40; ++i) Ask("x");
  EXPECT_NEAR(two.accepted(), 20, 4);  // a turn of either shard, begun anywhere
}

TEST_P(SnatRelayTest, TransparencyWithoutItsCapabilityIsToldAtOnce) {
  service_.client_address = model::ClientAddress::kTransparent;
  AddServer("one", {Loopback(), FreePort()});
  ApplyResult result;
  std::thread unprivileged([&] {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    ASSERT_EQ(::syscall(SYS_capset, &header, none), 0);
    result = Apply();
  });
  unprivileged.join();
  EXPECT_THAT(std::string(result.services.at(0).status.message()),
              testing::AllOf(testing::HasSubstr("EPERM"), testing::HasSubstr("CAP_NET_ADMIN"),
                             testing::HasSubstr("ProxyProtocolV2")));
}

TEST_P(SnatRelayTest, TriesTheNextServerWhenOneRefuses) {
  Server server(EchoAfterFin("alive"));
  AddServer("dead", {Loopback(), FreePort()}, 65535);
  AddServer("alive", server.endpoint(), 1);
  Apply();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Ask("x"), "x|alive");
  EXPECT_GE(Observed().retries_total, 1);
}

TEST_P(SnatRelayTest, ResetsTheClientWhenEveryServerRefuses) {
  AddServer("dead", {Loopback(), FreePort()});
  Apply();
  EXPECT_EQ(Ask("x"), "<error>");
  WaitForNoSessions();
  EXPECT_EQ(Observed().rejections_total[static_cast<size_t>(Rejection::kConnectFailed)], 1);
}

TEST_P(SnatRelayTest, HasNoListenerWhenNoServerMayServe) {
  Server server(EchoAfterFin("one"));
  AddServer("one", server.endpoint());
  Apply();
  EXPECT_EQ(Ask("x"), "x|one");
  service_.servers[0].eligibility = model::Eligibility::kNone;
  Apply();
  EXPECT_EQ(Ask("x"), "<refused>");
  service_.servers[0].eligibility = model::Eligibility::kAll;
  Apply();
  EXPECT_EQ(Ask("x"), "x|one");
}

TEST_P(SnatRelayTest, FallbackServerServesWhenNobodyElseMay) {
  Server spare(EchoAfterFin("spare"));
  service_.fallback = {model::Fallback::Action::kServer, spare.endpoint()};
  AddServer("down", {Loopback(), FreePort()});
  service_.servers[0].eligibility = model::Eligibility::kNone;
  Apply();
  EXPECT_EQ(Ask("x"), "x|spare");
  EXPECT_EQ(Observed().fallback_total, 1);
}

TEST_P(SnatRelayTest, FallbackDropAnswersNothing) {
  service_.fallback.action = model::Fallback::Action::kDrop;
  Apply();
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const net::SocketAddress address(vip_);
  EXPECT_EQ(::connect(client.get(), &address.generic, address.length), -1);
  pollfd wait{client.get(), POLLOUT, 0};
  EXPECT_EQ(::poll(&wait, 1, 300), 0);
}

TEST_P(SnatRelayTest, ForwardsAResetOfTheServer) {
  Server server([](int fd) {
    ReadExactly(fd, 1);
    const linger reset{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  });
  AddServer("rude", server.endpoint());
  Apply();
  const UniqueFd client = Connect(vip_);
  WriteAll(client.get(), "x");
  EXPECT_EQ(ReadAll(client.get()), "<error>");
  WaitForNoSessions();
  EXPECT_EQ(Observed().servers.at(0).resets_total, 1);
}

TEST_P(SnatRelayTest, ForwardsAResetOfTheClient) {
  std::atomic<bool> reset_seen{false};
  Server server([&](int fd) { reset_seen = ReadAll(fd) == "<error>"; });
  AddServer("one", server.endpoint());
  Apply();
  {
    const UniqueFd client = Connect(vip_);
    WriteAll(client.get(), "x");
    while (server.accepted() == 0) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const linger reset{1, 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  WaitForNoSessions();
  for (int i = 0; i < 100 && !reset_seen; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(reset_seen);
}

TEST_P(SnatRelayTest, RefusesClientsBeyondTheVipsLimit) {
  Server server(EchoAfterFin("one"));
  AddServer("one", server.endpoint());
  service_.connections_max = 1;
  Apply();
  const UniqueFd first = Connect(vip_);
  while (Observed().connections_active == 0) std::this_thread::yield();
  // The reset may come before connect(2) returns or after it.
  EXPECT_THAT(Ask("x"), testing::AnyOf("<error>", "<refused>"));
  EXPECT_EQ(Observed().rejections_total[static_cast<size_t>(Rejection::kVipLimit)], 1);
}

TEST_P(SnatRelayTest, TheSessionLimitIsThatOfAllShards) {
  plane_ = *SnatDataPlane::Create(
      {.engine = GetParam(), .shards = 2, .sessions_max = 10, .inherited = {}}, clock_);
  revision_ = 0;
  Server server([](int fd) { ReadAll(fd); });
  AddServer("one", server.endpoint());
  Apply();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(Connect(vip_));
  for (int i = 0; i < 200 && plane_->Observe().sessions_active < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(plane_->Observe().sessions_active, 10);
}

TEST_P(SnatRelayTest, KeepsClientsWithTheirServerBySourceAddress) {
  Server one(EchoAfterFin("one"));
  Server two(EchoAfterFin("two"));
  AddServer("one", one.endpoint());
  AddServer("two", two.endpoint());
  service_.persistence.type = model::Persistence::Type::kSourceIp;
  Apply();
  const std::string answer = Ask("x");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Ask("x"), answer);
  // A draining server keeps its persistent clients; a dead one does not.
  const int bound = answer == "x|one" ? 0 : 1;
  service_.servers[bound].eligibility = model::Eligibility::kPersistentOnly;
  Apply();
  EXPECT_EQ(Ask("x"), answer);
  service_.servers[bound].eligibility = model::Eligibility::kNone;
  Apply();
  EXPECT_NE(Ask("x"), answer);
}

TEST_P(SnatRelayTest, ATakeoverRefusesNobodyAndKeepsClientsWithTheirServer) {
  Server one(EchoAfterFin("one"));
  Server two(EchoAfterFin("two"));
  AddServer("one", one.endpoint());
  AddServer("two", two.endpoint());
  service_.persistence.type = model::Persistence::Type::kSourceIp;
  Apply();
  const std::string answer = Ask("x");
  absl::StatusOr<std::unique_ptr<SnatDataPlane>> successor =
      SnatDataPlane::Create({.engine = GetParam(),
                             .shards = 3,  // also with another number of shards
                             .sessions_max = 1000,
                             .inherited = plane_->DuplicateState()},
                            clock_);
  ASSERT_TRUE(successor.ok()) << successor.status();
  std::swap(service_.servers[0], service_.servers[1]);
  service_.servers[0].id = 77;  // another process may number them differently
  std::swap(plane_, *successor);
  Apply();
  (*successor)->StopAccepting();
  for (int i = 0; i < 40; ++i) EXPECT_EQ(Ask("x"), answer);
  (*successor)->Stop(absl::Seconds(5));
}

TEST_P(SnatRelayTest, SendsTheProxyHeaderFirst) {
  Server server(EchoAfterFin("one"));
  AddServer("one", server.endpoint());
  service_.client_address = model::ClientAddress::kProxyProtocolV1;
  Apply();
  EXPECT_THAT(Ask("hello"),
              testing::MatchesRegex(absl::StrCat("PROXY TCP4 127.0.0.1 127.0.0.1 [0-9]+ ",
                                                 vip_.port, "\r\nhello\\|one")));
}

TEST_P(SnatRelayTest, AnEditOfAnotherServerTouchesNoConnection) {
  Server one(EchoAfterFin("one"));
  AddServer("one", one.endpoint());
  Apply();
  const UniqueFd client = Connect(vip_);
  WriteAll(client.get(), "before ");
  while (Observed().servers.at(0).connections_total == 0) std::this_thread::yield();
  for (int i = 0; i < 50; ++i) {
    service_.servers[0].weight = 1 + i;
    if (i == 25) AddServer("other", {Loopback(), FreePort()}, 1);
    Apply();
  }
  WriteAll(client.get(), "after");
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(ReadAll(client.get()), "before after|one");
}

TEST_P(SnatRelayTest, CutsSessionsWhenTheirTimeHasCome) {
  Server server([](int fd) { ReadAll(fd); });
  AddServer("one", server.endpoint());
  Apply();
  const UniqueFd client = Connect(vip_);
  WriteAll(client.get(), "x");
  while (Observed().servers.at(0).connections_total == 0) std::this_thread::yield();
  service_.servers[0].cut_sessions_at = clock_.Monotonic();
  service_.servers[0].eligibility = model::Eligibility::kNone;
  Apply();
  EXPECT_EQ(ReadAll(client.get()), "<error>");
  WaitForNoSessions();
  EXPECT_EQ(Observed().servers.at(0).sessions_cut_total, 1);
}

TEST_P(SnatRelayTest, EndsIdleConnections) {
  Server server([](int fd) { ReadAll(fd); });
  AddServer("one", server.endpoint());
  service_.timeouts.idle = absl::Milliseconds(300);
  Apply();
  const UniqueFd client = Connect(vip_);
  EXPECT_EQ(ReadAll(client.get()), "<error>");
  WaitForNoSessions();
  EXPECT_EQ(Observed().servers.at(0).idle_timeouts_total, 1);
}

TEST_P(SnatRelayTest, ASlowReaderHoldsItsWatermarkAndLosesNothing) {
  const std::string data(8 << 20, 'z');
  Server server([&](int fd) { WriteAll(fd, data); });
  AddServer("fast", server.endpoint());
  Apply();
  const UniqueFd client = Connect(vip_);
  std::string got;
  while (got.size() < data.size()) {
    const std::string piece =
        ReadExactly(client.get(), std::min<size_t>(data.size() - got.size(), 256 << 10));
    ASSERT_FALSE(piece.empty());
    got += piece;
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  EXPECT_TRUE(got == data);
}

TEST_P(SnatRelayTest, ManyClientsAtOnceGetTheirOwnAnswers) {
  Server server(EchoAfterFin("s"));
  AddServer("s", server.endpoint());
  Apply();
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back([&, i] {
      for (int k = 0; k < 40; ++k) {
        const std::string question =
            absl::StrCat("client ", i, " turn ", k, std::string(k * 997, 'q'));
        if (Ask(question) == question + "|s") ++right;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 16 * 40);
  WaitForNoSessions();
}

TEST_P(SnatRelayTest, CutsSessionsAlsoWhileStopWaitsAndListensNoMore) {
  Server server([](int fd) { ReadAll(fd); });
  AddServer("one", server.endpoint());
  Apply();
  const UniqueFd client = Connect(vip_);
  WriteAll(client.get(), "x");
  while (Observed().servers.at(0).connections_total == 0) std::this_thread::yield();
  std::thread stopper([this] { plane_->Stop(absl::Minutes(1)); });
  while (Connect(vip_).valid()) std::this_thread::yield();
  // One of the shards may have ended already: a plan for it is dropped, however many come.
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(plane_->Apply(NextPlan()).services.at(0).status.ok());
  EXPECT_FALSE(Connect(vip_).valid());
  service_.servers[0].cut_sessions_at = clock_.Monotonic();
  plane_->Apply(NextPlan());
  EXPECT_EQ(ReadAll(client.get()), "<error>");
  stopper.join();
  plane_->Apply(NextPlan());
}

TEST_P(SnatRelayTest, StopWaitsForSessionsAndThenResetsThem) {
  Server server([](int fd) { ReadAll(fd); });
  AddServer("one", server.endpoint());
  Apply();
  const UniqueFd client = Connect(vip_);
  WriteAll(client.get(), "x");
  while (Observed().servers.at(0).connections_total == 0) std::this_thread::yield();
  plane_->Stop(absl::Milliseconds(200));
  EXPECT_EQ(ReadAll(client.get()), "<error>");
}

}  // namespace
}  // namespace fairlead::dataplane::snat
