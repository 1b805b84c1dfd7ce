#include "pkg/arp/ask.h"

#include <linux/if_ether.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/packet_socket.h"
#include "pkg/base/unique_fd.h"
#include "pkg/net/packet_filter.h"

namespace fairlead::arp {
namespace {

using Place = std::pair<uint32_t, net::IpFamily>;

// Frames looked at before the next question, so that a flood cannot hold the pace.
constexpr int kFramesPerTurn = 256;

absl::StatusOr<base::UniqueFd> OpenSocket(const Place& place) {
  if (place.second == net::IpFamily::kIpv4) {
    return base::OpenPacketSocket(place.first, ETH_P_ARP, {});
  }
  return base::OpenPacketSocket(place.first, ETH_P_IPV6, net::kAdvertisementFilter);
}

class Inquiry {
 public:
  Inquiry(const Interfaces& interfaces, int stop_fd) : interfaces_(interfaces), stop_fd_(stop_fd) {
    for (const auto& [ifindex, interface] : interfaces) own_macs_.insert(interface.mac);
  }

  Answers Run(const std::vector<Question>& questions) {
    // The times of all frames, in order.
    std::multimap<absl::Duration, const Question*> due;
    absl::Duration at;
    for (const Question& question : questions) {
      due.emplace(at, &question);
      due.emplace(at + kRepeatAfter, &question);
      at += kBetweenQuestions;
    }
    const absl::Time start = absl::Now();
    for (const auto& [time, question] : due) {
      if (!ListenUntil(start + time)) return std::move(answers_);
      answers_.status.Update(Send(*question));
    }
    if (!sockets_.empty()) ListenUntil(absl::Now() + kListenAfter);
    return std::move(answers_);
  }

 private:
  absl::Status Send(const Question& question) {
    const auto interface = interfaces_.find(question.ifindex);
    if (interface == interfaces_.end() || !interface->second.asks) return absl::OkStatus();
    const net::MacAddress& mac = interface->second.mac;
    std::vector<uint8_t> frame;
    if (question.address.is_ipv4()) {
      frame = BuildArpProbe(mac, question.address);
    } else {
      const auto source = SolicitationSource(interface->second, question.address);
      if (!source.has_value()) {
        return absl::FailedPreconditionError(absl::StrCat(interface->second.name,
                                                          " has no IPv6 address to ask for ",
                                                          question.address.ToString(), " from"));
      }
      frame = BuildSolicitation(mac, *source, question.address);
    }
    const Place place = {question.ifindex, question.address.family()};
    auto socket = sockets_.find(place);
    if (socket == sockets_.end()) {
      absl::StatusOr<base::UniqueFd> made = OpenSocket(place);
      if (!made.ok()) return made.status();
      socket = sockets_.emplace(place, *std::move(made)).first;
    }
    if (::send(socket->second.get(), frame.data(), frame.size(), MSG_NOSIGNAL) < 0) {
      return base::LastErrnoStatus(absl::StrCat("frame on ", interface->second.name));
    }
    answers_.asked.insert(question.address);
    return absl::OkStatus();
  }

  // False: stopped.
  bool ListenUntil(absl::Time deadline) {
    while (true) {
      std::vector<pollfd> wait = {{stop_fd_, POLLIN, 0}};
      for (const auto& [place, fd] : sockets_) wait.push_back({fd.get(), POLLIN, 0});
      const int64_t left_ms = absl::ToInt64Milliseconds(deadline - absl::Now());
      if (::poll(wait.data(), wait.size(), static_cast<int>(std::max<int64_t>(left_ms, 0))) < 0 &&
          errno != EINTR) {
        return false;
      }
      if (wait[0].revents != 0) return false;
      for (size_t i = 1; i < wait.size(); ++i) {
        if (wait[i].revents != 0) Read(wait[i].fd);
      }
      if (left_ms <= 0) return true;
    }
  }

  void Read(int fd) {
    uint8_t frame[256];
    for (int i = 0; i < kFramesPerTurn; ++i) {
      const ssize_t size = ::recv(fd, frame, sizeof(frame), 0);
      if (size < 0) return;  // EAGAIN; or ENETDOWN, which is told once
      const auto claim = ParseClaim(absl::MakeConstSpan(frame, static_cast<size_t>(size)));
      if (!claim || answers_.asked.count(claim->address) == 0) continue;
      if (own_macs_.count(claim->mac) == 0) answers_.claims.insert(*claim);
    }
  }

  const Interfaces& interfaces_;
  const int stop_fd_;
  std::set<net::MacAddress> own_macs_;
  std::map<Place, base::UniqueFd> sockets_;
  Answers answers_;
};

}  // namespace

Answers Ask(const std::vector<Question>& questions, const Interfaces& interfaces, int stop_fd) {
  return Inquiry(interfaces, stop_fd).Run(questions);
}

}  // namespace fairlead::arp
