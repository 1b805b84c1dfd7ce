// The queue of clients that wait for a server below its limit, over two shards.
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/snat/snat_plane_test.h"

namespace fairlead::dataplane::snat {
namespace {

using base::UniqueFd;

class SnatQueueTest : public SnatPlaneTest {
 protected:
  // From 127.0.0.`host`; says `text`. The connection waits for an answer that comes after its FIN.
  UniqueFd ConnectFrom(int host, absl::string_view text) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const net::SocketAddress source({*net::IpAddress::Parse(absl::StrCat("127.0.0.", host)), 0});
    EXPECT_EQ(::bind(fd.get(), &source.generic, source.length), 0);
    const net::SocketAddress address(vip_);
    EXPECT_EQ(::connect(fd.get(), &address.generic, address.length), 0);
    SetTimeouts(fd.get());
    WriteAll(fd.get(), text);
    return fd;
  }
  static std::string Finish(const UniqueFd& fd) {
    ::shutdown(fd.get(), SHUT_WR);
    return ReadAll(fd.get());
  }
  // The first host from 127.0.0.2 on that is bound to the server.
  int HostOf(absl::string_view server) {
    for (int host = 2; host < 250; ++host) {
      if (Finish(ConnectFrom(host, "")) == absl::StrCat("|", server)) return host;
    }
    return 0;
  }
  std::vector<UniqueFd> Queue(int host, absl::string_view text, uint64_t length_after) {
    std::vector<UniqueFd> waiting;
    for (int i = 0; i < kClients; ++i) waiting.push_back(ConnectFrom(host, text));
    while (Observed().queue_length < length_after) std::this_thread::yield();
    return waiting;
  }

  static constexpr int kClients = 8;  // all on one shard: by a chance of 2^-7
};

INSTANTIATE_TEST_SUITE_P(Engines, SnatQueueTest,
                         testing::Values(uring::Engine::kIoUring, uring::Engine::kEpoll),
                         [](const auto& info) { return uring::EngineName(info.param); });

TEST_P(SnatQueueTest, QueuesClientsAtTheServersLimitInOrder) {
  Server server(EchoAfterFin("one"));
  AddServer("one", server.endpoint());
  service_.servers[0].connections_max = 1;
  Apply();
  UniqueFd first = Connect(vip_);
  WriteAll(first.get(), "first");
  while (Observed().servers.at(0).connections_total == 0) std::this_thread::yield();
  const UniqueFd second = Connect(vip_);
  WriteAll(second.get(), "second");
  ::shutdown(second.get(), SHUT_WR);
  while (Observed().queue_length == 0) std::this_thread::yield();
  EXPECT_LE(server.accepted(), 1);
  ::shutdown(first.get(), SHUT_WR);
  EXPECT_EQ(ReadAll(first.get()), "first|one");
  EXPECT_EQ(ReadAll(second.get()), "second|one");
  WaitForNoSessions();
  EXPECT_EQ(Observed().queue_length, 0);
}

// Those of server "one" are spread over both shards; the client who waits longest is bound to
// "two".
TEST_P(SnatQueueTest, AFreedConnectionFindsWhoIsBoundToItsServerOnEveryShard) {
  Server one(EchoAfterFin("one"));
  Server two(EchoAfterFin("two"));
  AddServer("one", one.endpoint());
  AddServer("two", two.endpoint());
  service_.servers[0].connections_max = 1;
  service_.servers[1].connections_max = 1;
  service_.persistence.type = model::Persistence::Type::kSourceIp;
  Apply();
  const int host_one = HostOf("one");
  const int host_two = HostOf("two");
  ASSERT_TRUE(host_one != 0 && host_two != 0);
  WaitForNoSessions();
  const UniqueFd holds_one = ConnectFrom(host_one, "first");
  const UniqueFd holds_two = ConnectFrom(host_two, "first");
  while (plane_->Observe().sessions_active < 2) std::this_thread::yield();
  const std::vector<UniqueFd> of_two = Queue(host_two, "x", kClients);
  const std::vector<UniqueFd> of_one = Queue(host_one, "y", 2 * kClients);
  for (const UniqueFd& client : of_one) ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(Finish(holds_one), "first|one");
  for (const UniqueFd& client : of_one) EXPECT_EQ(ReadAll(client.get()), "y|one");
  for (const UniqueFd& client : of_two) ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(Finish(holds_two), "first|two");
  for (const UniqueFd& client : of_two) EXPECT_EQ(ReadAll(client.get()), "x|two");
  WaitForNoSessions();
}

}  // namespace
}  // namespace fairlead::dataplane::snat
