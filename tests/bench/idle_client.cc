#include "tests/bench/idle_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "tests/bench/message.h"
#include "tests/bench/socket.h"

namespace fairlead::bench {
namespace {

constexpr uint64_t kAnswerSize = 64;

int OpenOne(const sockaddr_in& target, uint64_t tag) {
  const int fd = ConnectNow(target);
  if (fcntl(fd, F_SETFL, 0) < 0) Fail("fcntl");  // blocking again
  char buffer[kRequestSize];
  WriteRequest(Kind::kAnswer, kAnswerSize, tag, buffer);
  if (send(fd, buffer, kRequestSize, MSG_NOSIGNAL) != kRequestSize) Fail("send of a request");
  char answer[kAnswerSize];
  const ssize_t size = recv(fd, answer, kAnswerSize, MSG_WAITALL);
  if (size < 0) Fail("recv");
  errno = EBADMSG;
  if (size != kAnswerSize || !IsPattern(answer, kAnswerSize, tag + 1)) Fail("a corrupt answer");
  return fd;
}

}  // namespace

void RunIdleClient(const sockaddr_in& target) {
  std::vector<int> connections;
  unsigned more = 0;
  while (std::scanf("%u", &more) == 1) {
    for (unsigned i = 0; i < more; ++i) connections.push_back(OpenOne(target, connections.size()));
    if (more == 0) {
      for (const int fd : connections) close(fd);
      connections.clear();
    }
    std::printf("%zu\n", connections.size());
    std::fflush(stdout);
  }
}

}  // namespace fairlead::bench
