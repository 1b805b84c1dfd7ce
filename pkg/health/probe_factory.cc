#include "pkg/health/probe_factory.h"

#include <string>
#include <utility>

#include "pkg/health/delayed_ack_probe.h"
#include "pkg/health/exchange_probe.h"
#include "pkg/health/http_dialogue.h"
#include "pkg/health/icmp_probe.h"
#include "pkg/health/plain_stream.h"
#include "pkg/health/raw_syn_probe.h"
#include "pkg/health/send_expect_dialogue.h"
#include "pkg/health/tcp_probe.h"

namespace fairlead::health {
namespace {

using Type = model::HealthCheck::Type;

absl::StatusOr<std::unique_ptr<ByteStream>> MakePlainStream(int fd) {
  return std::make_unique<PlainStream>(fd);
}

// The strict method where the capability is there; never a full connect in its place.
std::unique_ptr<Probe> MakeHalfOpenProbe(const net::Endpoint& endpoint) {
  absl::StatusOr<std::unique_ptr<Probe>> strict = RawSynProbe::Create(endpoint);
  if (strict.ok()) return *std::move(strict);
  return std::make_unique<DelayedAckProbe>(endpoint);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProbeFactory>> ProbeFactory::Create() {
  absl::StatusOr<std::unique_ptr<TlsContext>> tls = TlsContext::Create();
  if (!tls.ok()) return tls.status();
  return std::unique_ptr<ProbeFactory>(new ProbeFactory(*std::move(tls)));
}

std::unique_ptr<Probe> ProbeFactory::Make(const ProbeTarget& target) const {
  const net::Endpoint& endpoint = target.endpoint;
  const model::HealthCheck& check = target.check;
  switch (check.type) {
    case Type::kTcp:
      if (check.half_open) return MakeHalfOpenProbe(endpoint);
      return std::make_unique<TcpProbe>(endpoint);
    case Type::kSendExpect:
      return std::make_unique<ExchangeProbe>(
          endpoint, std::make_unique<SendExpectDialogue>(endpoint, check), &MakePlainStream);
    case Type::kHttp:
      return std::make_unique<ExchangeProbe>(
          endpoint, std::make_unique<HttpDialogue>(endpoint, check), &MakePlainStream);
    case Type::kHttps:
      return std::make_unique<ExchangeProbe>(
          endpoint, std::make_unique<HttpDialogue>(endpoint, check),
          [tls = tls_.get(), name = ServerNameOf(check.http_host)](int fd) {
            return TlsStream::Create(*tls, fd, name);
          });
    case Type::kIcmp:
      return std::make_unique<IcmpProbe>(endpoint.address);
    case Type::kNone:
      break;
  }
  return nullptr;
}

}  // namespace fairlead::health
