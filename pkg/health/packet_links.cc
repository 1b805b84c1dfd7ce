#include "pkg/health/packet_links.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "pkg/base/errno_status.h"
#include "pkg/base/packet_socket.h"

namespace fairlead::health {
namespace {

// Above every identifier of ProbeRunner, which are slots.
constexpr uint64_t kIdsFrom = uint64_t{1} << 32;
// Frames looked at per call, so that a flood cannot hold the thread.
constexpr int kFramesPerTurn = 64;
// An interface that no check has used for so long is left; the longest interval is an hour, and
// opening anew is cheap.
constexpr absl::Duration kIdle = absl::Minutes(5);
// 65,535 would make token + 1 carry into the upper half.
constexpr uint16_t kLowerHalfMax = 0xfffe;

uint32_t RandomBase() {
  uint16_t half = 0;
  // Need not be secret; it only tells this process's checks from other packets.
  if (::getrandom(&half, sizeof(half), GRND_NONBLOCK) != sizeof(half)) half = 1;
  return uint32_t{half} << 16;
}

// Passes SYN-ACKs and RSTs whose acknowledged number, and ICMP messages whose identifier begins
// with `token_half`. X: where the payload of the IP header begins, behind 14 bytes of Ethernet.
std::array<sock_filter, 12> AnswerFilter(net::IpFamily family, uint32_t token_half) {
  const bool ipv4 = family == net::IpFamily::kIpv4;
  constexpr uint32_t kSynOrRst = 0x02 | 0x04;
  return {{
      ipv4 ? sock_filter BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14)
           : sock_filter BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 40),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ipv4 ? 14u + 9u : 14u + 6u),  // protocol, next header
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 4),
      BPF_STMT(BPF_LD | BPF_B | BPF_IND, 14 + 13),  // TCP: flags
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kSynOrRst, 0, 6),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 14 + 8),  // TCP: acknowledged number, upper half
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, token_half, 3, 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ipv4 ? uint32_t{IPPROTO_ICMP} : uint32_t{IPPROTO_ICMPV6},
               0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 14 + 4),  // ICMP: identifier
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, token_half, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
}

}  // namespace

PacketLinks::PacketLinks(uring::Ring& ring, const base::Clock& clock)
    : ring_(ring), clock_(clock), token_base_(RandomBase()) {}

uint32_t PacketLinks::Register(PacketProbe* probe) {
  // There are far fewer probes at once than tokens, so that the search ends.
  uint32_t token = 0;
  do {
    last_token_ = last_token_ >= kLowerHalfMax ? 0 : last_token_ + 1;
    token = token_base_ | last_token_;
  } while (!probes_.try_emplace(token, probe).second);
  return token;
}

absl::StatusOr<uint64_t> PacketLinks::Open(uint32_t ifindex, net::IpFamily family) {
  const auto place = std::make_pair(ifindex, family);
  const auto open = link_at_.find(place);
  if (open != link_at_.end()) return open->second;
  RetireIdle();
  const uint16_t protocol = family == net::IpFamily::kIpv4 ? ETH_P_IP : ETH_P_IPV6;
  absl::StatusOr<base::UniqueFd> fd =
      base::OpenPacketSocket(ifindex, protocol, AnswerFilter(family, token_base_ >> 16));
  if (!fd.ok()) return fd.status();
  const uint64_t id = kIdsFrom + ++last_id_;
  ring_.Poll(fd->get(), POLLIN, id);
  links_.emplace(id, Link{.fd = *std::move(fd), .place = place, .used = clock_.Monotonic()});
  link_at_[place] = id;
  return id;
}

absl::Status PacketLinks::Send(uint32_t ifindex, net::IpFamily family,
                               absl::Span<const uint8_t> frame) {
  const absl::StatusOr<uint64_t> id = Open(ifindex, family);
  if (!id.ok()) return id.status();
  Link& link = links_.at(*id);
  link.used = clock_.Monotonic();
  if (::send(link.fd.get(), frame.data(), frame.size(), MSG_NOSIGNAL) >= 0) return absl::OkStatus();
  const int error = errno;
  // The interface is gone; one with its index would be another.
  if (error == ENXIO || error == ENODEV) Retire(*id);
  return base::ErrnoStatus(error, "send of a frame");
}

void PacketLinks::RetireIdle() {
  const absl::Duration now = clock_.Monotonic();
  std::vector<uint64_t> idle;
  for (const auto& [place, id] : link_at_) {
    if (now - links_.at(id).used > kIdle) idle.push_back(id);
  }
  for (const uint64_t id : idle) Retire(id);
}

void PacketLinks::Retire(uint64_t id) {
  Link& link = links_.at(id);
  link.retiring = true;
  link_at_.erase(link.place);
  ring_.Cancel(id);
}

void PacketLinks::CancelAll() {
  while (!link_at_.empty()) Retire(link_at_.begin()->second);
}

bool PacketLinks::OnCompletion(const uring::Completion& completion) {
  const auto found = links_.find(completion.user_data);
  if (found == links_.end()) return completion.user_data >= kIdsFrom;
  Link& link = found->second;
  if (link.retiring) {
    links_.erase(found);
    return true;
  }
  Drain(link);
  ring_.Poll(link.fd.get(), POLLIN, completion.user_data);
  return true;
}

void PacketLinks::Drain(Link& link) {
  uint8_t frame[256];  // Ethernet 14, IP header at most 60, TCP header at most 60
  for (int i = 0; i < kFramesPerTurn; ++i) {
    const ssize_t size = ::recv(link.fd.get(), frame, sizeof(frame), MSG_TRUNC);
    if (size < 0) return;  // EAGAIN; or ENETDOWN, which is told once and says nothing of a server
    if (static_cast<size_t>(size) > sizeof(frame)) continue;
    const std::optional<DirectAnswer> answer =
        ParseDirectAnswer(absl::MakeConstSpan(frame, static_cast<size_t>(size)));
    if (answer && (answer->token & 0xffff0000) == token_base_) Take(link, *answer);
  }
}

void PacketLinks::Take(Link& link, const DirectAnswer& answer) {
  if (answer.kind == DirectAnswer::Kind::kSynAck) {
    const std::vector<uint8_t> reset = BuildDirectReset(answer);
    // What is lost is asked for anew by the next SYN-ACK.
    (void)::send(link.fd.get(), reset.data(), reset.size(), MSG_NOSIGNAL);
  }
  const auto probe = probes_.find(answer.token);
  if (probe != probes_.end() && probe->second->OnAnswer(answer)) woken_.push_back(probe->second);
}

}  // namespace fairlead::health
