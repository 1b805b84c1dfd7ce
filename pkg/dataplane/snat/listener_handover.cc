#include "pkg/dataplane/snat/listener_handover.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"

namespace fairlead::dataplane::snat {
namespace {

constexpr char kHello[] = "fairlead-takeover 1\n";
constexpr char kReady[] = "ready\n";
constexpr char kReleased[] = "released\n";
constexpr char kEnd[] = "end\n";
constexpr char kPersistence[] = "persistence\n";
// unix(7): SCM_MAX_FD is 253. One message: "sockets ENDPOINT ENDPOINT ...\n" with as many
// descriptors. SOCK_SEQPACKET keeps the messages apart.
constexpr size_t kSocketsPerMessage = 128;
constexpr size_t kMessageMax = 16 * 1024;
constexpr int kPeerTimeoutSeconds = 60;

struct Message {
  std::string text;
  std::vector<base::UniqueFd> fds;
};

absl::StatusOr<sockaddr_un> UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("takeover socket ", path, " is longer than ",
                                                   sizeof(address.sun_path) - 1,
                                                   " bytes; choose a shorter state directory"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

void SetTimeout(int fd, absl::Duration timeout) {
  const timeval value = absl::ToTimeval(timeout);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof(value));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof(value));
}

absl::Status SendMessage(int connection, absl::string_view text, const std::vector<int>& fds) {
  iovec piece{const_cast<char*>(text.data()), text.size()};
  std::vector<char> control(CMSG_SPACE(sizeof(int) * fds.size()));
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  // signal(7): calls with a time-out are not restarted after a signal.
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(connection, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? base::LastErrnoStatus("send on the takeover socket") : absl::OkStatus();
}

absl::StatusOr<Message> ReceiveMessage(int connection) {
  std::string text(kMessageMax, '\0');
  iovec piece{text.data(), text.size()};
  std::vector<char> control(CMSG_SPACE(sizeof(int) * kSocketsPerMessage));
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(connection, &header, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return base::LastErrnoStatus("receive on the takeover socket");
  if (got == 0) return absl::UnavailableError("the other process closed the takeover socket");
  Message message;
  message.text = text.substr(0, static_cast<size_t>(got));
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
      message.fds.emplace_back(fd);
    }
  }
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return absl::DataLossError("a takeover message was cut; are file descriptors short?");
  }
  return message;
}

absl::Status SendState(int connection, const HandedOver& state) {
  const std::vector<ListeningSocket>& sockets = state.listeners;
  for (size_t begin = 0; begin < sockets.size(); begin += kSocketsPerMessage) {
    std::string text = "sockets";
    std::vector<int> fds;
    for (size_t i = begin; i < std::min(sockets.size(), begin + kSocketsPerMessage); ++i) {
      absl::StrAppend(&text, " ", sockets[i].endpoint.ToString());
      fds.push_back(sockets[i].fd.get());
    }
    if (absl::Status status = SendMessage(connection, text, fds); !status.ok()) return status;
  }
  if (state.persistence.valid()) {
    absl::Status status = SendMessage(connection, kPersistence, {state.persistence.get()});
    if (!status.ok()) return status;
  }
  return SendMessage(connection, kEnd, {});
}

absl::Status AddState(Message message, HandedOver* state) {
  if (message.text == kPersistence && message.fds.size() == 1) {
    state->persistence = std::move(message.fds[0]);
    return absl::OkStatus();
  }
  const std::vector<std::string> words = absl::StrSplit(message.text, ' ');
  if (words.empty() || words[0] != "sockets" || words.size() != message.fds.size() + 1) {
    return absl::InternalError(
        "the other process speaks another takeover protocol; stop it and "
        "start without --takeover");
  }
  for (size_t i = 0; i < message.fds.size(); ++i) {
    const absl::StatusOr<net::Endpoint> endpoint = net::Endpoint::Parse(words[i + 1]);
    if (!endpoint.ok()) return endpoint.status();
    state->listeners.push_back({*endpoint, std::move(message.fds[i])});
  }
  return absl::OkStatus();
}

bool IsOwnUserOrRoot(int connection) {
  ucred peer{};
  socklen_t length = sizeof(peer);
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

std::string HandoverPath(const std::string& state_directory) {
  return absl::StrCat(state_directory, "/takeover.sock");
}

absl::StatusOr<std::unique_ptr<HandoverServer>> HandoverServer::Create(
    const std::string& path, std::function<HandedOver()> duplicate,
    std::function<void()> on_released) {
  const absl::StatusOr<sockaddr_un> address = UnixAddress(path);
  if (!address.ok()) return address.status();
  base::UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  base::UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!listener.valid() || !stop.valid()) return base::LastErrnoStatus("takeover socket");
  ::unlink(path.c_str());  // of a process that is gone, or that handed over to us
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0 ||
      ::listen(listener.get(), 1) != 0) {
    return base::LastErrnoStatus(absl::StrCat("bind the takeover socket ", path));
  }
  return std::unique_ptr<HandoverServer>(new HandoverServer(
      std::move(listener), std::move(stop), path, std::move(duplicate), std::move(on_released)));
}

HandoverServer::HandoverServer(base::UniqueFd listener, base::UniqueFd stop, std::string path,
                               std::function<HandedOver()> duplicate,
                               std::function<void()> on_released)
    : listener_(std::move(listener)),
      stop_(std::move(stop)),
      path_(std::move(path)),
      duplicate_(std::move(duplicate)),
      on_released_(std::move(on_released)),
      thread_([this] { Run(); }) {}

HandoverServer::~HandoverServer() {
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(stop_.get(), &one, sizeof(one));
  thread_.join();
  if (!released_) ::unlink(path_.c_str());
}

void HandoverServer::Run() {
  while (!released_) {
    pollfd waits[] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0) continue;
    if (waits[1].revents != 0) return;
    base::UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.valid()) continue;
    if (!IsOwnUserOrRoot(connection.get())) {
      base::LogWarning("takeover refused: the peer is another user", {{"socket", path_}});
      continue;
    }
    Serve(connection.get());
  }
}

void HandoverServer::Serve(int connection) {
  SetTimeout(connection, absl::Seconds(kPeerTimeoutSeconds));
  absl::StatusOr<Message> hello = ReceiveMessage(connection);
  if (!hello.ok() || hello->text != kHello) return;
  base::LogInfo("another process takes over: handing it the listening sockets");
  if (absl::Status status = SendState(connection, duplicate_()); !status.ok()) {
    base::LogWarning("takeover failed; this process goes on",
                     {{"reason", std::string(status.message())}});
    return;
  }
  absl::StatusOr<Message> ready = ReceiveMessage(connection);
  if (!ready.ok() || ready->text != kReady) {
    base::LogWarning(
        "takeover abandoned by the other process; this process goes on",
        {{"reason", ready.ok() ? "unexpected answer" : std::string(ready.status().message())}});
    return;
  }
  released_ = true;
  listener_.Reset();
  on_released_();
  SendMessage(connection, kReleased, {}).IgnoreError();
}

absl::StatusOr<std::unique_ptr<TakeOver>> TakeOver::Begin(const std::string& path) {
  const absl::StatusOr<sockaddr_un> address = UnixAddress(path);
  if (!address.ok()) return address.status();
  base::UniqueFd connection(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!connection.valid()) return base::LastErrnoStatus("takeover socket");
  if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) !=
      0) {
    return absl::NotFoundError(
        absl::StrCat(base::LastErrnoStatus(absl::StrCat("connect to ", path)).message(),
                     "; no running process hands over there: start without --takeover, or give the "
                     "--state-directory of the running process"));
  }
  std::unique_ptr<TakeOver> takeover(new TakeOver(std::move(connection)));
  const int fd = takeover->connection_.get();
  SetTimeout(fd, absl::Seconds(kPeerTimeoutSeconds));
  if (absl::Status status = SendMessage(fd, kHello, {}); !status.ok()) return status;
  while (true) {
    absl::StatusOr<Message> message = ReceiveMessage(fd);
    if (!message.ok()) return message.status();
    if (message->text == kEnd) return takeover;
    absl::Status added = AddState(*std::move(message), &takeover->handed_over_);
    if (!added.ok()) return added;
  }
}

absl::Status TakeOver::Commit(absl::Duration timeout) {
  SetTimeout(connection_.get(), timeout);
  if (absl::Status status = SendMessage(connection_.get(), kReady, {}); !status.ok()) return status;
  absl::StatusOr<Message> answer = ReceiveMessage(connection_.get());
  if (!answer.ok()) return answer.status();
  return answer->text == kReleased ? absl::OkStatus()
                                   : absl::InternalError("unexpected takeover answer");
}

}  // namespace fairlead::dataplane::snat
