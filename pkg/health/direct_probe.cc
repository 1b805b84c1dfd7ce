#include "pkg/health/direct_probe.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/health/reason.h"

namespace fairlead::health {
namespace {

constexpr char kRemedy[] = "see fairlead prepare-realserver";

net::Endpoint VipOf(const ProbeTarget& target, bool echo) {
  return {target.endpoint.address, echo ? uint16_t{0} : target.endpoint.port};
}

}  // namespace

DirectProbe::DirectProbe(const ProbeTarget& target, PacketLinks& links)
    : way_(*target.direct),
      echo_(target.check.type == model::HealthCheck::Type::kIcmp),
      links_(links),
      question_{.mac = way_.mac,
                .source_mac = way_.source_mac,
                .source = {way_.source.value_or(net::IpAddress()), 0},
                .vip = VipOf(target, echo_),
                .token = links.Register(this)} {}

DirectProbe::~DirectProbe() { links_.Forget(question_.token); }

ProbeOutcome DirectProbe::CannotCheck(absl::string_view why) const {
  return ProbeOutcome::Inconclusive(
      absl::StrCat("cannot check ", TargetName(question_.vip), " through direct routing: ", why));
}

int DirectProbe::ReserveSourcePort() {
  net::SocketAddress address(question_.source);
  reserved_.Reset(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!reserved_.valid()) return errno;
  if (::bind(reserved_.get(), &address.generic, address.length) != 0) return errno;
  address.length = sizeof(address.ipv6);
  if (::getsockname(reserved_.get(), &address.generic, &address.length) != 0) return errno;
  question_.source.port = address.ToEndpoint().value_or(question_.source).port;
  return 0;
}

ProbeStep DirectProbe::Start() {
  const net::IpFamily family = question_.vip.address.family();
  if (!way_.source.has_value()) {
    return CannotCheck(absl::StrCat(
        "the interface towards the server has no ",
        question_.vip.address.is_ipv4() ? "IPv4" : "IPv6",
        " address beside the VIPs for the question to come from; give this host one of its own"));
  }
  if (!echo_) {
    if (const int error = ReserveSourcePort(); error != 0) {
      return CannotCheck(base::ErrnoStatus(error, "source port").message());
    }
  }
  const absl::Status sent = links_.Send(
      way_.ifindex, family, echo_ ? BuildDirectEcho(question_) : BuildDirectSyn(question_));
  if (!sent.ok()) return CannotCheck(sent.message());
  return AwaitWake{};
}

bool DirectProbe::OnAnswer(const DirectAnswer& answer) {
  const bool is_echo = answer.kind == DirectAnswer::Kind::kEchoReply;
  if (answer_.has_value() || is_echo != echo_ || answer.vip != question_.vip ||
      answer.own != question_.source) {
    return false;
  }
  answer_ = answer;
  return true;
}

ProbeStep DirectProbe::OnReady() {
  if (!answer_.has_value()) return AwaitWake{};
  const std::string vip = TargetName(question_.vip);
  if (answer_->mac != way_.mac) {
    ProbeOutcome outcome = ProbeOutcome::Unhealthy(absl::StrCat(
        vip, " asked of the server's MAC ", net::MacText(way_.mac), " is answered by MAC ",
        net::MacText(answer_->mac),
        ": the server lacks the VIP and forwards (ip_forward), or it sends by another card; ",
        kRemedy));
    outcome.answered_by = answer_->mac;
    return outcome;
  }
  if (answer_->kind == DirectAnswer::Kind::kReset) {
    return ProbeOutcome::Unhealthy(absl::StrCat(
        "the server does not serve ", vip,
        ": connect refused - does it own the VIP on its loopback, and does the service "
        "listen on it? ",
        kRemedy));
  }
  return ProbeOutcome::Healthy(echo_ ? "ICMP echo through direct routing"
                                     : "TCP half-open through direct routing");
}

ProbeOutcome DirectProbe::OnTimeout(absl::Duration timeout) {
  return ProbeOutcome::Unhealthy(absl::StrCat(
      "no answer from ", TargetName(question_.vip), " through direct routing within ",
      absl::FormatDuration(timeout),
      ": the VIP is missing on the server's loopback, or a firewall drops it; ", kRemedy));
}

}  // namespace fairlead::health
