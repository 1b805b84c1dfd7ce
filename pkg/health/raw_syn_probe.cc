#include "pkg/health/raw_syn_probe.h"

#include <linux/filter.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/health/reason.h"
#include "pkg/health/tcp_segment.h"
#include "pkg/net/packet_bytes.h"

namespace fairlead::health {
namespace {

// Segments looked at per call, so that a flood to the reserved port cannot hold the thread.
constexpr int kSegmentsPerTurn = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<Probe>> RawSynProbe::Create(const net::Endpoint& endpoint) {
  const int family = endpoint.address.is_ipv4() ? AF_INET : AF_INET6;
  base::UniqueFd raw(::socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!raw.valid()) return base::LastErrnoStatus("raw TCP socket");
  return std::unique_ptr<Probe>(new RawSynProbe(endpoint, std::move(raw)));
}

ProbeStep RawSynProbe::Start() {
  if (int error = ChooseSourceAddress(); error != 0) return ConnectFailure(endpoint_, error);
  if (int error = ReserveSourcePort(); error != 0) return ConnectFailure(endpoint_, error);
  if (int error = AttachFilter(); error != 0) return SocketFailure(endpoint_, "filter", error);
  // The sequence number need not be secret; it only tells this probe's answer from an older one.
  if (::getrandom(&sequence_, sizeof(sequence_), GRND_NONBLOCK) != sizeof(sequence_)) sequence_ = 1;
  const auto syn = BuildSyn(source_, endpoint_, sequence_);
  if (::send(raw_.get(), syn.data(), syn.size(), MSG_NOSIGNAL) < 0) {
    return ConnectFailure(endpoint_, errno);
  }
  return Await{raw_.get(), POLLIN};
}

int RawSynProbe::ChooseSourceAddress() {
  const bool ipv4 = endpoint_.address.is_ipv4();
  const int one = 1;
  // ICMP errors about the SYN end the wait (ip(7), IP_RECVERR).
  if (::setsockopt(raw_.get(), ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_RECVERR : IPV6_RECVERR,
                   &one, sizeof(one)) != 0) {
    return errno;
  }
  // raw(7), ipv6(7): a raw socket's address has no port.
  net::SocketAddress address(net::Endpoint{endpoint_.address, 0});
  if (::connect(raw_.get(), &address.generic, address.length) != 0) return errno;
  address.length = sizeof(address.ipv6);
  if (::getsockname(raw_.get(), &address.generic, &address.length) != 0) return errno;
  const absl::StatusOr<net::Endpoint> source = address.ToEndpoint();
  if (!source.ok()) return EAFNOSUPPORT;
  source_ = net::Endpoint{source->address, 0};
  return 0;
}

int RawSynProbe::ReserveSourcePort() {
  net::SocketAddress address(source_);
  reserved_.Reset(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!reserved_.valid()) return errno;
  if (::bind(reserved_.get(), &address.generic, address.length) != 0) {
    return errno == EADDRINUSE ? EADDRNOTAVAIL : errno;  // ip(7): no ephemeral port is free
  }
  address.length = sizeof(address.ipv6);
  if (::getsockname(reserved_.get(), &address.generic, &address.length) != 0) return errno;
  source_.port = address.ToEndpoint().value_or(source_).port;
  return 0;
}

int RawSynProbe::AttachFilter() {
  // The socket filter sees an IPv4 packet from its IP header on, whose length goes to X, and an
  // IPv6 packet from its TCP header on. Then: destination port, source port, or drop.
  sock_filter program[] = {
      endpoint_.address.is_ipv4() ? sock_filter BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0)
                                  : sock_filter BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, source_.port, 0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, endpoint_.port, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog filter = {.len = sizeof(program) / sizeof(program[0]), .filter = program};
  return ::setsockopt(raw_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0
             ? 0
             : errno;
}

ProbeStep RawSynProbe::OnReady() {
  uint8_t packet[256];  // an IP header of at most 60 bytes and a TCP header of at most 60
  for (int i = 0; i < kSegmentsPerTurn; ++i) {
    const ssize_t size = ::recv(raw_.get(), packet, sizeof(packet), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (size < 0) return ConnectFailure(endpoint_, errno);
    absl::Span<const uint8_t> bytes(packet, static_cast<size_t>(size));
    if (endpoint_.address.is_ipv4()) bytes = net::WithoutIpv4Header(bytes);
    const std::optional<TcpSegment> segment = ParseTcpSegment(bytes);
    if (!segment || segment->source_port != endpoint_.port ||
        segment->destination_port != source_.port || !segment->ack ||
        segment->acknowledged != sequence_ + 1) {
      continue;
    }
    if (segment->rst) return ConnectFailure(endpoint_, ECONNREFUSED);
    if (segment->syn) return ProbeOutcome::Healthy("TCP half-open");
  }
  return Await{raw_.get(), POLLIN};
}

ProbeOutcome RawSynProbe::OnTimeout(absl::Duration timeout) {
  return ConnectTimeout(endpoint_, timeout);
}

}  // namespace fairlead::health
