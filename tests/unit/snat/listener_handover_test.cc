#include "pkg/dataplane/snat/listener_handover.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "absl/strings/str_cat.h"

namespace fairlead::dataplane::snat {
namespace {

std::string TestPath() {
  return absl::StrCat(testing::TempDir(), "/handover-", ::getpid(), ".sock");
}

ListeningSocket MakeListener() {
  net::SocketAddress address(*net::Endpoint::Parse("127.0.0.1:0"));
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::bind(fd.get(), &address.generic, address.length), 0);
  EXPECT_EQ(::listen(fd.get(), 8), 0);
  ::getsockname(fd.get(), &address.generic, &address.length);
  return {*address.ToEndpoint(), std::move(fd)};
}

HandedOver Copies(const std::vector<ListeningSocket>& sockets) {
  HandedOver copies;
  for (const ListeningSocket& socket : sockets) {
    copies.listeners.push_back({socket.endpoint, base::UniqueFd(::dup(socket.fd.get()))});
  }
  copies.persistence.Reset(::dup(sockets[0].fd.get()));
  return copies;
}

TEST(ListenerHandoverTest, HandsOverMoreSocketsThanOneMessageHolds) {
  std::vector<ListeningSocket> sockets;
  for (int i = 0; i < 300; ++i) sockets.push_back(MakeListener());
  std::atomic<bool> released{false};
  auto server = HandoverServer::Create(
      TestPath(), [&] { return Copies(sockets); }, [&] { released = true; });
  ASSERT_TRUE(server.ok()) << server.status();
  auto takeover = TakeOver::Begin(TestPath());
  ASSERT_TRUE(takeover.ok()) << takeover.status();
  const HandedOver state = (*takeover)->Take();
  EXPECT_TRUE(state.persistence.valid());
  const std::vector<ListeningSocket>& taken = state.listeners;
  ASSERT_EQ(taken.size(), 300);
  for (const ListeningSocket& socket : taken) {
    net::SocketAddress address;
    address.length = sizeof(address.ipv6);
    ASSERT_EQ(::getsockname(socket.fd.get(), &address.generic, &address.length), 0);
    EXPECT_EQ(*address.ToEndpoint(), socket.endpoint);
  }
  EXPECT_FALSE(released);
  EXPECT_TRUE((*takeover)->Commit(absl::Seconds(5)).ok());
  EXPECT_TRUE(released);
}

TEST(ListenerHandoverTest, GoesOnWhenTheOtherProcessGivesUp) {
  std::vector<ListeningSocket> sockets;
  sockets.push_back(MakeListener());
  std::atomic<bool> released{false};
  auto server = HandoverServer::Create(
      TestPath(), [&] { return Copies(sockets); }, [&] { released = true; });
  ASSERT_TRUE(server.ok());
  { ASSERT_TRUE(TakeOver::Begin(TestPath()).ok()); }  // dies before Commit
  auto second = TakeOver::Begin(TestPath());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_FALSE(released);
}

TEST(ListenerHandoverTest, SaysWhatToDoWhenNobodyHandsOver) {
  const auto takeover = TakeOver::Begin(absl::StrCat(testing::TempDir(), "/nobody.sock"));
  EXPECT_EQ(takeover.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(takeover.status().message().find("start without --takeover"), std::string::npos);
}

}  // namespace
}  // namespace fairlead::dataplane::snat
